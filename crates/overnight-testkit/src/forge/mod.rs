//! A stateful fake forge on loopback: real bare git repositories behind GitHub's, Gitea's or GitLab's REST shape and git's
//! own HTTP transport.
//!
//! Owns the listening socket, a temporary directory with the repositories, the pull requests, the scripted faults and
//! the log of requests. GitHub's and Forgejo's shapes, and every request that our client sends to them, are checked by tests against
//! their published descriptions. GitLab's are from its documentation; no machine compares them.

mod api;
mod arrange;
mod cgi;
pub mod contract;
mod fault;
mod gitea;
mod github;
mod log;
mod more;
mod people;
mod repository;
mod route;
pub mod schema;
mod server;
mod shapes;
mod state;
mod wire;

pub use fault::{Fault, On};
pub use log::LoggedRequest;
pub use people::{FakeCheck, FakeComment, FakeFit, FakeIssue, FakeOpinion, FakeResult, FakeReview};
pub use server::{FakeForge, Flavour};
pub use state::{FakePullRequest, FakeToken, PullState};

#[cfg(test)]
mod tests;
