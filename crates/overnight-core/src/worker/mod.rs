//! A worker as others see it: whether it is well ([`Health`]), what it does and did ([`WorkerReport`]), and how long its
//! claims take ([`Histogram`]).
//!
//! A worker runs for weeks without anybody looking. So its health is decided here, as a pure function of what happened
//! to it, and tested without waiting; whoever runs the worker reports events and obeys the answers.

mod health;
#[cfg(test)]
mod health_tests;
mod histogram;
mod report;
mod vocabulary;

pub use health::Health;
pub use histogram::{Bucket, Histogram};
pub use report::{BusyJob, Credential, CredentialStatus, LastJob, Verdict, VerdictReason, WorkerReport};
pub use vocabulary::{ClosedReason, HealthEvent, HealthPolicy, Intake, JobOutcome, WorkerStatus};
