//! How jobs end or pause: the public reason codes and the process exit codes that follow from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::LimitKind;
use crate::git::{BranchName, CommitId};

/// Exit codes of the command line. A public contract: see `overnight help exit-codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitCode {
    Done = 0,
    Unexpected = 1,
    Usage = 2,
    Cancelled = 3,
    Login = 4,
    Verification = 5,
    Agent = 6,
    Budget = 7,
    Pending = 8,
    Store = 9,
    Interrupted = 130,
}

impl ExitCode {
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Cancelled,
        Self::Login,
        Self::Verification,
        Self::Agent,
        Self::Budget,
        Self::Pending,
        Self::Store,
        Self::Interrupted,
    ];

    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unexpected => "unexpected error",
            Self::Usage => "wrong usage or configuration",
            Self::Cancelled => "cancelled or declined",
            Self::Login => "a login or a permission is missing",
            Self::Verification => "verification failed",
            Self::Agent => "the agent failed or needs input",
            Self::Budget => "a budget or a quota stopped it",
            Self::Pending => "still pending: it can be resumed",
            Self::Store => "the store cannot be reached, or is newer than this binary",
            Self::Interrupted => "interrupted from the terminal",
        }
    }
}

/// Why a job ended. The codes are public: they stand in JSON, events and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The branch is there, and the pull request if one was asked for.
    Published,
    /// The document that was asked for is there.
    Delivered,
    Cancelled,
    Interrupted,
    ConfigInvalid,
    RepositoryUnusable,
    /// No check was given, configured or found, and none was waived.
    NoChecks,
    AgentMissing,
    VerificationFailed,
    ChecksCouldNotRun,
    AgentFailed,
    NoChanges,
    /// The base has it already, or the task asked for no change.
    AlreadyDone,
    /// The change may not go out as it is: a secret, a forbidden file, or not what the plan says.
    GateRefused,
    /// What the agent wrote is not the document that was asked for.
    DocumentRefused,
    /// A person did not want it.
    Rejected,
    AgentRefused,
    NeedsInput,
    AgentTimedOut,
    BudgetCost,
    BudgetTokens,
    BudgetTurns,
    BudgetTime,
    BudgetSessions,
    /// The branch or pull request on the other side was changed, closed or merged by somebody else.
    BranchConflict,
    /// Worker after worker died with it or was lost.
    WorkerLost,
    /// A job that it waited for was not published.
    DependencyFailed,
    InternalError,
}

impl EndReason {
    pub const ALL: [Self; 28] = [
        Self::Published,
        Self::Delivered,
        Self::Cancelled,
        Self::Interrupted,
        Self::ConfigInvalid,
        Self::RepositoryUnusable,
        Self::NoChecks,
        Self::AgentMissing,
        Self::VerificationFailed,
        Self::ChecksCouldNotRun,
        Self::AgentFailed,
        Self::NoChanges,
        Self::AlreadyDone,
        Self::GateRefused,
        Self::DocumentRefused,
        Self::Rejected,
        Self::AgentRefused,
        Self::NeedsInput,
        Self::AgentTimedOut,
        Self::BudgetCost,
        Self::BudgetTokens,
        Self::BudgetTurns,
        Self::BudgetTime,
        Self::BudgetSessions,
        Self::BranchConflict,
        Self::WorkerLost,
        Self::DependencyFailed,
        Self::InternalError,
    ];

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::ConfigInvalid => "config_invalid",
            Self::RepositoryUnusable => "repository_unusable",
            Self::NoChecks => "no_checks",
            Self::AgentMissing => "agent_missing",
            Self::VerificationFailed => "verification_failed",
            Self::ChecksCouldNotRun => "checks_could_not_run",
            Self::AgentFailed => "agent_failed",
            Self::NoChanges => "no_changes",
            Self::AlreadyDone => "already_done",
            Self::GateRefused => "gate_refused",
            Self::DocumentRefused => "document_refused",
            Self::Rejected => "rejected",
            Self::AgentRefused => "agent_refused",
            Self::NeedsInput => "needs_input",
            Self::AgentTimedOut => "agent_timed_out",
            Self::BudgetCost => "budget_cost",
            Self::BudgetTokens => "budget_tokens",
            Self::BudgetTurns => "budget_turns",
            Self::BudgetTime => "budget_time",
            Self::BudgetSessions => "budget_sessions",
            Self::BranchConflict => "branch_conflict",
            Self::WorkerLost => "worker_lost",
            Self::DependencyFailed => "dependency_failed",
            Self::InternalError => "internal_error",
        }
    }

    /// Whether what was asked for is there, so that what waits for it can go on.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Published | Self::Delivered | Self::AlreadyDone)
    }

    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Published | Self::Delivered | Self::AlreadyDone => ExitCode::Done,
            Self::Cancelled | Self::Rejected | Self::DependencyFailed => ExitCode::Cancelled,
            Self::Interrupted => ExitCode::Interrupted,
            Self::ConfigInvalid | Self::RepositoryUnusable | Self::NoChecks | Self::AgentMissing => {
                ExitCode::Usage
            }
            Self::VerificationFailed
            | Self::ChecksCouldNotRun
            | Self::GateRefused
            | Self::DocumentRefused => ExitCode::Verification,
            Self::AgentFailed
            | Self::NoChanges
            | Self::AgentRefused
            | Self::NeedsInput
            | Self::AgentTimedOut => ExitCode::Agent,
            Self::BudgetCost
            | Self::BudgetTokens
            | Self::BudgetTurns
            | Self::BudgetTime
            | Self::BudgetSessions => ExitCode::Budget,
            Self::BranchConflict | Self::WorkerLost | Self::InternalError => ExitCode::Unexpected,
        }
    }
}

