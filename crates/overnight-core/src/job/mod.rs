//! A job: what was asked ([`JobSpec`]), where it is ([`JobState`]), how it moves ([`transition`]), and what is told of it ([`JobEvent`]).

mod approval;
mod cascading;
mod choice;
mod end;
mod event;
mod evidence;
mod failover;
mod input;
pub mod line;
mod log;
mod publishing;
mod queued;
mod queueing;
mod spec;
mod spend;
mod state;
mod step;
mod talking;
mod task;
#[cfg(test)]
pub(crate) mod tests_support;
mod transition;
mod turns;

pub use approval::{Approval, StatusReport};
pub use choice::{Backup, Choice, Configured, JobKind, Origin};
pub use end::{End, EndReason, ExitCode, ParkReason, Published, PullRequestRef};
pub use event::{JobEvent, Notice};
pub use evidence::{AwaitedApproval, CheckEvidence, Evidence};
pub use input::{Asking, Input, Order, StageOutput, Trouble};
pub use line::{BranchLine, LineKind, OnLine};
pub use log::{InvalidPlace, LogPart, LogPlace};
pub use queueing::{AfterRule, Label, PRIORITY_STEP, Priority, Queueing};
pub use spec::{Base, Follows, JobLimits, JobSpec, Publication, VerifyRequest};
pub use spend::{BillingMode, OpenedSession, SpendChange};
pub use state::{FailedCheck, Feedback, Ground, JobState, Stage, Trail, Turn, Who};
pub use step::{EffectChange, EffectName, Step};
pub use talking::{NotTold, can_be_told};
pub use task::TaskOrder;
pub use transition::{IllegalTransition, transition};

use serde::{Deserialize, Serialize};

use crate::id::{Fence, JobId, RepositoryId, TaskKey, WorkerId};
use crate::units::Timestamp;

/// A job as the store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub key: TaskKey,
    pub repository: RepositoryId,
    /// Name of the repository, for people.
    pub repository_name: String,
    pub spec: JobSpec,
    pub state: JobState,
    pub fence: Fence,
    /// Who may act for it now.
    pub holder: Option<Holder>,
    pub cancel: Option<CancelledBy>,
    pub queueing: Queueing,
    /// How often a worker died with it or lost it.
    pub lost: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The worker that holds a job's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub worker: WorkerId,
    pub lease_until: Timestamp,
}

/// Who asked for a cancel. Written as `command`, `interrupt` or `cascade:app-12`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum CancelledBy {
    /// `overnight cancel`, from anywhere.
    Command,
    /// Ctrl-C at the terminal that runs the job.
    Interrupt,
    /// The job of another task of its epic failed.
    Cascade { failed: TaskKey },
}

const BY_CASCADE: &str = "cascade:";

impl std::fmt::Display for CancelledBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command => f.write_str("command"),
            Self::Interrupt => f.write_str("interrupt"),
            Self::Cascade { failed } => write!(f, "{BY_CASCADE}{failed}"),
        }
    }
}

impl From<CancelledBy> for String {
    fn from(by: CancelledBy) -> Self {
        by.to_string()
    }
}

impl TryFrom<String> for CancelledBy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match (text.as_str(), text.strip_prefix(BY_CASCADE).map(TaskKey::parse)) {
            ("command", _) => Ok(Self::Command),
            ("interrupt", _) => Ok(Self::Interrupt),
            (_, Some(Ok(failed))) => Ok(Self::Cascade { failed }),
            (_, _) => Err(format!("{text:?} is not a way to cancel")),
        }
    }
}

impl Job {
    /// The settings of the agent that works on it, or will next.
    #[must_use]
    pub fn agent(&self) -> &crate::agent::AgentSettings {
        self.spec.agent_of(self.state.trail().map(|trail| trail.who).unwrap_or_default())
    }
}

impl From<CancelledBy> for EndReason {
    fn from(by: CancelledBy) -> Self {
        match by {
            CancelledBy::Command | CancelledBy::Cascade { .. } => Self::Cancelled,
            CancelledBy::Interrupt => Self::Interrupted,
        }
    }
}
