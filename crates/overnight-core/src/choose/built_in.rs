//! What holds for a kind of job where nobody says anything. Vendor-neutral: no model, and no mode that waits for approval.

use std::time::Duration;

use crate::job::JobKind;

use super::layer::Thinking;

/// How long a backup waits for the first agent to come back.
pub const BACKUP_PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// How hard the model of such a job should think; `None`: as its vendor likes. Questions need more than judging, plans most.
pub(super) fn thinking(kind: JobKind) -> Option<Thinking> {
    match kind {
        JobKind::Grill => Some(Thinking::Budget(12_000)),
        JobKind::Plan => Some(Thinking::Budget(24_000)),
        JobKind::Review => Some(Thinking::Budget(6_000)),
        JobKind::Implement | JobKind::Sprint | JobKind::Formula => None,
    }
}

/// Answers of the model after which such a job has gone astray; `None`: it takes as many as it takes. Room for some reading
/// before the questions, the plan or the judgement.
pub(super) fn turns(kind: JobKind) -> Option<u32> {
    match kind {
        JobKind::Grill => Some(15),
        JobKind::Plan => Some(20),
        JobKind::Review => Some(10),
        JobKind::Implement | JobKind::Sprint | JobKind::Formula => None,
    }
}
