//! Agent backends as sans-IO drivers: request to command, bytes to events.
//!
//! A turn is planned with [`plan`], run by somebody else, fed line by line to a [`Driver`] and concluded with
//! [`Driver::finish`]. Nothing here starts a process, opens a file, reads a clock or the environment: whoever needs the
//! runner's environment passes it in [`HostFacts`].

#![forbid(unsafe_code)]

mod backend;
mod claude;
mod command;
mod driver;
mod ending;
pub mod environment;
pub mod rehearsal;
#[cfg(test)]
mod testing;

pub use backend::{HostFacts, PlanError, capabilities, check, login_hint, plan, usual_programs};
pub use driver::{Driver, DriverOutput, Salvage, driver, replay, salvage};
