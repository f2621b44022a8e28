//! One client per forge behind one enum, and the text that a pull request consists of.
//!
//! Owns no state but a connection pool and the token that the caller handed in. Must not read the environment, files or
//! a clock of its own, must not log, print or store the token, and must never make a second pull request for a job.

#![forbid(unsafe_code)]

mod address;
pub mod body;
mod client;
mod edit;
mod error;
mod gitea;
mod github;
mod http;
mod http_date;
mod publish;
mod request;
mod retry;
mod secret;
#[cfg(test)]
mod tests;
mod wire;

pub use address::{ForgeAddress, ForgeKind, InvalidAddress, KnownForge, KnownForges, detect};
pub use client::Forge;
pub use edit::PullRequestText;
pub use error::{Call, ErrorClass, ForgeError, Operation, Outage};
pub use gitea::Gitea;
pub use github::GitHub;
pub use overnight_core::secret::Secret;
pub use request::{Account, NewPullRequest, PullRequest, PullRequestState, RepositoryInfo};
pub use retry::Settings;
pub use secret::TokenSource;
