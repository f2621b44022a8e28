//! The backlog's rows: items, what they wait for, sprints, the jobs of tasks, what people said, pull requests. How far an item
//! has come is no row: `overnight_core::backlog::states` derives it from what is read here.

mod add;
mod change;
mod documents;
mod error;
mod export;
mod find;
mod idea;
mod import;
mod link;
mod mark;
mod pull;
mod read;
mod remove;
mod repositories;
mod rows;
mod view;

pub use add::{Added, NewItem, NewLinks};
pub use change::ItemChange;
pub use documents::Document;
pub(crate) use documents::write_documents;
pub use error::BacklogError;
pub use export::ExportedPlan;
pub(crate) use find::item_of_key;
pub use idea::GoingOn;
pub use import::Imported;
pub(crate) use link::{Links, keep_ends};
pub use pull::PullRequest;
pub(crate) use pull::{opened, write_opened};
pub use read::Backlog;
pub use repositories::SettledRepository;
pub use view::{ItemView, ItemViews, PlanView, RepositoryView, RunView, ShownItem};
