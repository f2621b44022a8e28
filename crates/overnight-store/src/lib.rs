//! Every SQL statement, row decoding and migration: what Overnight remembers, and who may change it.
//!
//! The store keeps repositories, jobs, their events and outside effects, and the workers that may hold a job. It decides
//! nothing about a job's way: it asks the core's transition function when a job is claimed, and otherwise writes the
//! [`Step`](overnight_core::job::Step) it is given, in one transaction, for whoever holds the job's [`Lease`].
//!
//! Times come from the database's clock. A mutation is not undone when its future is dropped: it then happened, or it did
//! not, and the caller does not know. Await it to its end.

#![forbid(unsafe_code)]

mod apply;
mod claim;
mod dialect;
mod enqueue;
mod error;
mod find;
mod lease;
mod migrate;
mod open;
mod record;
mod repository;
mod row;
mod store;
#[cfg(test)]
mod tests;
mod worker;

pub use apply::Applied;
pub use claim::{Claim, Claimed};
pub use enqueue::NewJob;
pub use error::{CorruptRow, ErrorClass, OpenError, StoreError};
pub use find::{FindError, JobFilter, Jobs};
pub use lease::{CancelRequest, Lease, Renewal};
pub use migrate::SCHEMA_VERSION;
pub use record::{EffectRecord, EffectStatus, EventRecord};
pub use repository::{NewRepository, Repository};
pub use store::Store;
pub use worker::WorkerRow;
