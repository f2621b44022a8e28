//! The backlog's rows: items, what they wait for, sprints, the jobs of tasks, what people said, pull requests. How far an item
//! has come is no row: `overnight_core::backlog::states` derives it from what is read here.

mod add;
mod change;
mod error;
mod find;
mod import;
mod link;
mod mark;
mod pull;
mod read;
mod remove;
mod repositories;
mod rows;

pub use add::NewItem;
pub use change::ItemChange;
pub use error::BacklogError;
pub(crate) use find::item_of_key;
pub use import::Imported;
pub(crate) use link::{Links, keep_ends};
pub use pull::PullRequest;
pub(crate) use pull::{opened, write_opened};
pub use read::Backlog;
pub use repositories::SettledRepository;
