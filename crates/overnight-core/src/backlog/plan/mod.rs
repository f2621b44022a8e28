//! A plan document: an epic with its stories and tasks as YAML, alone or before Markdown. Read and written by rule, so that
//! the same text always makes the same backlog.

pub(super) mod read;
#[cfg(test)]
mod tests;
pub(super) mod tree;
mod write;

pub use read::{read, read_from_agent};
pub use write::write;

use super::item::{EpicBody, StoryBody, TaskBody};

/// Bytes of a document: a thousand tasks with a page each.
pub const DOCUMENT_MAX: usize = 4 << 20;
/// Stories of a plan, and tasks of all of them together: more is not planned by anybody at once.
pub const STORIES_MAX: usize = 200;
pub const TASKS_MAX: usize = 5_000;

/// An epic that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub title: String,
    pub epic: EpicBody,
    pub stories: Vec<PlannedStory>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStory {
    pub title: String,
    pub story: StoryBody,
    pub tasks: Vec<PlannedTask>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTask {
    pub title: String,
    pub task: TaskBody,
    /// The tasks that have to be done first, by their place among all tasks of the plan, from 0; sorted.
    pub after: Vec<usize>,
}

impl Plan {
    /// All tasks, in order.
    pub fn tasks(&self) -> impl Iterator<Item = &PlannedTask> {
        self.stories.iter().flat_map(|story| &story.tasks)
    }
}

/// Why a document is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PlanError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub what: String,
    /// What to do about it.
    pub help: String,
}