impl From<LimitKind> for EndReason {
    fn from(limit: LimitKind) -> Self {
        match limit {
            LimitKind::Cost => Self::BudgetCost,
            LimitKind::Tokens => Self::BudgetTokens,
            LimitKind::Turns => Self::BudgetTurns,
            LimitKind::Time => Self::BudgetTime,
            LimitKind::Sessions => Self::BudgetSessions,
        }
    }
}

/// Why a job waits. None of these is the job's fault, and none of them uses up an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    RateLimited,
    Overloaded,
    /// The agent CLI's login is missing or has expired.
    AgentLogin,
    /// The forge or the remote refused our credential.
    ForgeLogin,
    /// A remote, a forge or a lock was out of reach.
    Unavailable,
    DiskFull,
    /// A budget of the day is used up.
    DailyBudget,
    /// Too much was spent on its repository since the last job of it was published.
    Velocity,
    /// Another job has to end first.
    Dependency,
    /// A person has to agree.
    Approval,
    /// A person has to answer.
    Answer,
    /// The forge's checks on what was published are still running.
    Ci,
    /// A person's review of what was published is awaited.
    Review,
}

impl ParkReason {
    pub const ALL: [Self; 13] = [
        Self::RateLimited,
        Self::Overloaded,
        Self::AgentLogin,
        Self::ForgeLogin,
        Self::Unavailable,
        Self::DiskFull,
        Self::DailyBudget,
        Self::Velocity,
        Self::Dependency,
        Self::Approval,
        Self::Answer,
        Self::Ci,
        Self::Review,
    ];

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::AgentLogin => "agent_login",
            Self::ForgeLogin => "forge_login",
            Self::Unavailable => "unavailable",
            Self::DiskFull => "disk_full",
            Self::DailyBudget => "daily_budget",
            Self::Velocity => "velocity",
            Self::Dependency => "dependency",
            Self::Approval => "approval",
            Self::Answer => "answer",
            Self::Ci => "ci",
            Self::Review => "review",
        }
    }

    /// Whether waiting is enough, or a person has to do something.
    #[must_use]
    pub fn clears_by_itself(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Unavailable
            | Self::DailyBudget
            | Self::Dependency
            | Self::Ci => true,
            Self::AgentLogin
            | Self::ForgeLogin
            | Self::DiskFull
            | Self::Velocity
            | Self::Approval
            | Self::Answer
            | Self::Review => false,
        }
    }

    /// After how long a job that waits without a time of its own is tried again; `None`: only when it is woken. Trying costs
    /// nothing: what it waited for is looked at before anything is started.
    #[must_use]
    pub fn tried_again_after(self) -> Option<Duration> {
        match self {
            Self::Unavailable => Some(Duration::from_secs(2 * 60)),
            Self::DiskFull => Some(Duration::from_secs(5 * 60)),
            // A person has to do something, and may not say so.
            Self::ForgeLogin => Some(Duration::from_secs(15 * 60)),
            // The vendor's own answer, or a canary of the worker, says when.
            Self::RateLimited | Self::Overloaded | Self::AgentLogin => None,
            // The next day is named when it is parked; a person says when the other is over.
            Self::DailyBudget | Self::Velocity => None,
            Self::Dependency | Self::Approval | Self::Answer | Self::Ci | Self::Review => None,
        }
    }

    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::RateLimited | Self::Overloaded | Self::DailyBudget | Self::Velocity => ExitCode::Budget,
            Self::AgentLogin | Self::ForgeLogin => ExitCode::Login,
            Self::Unavailable
            | Self::DiskFull
            | Self::Dependency
            | Self::Approval
            | Self::Answer
            | Self::Ci
            | Self::Review => ExitCode::Pending,
        }
    }
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub reason: EndReason,
    /// One or two sentences for people: what happened and what to do.
    pub detail: String,
    /// The last commit that was brought home, published or not.
    pub tip: Option<CommitId>,
    pub published: Option<Published>,
}

/// What reached the outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub branch: BranchName,
    pub commit: CommitId,
    pub pull_request: Option<PullRequestRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequestRef {
    pub number: u64,
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_codes_are_those_of_the_json() {
        for reason in EndReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
        for reason in ParkReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }

    #[test]
    fn exit_codes_are_the_published_numbers() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
    }
}
