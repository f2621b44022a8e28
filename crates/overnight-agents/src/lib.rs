//! Agent backends as sans-IO drivers: request to command, bytes to events.
//!
//! A turn is planned with [`plan`], run by somebody else, fed line by line to a [`Driver`] and concluded with
//! [`Driver::finish`]. Nothing here starts a process, opens a file, reads a clock or the environment: whoever needs the
//! runner's environment passes it in [`HostFacts`].

#![forbid(unsafe_code)]

pub mod acp;
mod adapter;
mod asking;
mod backend;
mod catalogue;
mod claude;
mod codex;
mod command;
mod common;
mod driver;
mod ending;
pub mod environment;
mod gemini;
mod json;
mod login;
mod opencode;
mod qwen;
pub mod rehearsal;
mod status;
#[cfg(test)]
mod stuck_tests;
mod summary;
#[cfg(test)]
mod testing;
mod time;
mod tools;
mod turn;

pub use backend::{GivenFile, HostFacts, PlanError, check, given_files, plan};
pub use catalogue::{
    KnownGood, LoginPlace, Version, capabilities, capabilities_at_end, capabilities_of, efforts, efforts_of,
    how_to_install, keeps_cost_itself, known_good, login_hint, login_places, usual_programs,
};
pub use driver::{Driver, DriverOutput, Salvage, driver, replay, salvage};
pub use login::{key_variable, login_expiry, session_travels};
