//! Why something was not done with the backlog.

use overnight_core::backlog::BadField;
use overnight_core::backlog::plan::PlanError;
use overnight_core::id::TaskKey;
use overnight_core::text::{nearest, one_line};
use overnight_store::{BacklogError, Repository, StoreError};

use crate::api::Refusal;

/// Nothing was changed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The item that it is about is not there.
    Missing(BacklogError),
    /// The store says no.
    Backlog(BacklogError),
    /// The repository that it is about is not there.
    NoRepository {
        what: String,
        help: String,
    },
    /// It was changed since it was looked at.
    Stale {
        what: String,
    },
    /// It cannot be done as it was said.
    Bad {
        what: String,
        help: String,
    },
    Plan(PlanError),
    Desk(Refusal),
}

impl Refused {
    pub(crate) fn bad(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Bad { what: what.into(), help: help.into() }
    }

    /// There is no repository of this name among those that there are.
    pub(super) fn no_repository(name: &str, all: &[Repository]) -> Self {
        let name = one_line(name, 60);
        let what = format!("there is no repository {name:?}");
        let near = nearest(&name, all.iter().map(|repository| repository.name.as_str()));
        let help = near.map_or_else(
            || "the list of repositories says which there are".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        Self::NoRepository { what, help }
    }

    /// What cannot be done is named by what was said, not by what it is about.
    pub(super) fn in_words(self) -> Self {
        match self {
            Self::NoRepository { what, help } => Self::Bad { what, help },
            Self::Missing(error) => Self::Backlog(error),
            other => other,
        }
    }

    /// In words: what, and what to do about it.
    pub(crate) fn told(&self) -> (String, Option<String>) {
        match self {
            Self::Missing(error) | Self::Backlog(error) => (one_line(&error.to_string(), 400), help(error)),
            Self::NoRepository { what, help } | Self::Bad { what, help } => {
                (what.clone(), Some(help.clone()))
            }
            Self::Stale { what } => (what.clone(), Some(AGAIN.to_owned())),
            Self::Plan(PlanError { line, column, what, help }) => {
                let what = format!("the plan cannot be used: line {line}, column {column}: {what}");
                (one_line(&what, 400), Some(help.clone()))
            }
            Self::Desk(refusal) => (refusal.what.clone(), refusal.help.clone()),
        }
    }
}

const AGAIN: &str = "look at it again, and say once more what is to be changed";

fn help(error: &BacklogError) -> Option<String> {
    let names = |keys: &[TaskKey]| keys.iter().map(TaskKey::as_str).collect::<Vec<_>>().join(" or ");
    Some(match error {
        BacklogError::NotFound { nearest, .. } if nearest.is_empty() => {
            "the list of items says which there are".to_owned()
        }
        BacklogError::NotFound { nearest, .. } => format!("did you mean {}?", names(nearest)),
        BacklogError::Changed { .. } | BacklogError::SettingsChanged => AGAIN.to_owned(),
        BacklogError::Parent { .. } => "tasks belong to stories, stories belong to epics".to_owned(),
        BacklogError::Elsewhere { .. } => {
            "a task that is to be done in another repository says so in its body: repository".to_owned()
        }
        BacklogError::WrongKind { .. } => "name one of that kind".to_owned(),
        BacklogError::Circle(_) => "take one of them out of `after`".to_owned(),
        BacklogError::HasParts { .. } => "say all=true to remove them too, or move them first".to_owned(),
        BacklogError::Running { job, .. } => format!("wait for {job}, or cancel it"),
        BacklogError::RequestReused { key, .. } => {
            format!("see what it made: {key}; or give this request a name of its own")
        }
        BacklogError::Planned { epic, .. } => {
            format!("look at {epic}; remove it first where it is to be made anew")
        }
        BacklogError::NoPlan { .. } => "look at the idea: it lists what was written about it".to_owned(),
        BacklogError::Plan { why, .. } => format!("{}; or give the idea a better plan", why.help),
        BacklogError::RepositoryInUse { .. } => "remove what it has first, or leave it be".to_owned(),
        BacklogError::Invalid(_) => "shorten it, or write it in plain characters".to_owned(),
        BacklogError::Store(_) => return None,
    })
}

impl From<BacklogError> for Refused {
    fn from(error: BacklogError) -> Self {
        Self::Backlog(error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Backlog(error.into())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Desk(refusal)
    }
}

impl From<BadField> for Refused {
    fn from(why: BadField) -> Self {
        Self::bad(why.to_string(), "what is not to be changed is left out; null takes a value away")
    }
}
