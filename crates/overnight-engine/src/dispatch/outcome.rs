//! What the end of a job's work says of the worker, and how it is told. Pure.

use overnight_core::job::{Job, JobState, ParkReason};
use overnight_core::worker::JobOutcome;

use crate::error::WorkError;
use crate::trouble::chain;

use super::Told;

/// What is concluded from the end of a job's work.
#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) health: Option<JobOutcome>,
    /// A code of the public lists.
    pub(super) reason: String,
    pub(super) ended: bool,
    pub(super) told: Told,
}

pub(super) fn conclude(job: &Job, error: Option<&WorkError>) -> Conclusion {
    match error {
        None => of_state(job),
        Some(error) => {
            let why = chain(error);
            let health = match error {
                WorkError::Store(_) | WorkError::Illegal(_) => {
                    Some(JobOutcome::Trouble { detail: why.clone() })
                }
                // Ours to let go of, or somebody else's by now: neither says that this worker is ill.
                WorkError::LeaseLost
                | WorkError::Forced
                | WorkError::Held { .. }
                | WorkError::Blocked(_)
                | WorkError::Elsewhere { .. }
                | WorkError::Full { .. }
                | WorkError::Ended(_) => None,
            };
            let told = Told::Failed { job: job.id.clone(), key: job.key.clone(), why };
            Conclusion { health, reason: "let_go".to_owned(), ended: false, told }
        }
    }
}

fn of_state(job: &Job) -> Conclusion {
    let (id, key) = (job.id.clone(), job.key.clone());
    match &job.state {
        JobState::Parked { reason, detail, wake, .. } => Conclusion {
            health: Some(parked(job, *reason, detail)),
            reason: reason.code().to_owned(),
            ended: false,
            told: Told::Waits { job: id, key, reason: *reason, wake: *wake },
        },
        JobState::Ended { end, .. } => Conclusion {
            health: Some(JobOutcome::Done),
            reason: end.reason.code().to_owned(),
            ended: true,
            told: Told::Ended { job: id, key, reason: end.reason, detail: end.detail.clone() },
        },
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. } => {
            let why = format!("its work stopped while it was {}", job.state.name());
            Conclusion {
                health: Some(JobOutcome::Trouble { detail: why.clone() }),
                reason: "let_go".to_owned(),
                ended: false,
                told: Told::Failed { job: id, key, why },
            }
        }
    }
}

fn parked(job: &Job, reason: ParkReason, detail: &str) -> JobOutcome {
    let detail = detail.to_owned();
    match reason {
        ParkReason::AgentLogin => JobOutcome::LoginExpired { backend: job.agent().backend, detail },
        ParkReason::DiskFull => JobOutcome::Trouble { detail },
        // A remote that is out of reach is one repository's trouble: the others' jobs go on.
        ParkReason::Unavailable
        | ParkReason::RateLimited
        | ParkReason::Overloaded
        | ParkReason::ForgeLogin
        | ParkReason::DailyBudget
        | ParkReason::Velocity
        | ParkReason::Dependency
        | ParkReason::Approval
        | ParkReason::Answer
        | ParkReason::Ci
        | ParkReason::Review => JobOutcome::Waits,
    }
}
