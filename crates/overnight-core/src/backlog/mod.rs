//! The backlog: what people want, before and beside the jobs that do it.
//!
//! An epic groups stories, a story groups tasks; a sprint is an ordered choice of tasks, an idea a rough wish. All of them are
//! [`Item`]s with a key from their repository's one counter, which jobs are numbered by too. How far an item has come is never
//! stored: [`states`](fn@states) derives it from jobs, pull requests and what people said.

pub mod idea;
mod item;
mod order;
pub mod plan;
mod prompt;
mod said;
mod settings;
mod state;
#[cfg(test)]
mod state_tests;
mod words;

pub use item::{EpicBody, IdeaBody, InvalidItem, Item, ItemBody, ItemKind, SprintBody, StoryBody, TaskBody};
pub use order::{Circle, by_family, in_order};
pub use prompt::{Context, prompt};
pub use said::{BadField, merged};
pub use settings::{PullStrategy, RepositorySettings, TaskSettings};
pub use state::{
    Count, EpicState, Facts, ItemState, Mark, MarkFact, PullState, Run, RunEnd, SprintState, StoryState,
    TaskState, states, still_open,
};
pub use words::{
    ACCEPTANCE_MAX, InvalidText, LINE_MAX, PLAN_MAX, TEXT_MAX, TITLE_MAX, acceptance, line, text, title,
};
