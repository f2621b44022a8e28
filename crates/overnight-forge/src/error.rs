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
    ChangePullRequest,
    GetPullRequest,
    GetRepository,
    GetAccount,
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
            Operation::ChangePullRequest => "change a pull request of",
            Operation::GetPullRequest => "read a pull request of",
            Operation::GetRepository => "read the settings of",
            Operation::GetAccount => "read whose token is used for",
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
