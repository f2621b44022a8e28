//! Typed identifiers. No bare `String` or `i64` that means "which one" crosses a function boundary.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: {why}")]
pub struct InvalidId {
    what: &'static str,
    text: String,
    why: &'static str,
}

impl InvalidId {
    pub(crate) fn new(what: &'static str, text: &str, why: &'static str) -> Self {
        Self { what, text: text.chars().take(120).collect(), why }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes text of 1 to 128 letters, digits, `-`, `_`, `.` or `:`.
            ///
            /// # Errors
            /// [`InvalidId`] for any other text.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check_id(text).map_err(|why| InvalidId::new($what, text, why))?;
                Ok(Self(text.to_owned()))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

text_id!(
    /// One queued execution. A UUID v7, so that ids sort by time of creation.
    JobId, "job id"
);
text_id!(
    /// A registered repository. A UUID v7.
    RepositoryId, "repository id"
);
text_id!(
    /// The name people use for a task and its job: repository name, `-`, number (`app-12`).
    TaskKey, "task key"
);
text_id!(
    /// Something in the backlog: an epic, story, task, sprint or idea. A UUID v7.
    ItemId, "item id"
);
text_id!(
    /// A question of a job's agent. A UUID v7.
    QuestionId, "question id"
);
text_id!(
    /// A message to a job. A UUID v7, whose random part no sender knows beforehand.
    MessageId, "message id"
);
text_id!(
    /// A process that claims jobs: host, boot, start time and a random part.
    WorkerId, "worker id"
);
text_id!(
    /// An agent CLI's own name for a conversation, used to resume it.
    SessionId, "session id"
);

fn check_id(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 128 {
        return Err("it is longer than 128 characters");
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')) {
        return Err("only letters, digits, '-', '_', '.' and ':' are allowed");
    }
    Ok(())
}

/// Number that grows with every claim of a job. A write that carries an older fence touches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub i64);

/// Position of an event within its job: 1, 2, 3, … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventNumber(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_text_that_could_be_a_path_an_option_or_a_control_sequence() {
        for bad in ["", "a/b", "a b", "a\n", "é", "a\u{202e}b", &"x".repeat(129)] {
            assert!(JobId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(TaskKey::parse("app-12").map(|k| k.to_string()), Ok("app-12".to_owned()));
    }

    #[test]
    fn a_stored_id_is_checked_when_it_is_read_back() {
        assert!(serde_json::from_str::<JobId>("\"../x\"").is_err());
    }
}
