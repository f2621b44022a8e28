//! Vocabulary and decisions of Overnight: ids, job states, the one transition function, policies,
//! events, and what a command or an agent turn is.
//!
//! Everything here is a pure function of its arguments. No IO, no clock, no environment, no async runtime:
//! whoever needs the time passes `now`.

#![forbid(unsafe_code)]

pub mod access;
pub mod agent;
pub mod backlog;
pub mod choose;
pub mod command;
pub mod desk;
pub mod detect;
pub mod failure;
pub mod follow;
pub mod git;
pub mod handover;
pub mod id;
pub mod job;
pub mod policy;
pub mod price;
pub mod prompt;
pub mod queue;
pub mod redact;
pub mod secret;
pub mod talk;
pub mod text;
pub mod units;
pub mod verdict;
pub mod watch;
pub mod worker;

/// Name and version of every JSON document that people and programs are given. Public.
pub const SCHEMA: &str = "overnight/v1";
