//! How a job stands in the queue: beside its order, which says what to do, this says when, before whom and where.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;
use crate::units::Timestamp;

/// What one step of priority is worth: a job with priority 1 goes before one with 0 that has waited up to this much longer.
pub const PRIORITY_STEP: Duration = Duration::from_secs(10 * 60);

/// How soon, from -100 to 100; higher goes first, 0 is usual.
///
/// A step is worth [`PRIORITY_STEP`] of waiting, so that the lowest job is passed for at most 200 steps (33 hours and 20
/// minutes) by jobs that came later, and then goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Priority(i8);

impl Priority {
    pub const LOWEST: i64 = -100;
    pub const HIGHEST: i64 = 100;

    /// # Errors
    /// Outside [`Self::LOWEST`] to [`Self::HIGHEST`].
    pub fn new(number: i64) -> Result<Self, String> {
        let within = (Self::LOWEST..=Self::HIGHEST).contains(&number);
        let narrow = i8::try_from(number).ok().filter(|_| within);
        narrow.map(Self).ok_or_else(|| {
            format!(
                "{number} is not a priority: expected {} to {}, higher goes first",
                Self::LOWEST,
                Self::HIGHEST
            )
        })
    }

    #[must_use]
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// The place in the queue of a job that could run from `ready` on: lower goes first.
    #[must_use]
    pub fn rank(self, ready: Timestamp) -> i64 {
        let step = i64::try_from(PRIORITY_STEP.as_millis()).unwrap_or(i64::MAX);
        ready.0.saturating_sub(self.number().saturating_mul(step))
    }
}

impl TryFrom<i64> for Priority {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        Self::new(number)
    }
}

impl From<Priority> for i64 {
    fn from(priority: Priority) -> Self {
        priority.number()
    }
}

/// A word that people put on jobs and workers: 1 to 64 letters, digits, `-`, `_` or `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// # Errors
    /// [`InvalidId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
            return Err(InvalidId::new("label", text, "expected 1 to 64 letters, digits, '-', '_' or '.'"));
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Label {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

/// How a job stands in the queue. The default: at once, in turn, by any worker that has its backend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queueing {
    #[serde(default)]
    pub priority: Priority,
    /// Not to be started before.
    #[serde(rename = "not_before_ms", default)]
    pub not_before: Option<Timestamp>,
    /// Jobs of one repository and group share a branch, so one of them runs at a time.
    #[serde(default)]
    pub group: Option<Label>,
    /// Sorted, without repetition. Limits can be set on them.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// What a worker must offer, besides the backend. Sorted, without repetition.
    #[serde(default)]
    pub requires: Vec<Label>,
    /// Only the data directory with this identity can run it: its source is a path of that machine.
    #[serde(default)]
    pub place: Option<Label>,
}

impl Queueing {
    /// Sorts what has no order, so that the same wishes are equal.
    #[must_use]
    pub fn tidy(mut self) -> Self {
        for list in [&mut self.labels, &mut self.requires] {
            list.sort();
            list.dedup();
        }
        self
    }
}

/// When a job that waits for another may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRule {
    /// When the other was published; if it ends in another way, the waiting job ends too.
    Done,
    /// When the other has ended, in whatever way.
    Ended,
}

impl AfterRule {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_priority_goes_first_and_waiting_makes_up_for_it() {
        let rank = |priority, ready| Priority::new(priority).unwrap().rank(Timestamp(ready));
        let step = i64::try_from(PRIORITY_STEP.as_millis()).unwrap();
        assert!(rank(1, 0) < rank(0, 0));
        assert!(rank(0, 0) < rank(1, step + 1));
        assert_eq!(rank(-100, 0), rank(100, 200 * step));
    }

    #[test]
    fn priorities_have_bounds() {
        assert!(Priority::new(100).is_ok() && Priority::new(-100).is_ok());
        assert!(Priority::new(101).is_err() && Priority::new(-101).is_err());
        assert!(serde_json::from_str::<Priority>("1000").is_err());
    }

    #[test]
    fn labels_are_plain_words() {
        assert!(Label::parse("gpu-2.x_y").is_ok());
        for bad in ["", "a b", "a:b", "ü", &"x".repeat(65)] {
            assert!(Label::parse(bad).is_err(), "{bad:?}");
        }
    }
}
