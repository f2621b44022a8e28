//! Everything that can go wrong between us and a forge, and what to do about it.
//!
//! Owns no state. Must not contain a URL's credentials, a token or a header. What a forge says is cut, cleaned and
//! redacted before it gets in here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::units::Timestamp;

/// What we were doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Connect,
    FindPullRequests,
    CreatePullRequest,
    GetPullRequest,
    GetRepository,
    GetAccount,
    /// Make a token of a GitHub App.
    MakeToken,
    UpdatePullRequest,
    ReadComments,
    Comment,
    ChangeLabels,
    ReadChecks,
    ReadReviews,
    Merge,
    CompareBranches,
    DeleteBranch,
    FindIssues,
    GetIssue,
    CloseIssue,
    GetPermission,
}

/// An operation on a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub operation: Operation,
    /// `owner/repo`.
    pub repository: Arc<str>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.operation {
            Operation::Connect => "connect to the forge of",
            Operation::FindPullRequests => "look up the pull requests of",
            Operation::CreatePullRequest => "open a pull request in",
            Operation::GetPullRequest => "read a pull request of",
            Operation::GetRepository => "read the settings of",
            Operation::GetAccount => "read whose token is used for",
            Operation::MakeToken => "make the App's token for",
            Operation::UpdatePullRequest => "change a pull request of",
            Operation::ReadComments => "read the comments of",
            Operation::Comment => "comment in",
            Operation::ChangeLabels => "change labels in",
            Operation::ReadChecks => "read the checks of",
            Operation::ReadReviews => "read the reviews of",
            Operation::Merge => "merge a pull request of",
            Operation::CompareBranches => "compare branches of",
            Operation::DeleteBranch => "delete a branch of",
            Operation::FindIssues => "look up the issues of",
            Operation::GetIssue => "read an issue of",
            Operation::CloseIssue => "close an issue of",
            Operation::GetPermission => "read what somebody may do in",
        };
        write!(f, "{what} {}", self.repository)
    }
}

/// Why a forge counts as unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It answered with this status, 500 to 599 or 408.
    Status(u16),
    Timeout,
    /// No connection: name, network or TLS.
    NoConnection,
    /// The connection ended before a whole answer had come.
    CutOff,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answered with status {status}"),
            Self::Timeout => f.write_str("it did not answer in time"),
            Self::NoConnection => f.write_str("no connection could be made"),
            Self::CutOff => f.write_str("the connection ended before its answer was complete"),
        }
    }
}

/// Completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("{call}: the forge does not accept the token: {message}")]
    Auth { call: Call, message: String },
    #[error("{call}: the token is not allowed to: {message}")]
    Permission { call: Call, message: String },
    #[error("{call}: not found: {message}")]
    NotFound { call: Call, message: String },
    /// `retry_after` from the answer, `reset` by the forge's clock; both unknown when the forge says neither.
    #[error("{call}: the forge limits our requests: {message}")]
    RateLimited { call: Call, retry_after: Option<Duration>, reset: Option<Timestamp>, message: String },
    #[error("{call}: it is there already, or changed meanwhile: {message}")]
    Conflict { call: Call, message: String },
    #[error("{call}: the forge refuses the request: {message}")]
    Validation { call: Call, message: String },
    /// 405 or 406: the forge understands, and does not do it in this state of things.
    #[error("{call}: the forge does not do it now: {message}")]
    Refused { call: Call, message: String },
    /// Nothing was sent: our part of the forge's limit is used up. `until` is by the forge's clock.
    #[error("{call}: our part of the forge's limit is used up; there is more in {} s", wait.as_secs())]
    BudgetExhausted { call: Call, wait: Duration, until: Option<Timestamp> },
    #[error("{call}: the forge is unavailable: {why}")]
    Unavailable {
        call: Call,
        why: Outage,
        #[source]
        source: Option<reqwest::Error>,
    },
    /// Not followed: the token would have gone to `to`.
    #[error("{call}: the forge points to {to} instead")]
    Redirected { call: Call, to: String },
    #[error("{call}: the answer is not what this forge is known to send: {problem}")]
    Unexpected { call: Call, problem: String },
    /// Nothing was sent.
    #[error("{call}: {problem}")]
    Unusable {
        call: Call,
        problem: &'static str,
        #[source]
        source: Option<reqwest::Error>,
    },
}

/// A [`ForgeError`] without its details: what a policy decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    Auth,
    Permission,
    NotFound,
    RateLimited,
    Conflict,
    Validation,
    Refused,
    BudgetExhausted,
    Unavailable,
    Redirected,
    Unexpected,
    Unusable,
}

impl ForgeError {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Auth { .. } => ErrorClass::Auth,
            Self::Permission { .. } => ErrorClass::Permission,
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::RateLimited { .. } => ErrorClass::RateLimited,
            Self::Conflict { .. } => ErrorClass::Conflict,
            Self::Validation { .. } => ErrorClass::Validation,
            Self::Refused { .. } => ErrorClass::Refused,
            Self::BudgetExhausted { .. } => ErrorClass::BudgetExhausted,
            Self::Unavailable { .. } => ErrorClass::Unavailable,
            Self::Redirected { .. } => ErrorClass::Redirected,
            Self::Unexpected { .. } => ErrorClass::Unexpected,
            Self::Unusable { .. } => ErrorClass::Unusable,
        }
    }

    /// One or two sentences: what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.class().hint()
    }

    /// Whether the forge may have done what was asked although we got an error. Only a lookup can tell.
    pub(crate) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Unavailable { .. } | Self::Unexpected { .. } => true,
            Self::Auth { .. }
            | Self::Permission { .. }
            | Self::NotFound { .. }
            | Self::RateLimited { .. }
            | Self::Validation { .. }
            | Self::Refused { .. }
            | Self::BudgetExhausted { .. }
            | Self::Redirected { .. }
            | Self::Unusable { .. } => false,
        }
    }
}

impl ErrorClass {
    /// One or two sentences: what a person can do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Auth => {
                "The token is wrong, expired or revoked. Make a new one and set it where this forge's token is configured."
            }
            Self::Permission => {
                "Give the token write access to this repository's contents and pull requests. An archived repository takes no pull request from anybody."
            }
            Self::NotFound => {
                "Check owner and repository name. Forges also say \"not found\" when the token must not see a private repository."
            }
            Self::RateLimited => {
                "Wait until the forge's limit is reset; a token of its own for Overnight has a limit of its own."
            }
            Self::Conflict => {
                "Look at the open pull requests of this branch; the forge says that there is one, but does not show it."
            }
            Self::Validation => {
                "Read the forge's message: the branch may be gone, equal to its target, or forbidden by a rule of the repository."
            }
            Self::Refused => {
                "Read the forge's message: a rule of the repository, a missing check or review, or a setting stands against it."
            }
            Self::BudgetExhausted => {
                "It goes on by itself when the forge's limit is reset. A token of its own for Overnight has a limit of its own, and the share that may be used is a setting."
            }
            Self::Unavailable => {
                "Check the network and the forge's status page. Nothing is lost: the same request can be repeated safely."
            }
            Self::Redirected => {
                "The repository was moved, or the address is not the API's. Set the new address; a token is never sent to a host that was not configured."
            }
            Self::Unexpected => {
                "Check that the API address belongs to the configured kind of forge, and that no proxy or login page answers instead."
            }
            Self::Unusable => "Check the API address and the token's text in the configuration.",
        }
    }
}
