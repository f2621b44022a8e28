//! The spine: takes a claimed job through its stages.
//!
//! Owns the running of stages, the heartbeat and the recovery of what a dead runner left. Decides nothing itself: every
//! move of a job is [`overnight_core::job::transition`], and every write goes through `overnight-store` under a lease.

#![forbid(unsafe_code)]

pub mod dirs;
pub mod progress;
