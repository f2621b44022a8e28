//! The one integration-test binary: the real `overnight` program, real git, real processes.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests start programs, read their own environment, say what they skip, and fail by panicking; clippy knows \
              only the functions marked as tests for tests"
)]

mod acp;
mod adapter;
mod api;
mod backlog;
mod bad_input;
mod budget;
mod cascade;
mod claude;
mod control;
mod crash;
mod db;
mod failover;
mod faults;
mod follow_up;
mod gate;
mod gc;
mod harness;
mod hostile;
mod ideas;
mod lines;
mod mcp;
mod pull_request;
mod queue;
mod quota;
mod repositories;
mod run;
mod settings;
mod story;
mod strange_cli;
mod talk;
mod vendors;
mod watch;
mod worker;
