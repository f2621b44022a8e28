//! The queue in numbers: what metrics and `overnight status` show.

use serde::{Deserialize, Serialize};

/// Counts over all jobs and workers of a store, read in one go. The field names are public.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStats {
    /// Unfinished jobs by the name of their state.
    pub by_state: Vec<(String, u64)>,
    /// Parked jobs by the code of their reason.
    pub parked: Vec<(String, u64)>,
    /// Jobs that a worker could claim now.
    pub ready: u64,
    /// Jobs whose time has not come.
    pub waiting: u64,
    /// Jobs that wait for other jobs.
    pub blocked: u64,
    /// Jobs under a lease that has not run out.
    pub held: u64,
    /// Jobs whose holder's lease has run out and that nobody has taken back yet.
    pub leases_expired: u64,
    /// How long the oldest ready job could have been claimed; `None` when no job is ready.
    pub oldest_ready_ms: Option<u64>,
    pub ended: Vec<EndedStats>,
    /// Workers with a recent heartbeat.
    pub workers: u64,
}

/// The jobs that ended for one reason, and what they used. Jobs that were deleted since are included: these never fall.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedStats {
    /// Code of the [`EndReason`](crate::job::EndReason).
    pub reason: String,
    pub jobs: u64,
    /// Paid tries.
    pub attempts: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Known costs; a lower bound where `cost_unknown_jobs` is above zero.
    pub cost_micro_usd: i64,
    /// Jobs of which some cost is not known.
    pub cost_unknown_jobs: u64,
}
