//! One client per forge behind one enum, and the text that a pull request consists of.
//!
//! Owns no state but a connection pool, the token or key that the caller handed in, and answers the forge lets us keep. Must not read the environment, files or
//! a clock of its own, must not log, print or store the token, and must never make a second pull request for a job.

#![forbid(unsafe_code)]

mod address;
mod app;
pub mod body;
mod cache;
mod checks;
mod client;
mod draft;
mod error;
mod gitea;
mod github;
mod gitlab;
mod http;
mod http_date;
mod landing;
mod merge;
mod meter;
mod paging;
mod publish;
mod request;
mod retry;
mod said;
mod secret;
mod sweep;
mod talk;
#[cfg(test)]
mod tests;
mod time;
pub mod webhook;
mod wire;

pub use address::{ForgeAddress, ForgeKind, InvalidAddress, KnownForge, KnownForges, detect};
pub use app::AppKey;
pub use checks::{Checks, FailedCheck};
pub use client::Forge;
pub use error::{Call, ErrorClass, ForgeError, Operation, Outage};
pub use gitea::Gitea;
pub use github::GitHub;
pub use gitlab::GitLab;
pub use merge::{MergeAnswer, MergeMethod, MergeOrder, Mergeability};
pub use meter::{CallBudget, Usage};
pub use overnight_core::secret::Secret;
pub use request::{
    Account, NewPullRequest, PullRequest, PullRequestChange, PullRequestState, RepositoryInfo,
};
pub use retry::Settings;
pub use secret::TokenSource;
pub use sweep::{BranchRemoval, BranchSight, WhyKept};
pub use talk::{
    CommentInfo, Cursor, Issue, IssuePage, LabelChange, MAX_COMMENT, NewComment, Opinion, Remark, Reviews,
    Standing, Thread,
};
