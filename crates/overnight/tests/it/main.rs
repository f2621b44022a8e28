//! The one integration-test binary: the real `overnight` program, real git, real processes.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program under test and git, and read their own environment"
)]

mod budget;
mod claude;
mod crash;
mod harness;
mod pull_request;
mod run;
mod bad_input;
mod control;
mod hostile;
mod repositories;
