//! What stands in the backlog.

use serde::{Deserialize, Serialize};

use super::settings::{PullStrategy, TaskSettings};
use super::words::{self, InvalidText, LINE_MAX, PLAN_MAX, TEXT_MAX};
use crate::id::{ItemId, RepositoryId, TaskKey};
use crate::policy::alignment::VerifyRequired;
use crate::units::Timestamp;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    Epic,
    Story,
    Task,
    Sprint,
    Idea,
}

impl ItemKind {
    pub const ALL: [Self; 5] = [Self::Epic, Self::Story, Self::Task, Self::Sprint, Self::Idea];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Epic => "epic",
            Self::Story => "story",
            Self::Task => "task",
            Self::Sprint => "sprint",
            Self::Idea => "idea",
        }
    }

    /// What it may belong to.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Task => Some(Self::Story),
            Self::Story => Some(Self::Epic),
            Self::Epic | Self::Sprint | Self::Idea => None,
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl std::fmt::Display for ItemKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something in the backlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub id: ItemId,
    pub repository: RepositoryId,
    /// Its repository's name and number: `app-12`.
    pub key: TaskKey,
    pub title: String,
    pub body: ItemBody,
    /// Of the kind that [`ItemKind::parent`] says.
    pub parent: Option<ItemId>,
    /// Among those with the same parent.
    pub position: i64,
    /// Grows with every change.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Item {
    #[must_use]
    pub fn kind(&self) -> ItemKind {
        self.body.kind()
    }

    /// Whether it is a task that is to be done in this repository: the one that it names, or else its own.
    #[must_use]
    pub fn is_done_in(&self, (id, name): (&RepositoryId, &str)) -> bool {
        let ItemBody::Task(body) = &self.body else { return false };
        body.repository.as_ref().map_or(self.repository == *id, |elsewhere| elsewhere == name)
    }
}

/// What an item says, by its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum ItemBody {
    Epic(EpicBody),
    Story(StoryBody),
    Task(Box<TaskBody>),
    Sprint(SprintBody),
    Idea(IdeaBody),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EpicBody {
    pub description: String,
    /// Whether a failed task takes the epic's other jobs with it; `None`: as the repository says.
    pub cascade: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoryBody {
    pub description: String,
    pub acceptance: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskBody {
    pub description: String,
    pub acceptance: Vec<String>,
    /// How it is to be done.
    pub plan: Option<String>,
    pub verify_required: VerifyRequired,
    /// It only looks at something: no change is a good result.
    pub verify_only: bool,
    pub settings: TaskSettings,
    /// The name of another registered repository in which it is to be done.
    pub repository: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SprintBody {
    pub goal: String,
    /// `None`: as the repository says.
    pub strategy: Option<PullStrategy>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdeaBody {
    pub wish: String,
    /// What was found out about it.
    pub notes: String,
    /// A plan document, as `overnight import` takes it.
    pub plan: Option<String>,
    /// What it became.
    pub epic: Option<TaskKey>,
}

/// Why an item cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidItem {
    #[error(transparent)]
    Text(#[from] InvalidText),
    #[error("the plan of an idea has {found} characters; at most {most} are taken", most = super::plan::DOCUMENT_MAX)]
    IdeaPlan { found: usize },
}

impl ItemBody {
    #[must_use]
    pub fn kind(&self) -> ItemKind {
        match self {
            Self::Epic(_) => ItemKind::Epic,
            Self::Story(_) => ItemKind::Story,
            Self::Task(_) => ItemKind::Task,
            Self::Sprint(_) => ItemKind::Sprint,
            Self::Idea(_) => ItemKind::Idea,
        }
    }

    /// The same with every text checked and tidied.
    ///
    /// # Errors
    /// [`InvalidItem`].
    pub fn checked(self) -> Result<Self, InvalidItem> {
        let about = |text: &str| words::text("description", text, TEXT_MAX);
        Ok(match self {
            Self::Epic(epic) => Self::Epic(EpicBody { description: about(&epic.description)?, ..epic }),
            Self::Story(story) => Self::Story(StoryBody {
                description: about(&story.description)?,
                acceptance: words::acceptance(&story.acceptance)?,
            }),
            Self::Task(task) => Self::Task(Box::new(task.checked()?)),
            Self::Sprint(sprint) => {
                Self::Sprint(SprintBody { goal: words::text("goal", &sprint.goal, TEXT_MAX)?, ..sprint })
            }
            Self::Idea(idea) => Self::Idea(idea.checked()?),
        })
    }
}

fn optional(what: &'static str, text: Option<&String>, most: usize) -> Result<Option<String>, InvalidText> {
    let text = text.map(|text| words::text(what, text, most)).transpose()?;
    Ok(text.filter(|text| !text.is_empty()))
}

impl TaskBody {
    fn checked(self) -> Result<Self, InvalidText> {
        let word =
            |what, text: Option<&String>| text.map(|text| words::line(what, text, LINE_MAX)).transpose();
        let settings = TaskSettings {
            agent: word("agent", self.settings.agent.as_ref())?,
            model: word("model", self.settings.model.as_ref())?,
            ..self.settings
        };
        Ok(Self {
            description: words::text("description", &self.description, TEXT_MAX)?,
            acceptance: words::acceptance(&self.acceptance)?,
            plan: optional("plan", self.plan.as_ref(), PLAN_MAX)?,
            repository: word("repository", self.repository.as_ref())?,
            settings,
            ..self
        })
    }
}

impl IdeaBody {
    fn checked(self) -> Result<Self, InvalidItem> {
        // It is kept as it was written, also when it cannot be parsed; whoever imports it judges it.
        let plan = self.plan.filter(|plan| !plan.trim().is_empty());
        if let Some(plan) = plan.as_ref().filter(|plan| plan.len() > super::plan::DOCUMENT_MAX) {
            return Err(InvalidItem::IdeaPlan { found: plan.chars().count() });
        }
        Ok(Self {
            wish: words::text("wish", &self.wish, TEXT_MAX)?,
            notes: words::text("notes", &self.notes, TEXT_MAX)?,
            plan: plan.map(|plan| plan.replace('\0', "")),
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stories_and_tasks_belong_to_something() {
        let parents = ItemKind::ALL.map(ItemKind::parent);
        assert_eq!(parents, [None, Some(ItemKind::Epic), Some(ItemKind::Story), None, None]);
    }

    #[test]
    fn a_body_names_its_kind_and_older_rows_stay_readable() {
        let task = serde_json::from_str::<ItemBody>(r#"{"kind":"task","description":"x"}"#).unwrap();
        assert_eq!(task.kind(), ItemKind::Task);
        let text = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<ItemBody>(&text).unwrap(), task);
    }
}
