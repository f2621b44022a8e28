//! From what everybody says about a job to the settings it gets. Strongest first:
//!
//! ```text
//! task → job → repository → kind → agent → everything → built-in
//! ```
//!
//! Each of these is a [`Layer`]; a layer that says nothing about a setting leaves it to the next one. Vendors' words (model,
//! effort, permission mode, tools) hold only for the vendor, or the described agent, that their layer speaks of: the agent that it names, or that the
//! weaker layers give where it names none.
//!
//! The same resolver works twice: when a job is ordered, and again when the first worker claims it. The second time what the
//! task or the job asked for stays, the worker's configuration goes before what the orderer resolved, the agent stays, and no
//! limit is loosened ([`Sources::ordered`]).

mod built_in;
mod layer;
mod limits;
mod resolve;
#[cfg(test)]
mod tests;

pub use built_in::BACKUP_PATIENCE;
pub use layer::{BackupLayer, Layer, Layers, LimitLayer, Say, Thinking, name};
pub use resolve::{Known, Resolved, Sources, resolve};
