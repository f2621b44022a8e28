//! The one integration-test binary: the real `overnight` program, real git, real processes.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program under test and git, and read their own environment"
)]

mod bad_input;
mod budget;
mod claude;
mod control;
mod crash;
mod harness;
mod hostile;
mod pull_request;
mod repositories;
mod run;
