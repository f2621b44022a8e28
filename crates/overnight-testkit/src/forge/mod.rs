//! A stateful fake forge on loopback: real bare git repositories behind GitHub's or Gitea's REST shape and git's own
//! HTTP transport.
//!
//! Owns the listening socket, a temporary directory with the repositories, the pull requests, the scripted faults and
//! the log of requests. GitHub's shapes are checked by a test against GitHub's published description. Gitea's are from
//! its documentation and the type list that the package `gitea-js` generates from it; no machine compares them.

mod api;
mod cgi;
mod edit;
mod fault;
mod gitea;
mod github;
mod log;
mod repository;
pub mod schema;
mod server;
mod state;
mod wire;

pub use fault::{Fault, On};
pub use log::LoggedRequest;
pub use server::{FakeForge, Flavour};
pub use state::{FakePullRequest, FakeToken, PullState};

#[cfg(test)]
mod tests;
