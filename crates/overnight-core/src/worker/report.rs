//! What a worker says of itself: the public JSON of `/health` and of `overnight status`, and the verdict over it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::BackendId;
use crate::id::{TaskKey, WorkerId};
use crate::job::Stage;
use crate::units::Timestamp;

use super::histogram::Histogram;
use super::vocabulary::{Intake, WorkerStatus};

/// A worker at one moment. Its field names are public.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerReport {
    pub worker: WorkerId,
    /// Of Overnight.
    pub version: String,
    pub host: String,
    pub pid: u32,
    #[serde(rename = "started_at_ms")]
    pub started_at: Timestamp,
    /// When the worker last told the store that it lives. Goes on during a job, however long that takes.
    #[serde(rename = "heartbeat_at_ms")]
    pub heartbeat_at: Timestamp,
    pub status: WorkerStatus,
    /// What a person should do; `None` when nothing is needed.
    pub advice: Option<String>,
    /// How many jobs it works on at most at once.
    pub slots: u32,
    /// The jobs it works on now.
    pub busy: Vec<BusyJob>,
    pub last_job: Option<LastJob>,
    pub consecutive_failures: u32,
    #[serde(rename = "backoff_until_ms")]
    pub backoff_until: Option<Timestamp>,
    pub credentials: Vec<Credential>,
    pub intake: Intake,
    /// From the moment at which a job could have been claimed to its claim.
    pub claim_latency: Histogram,
    /// Claims since the start.
    pub claims_total: u64,
    /// Jobs that ended here since the start, for whatever reason.
    pub jobs_done_total: u64,
}

/// A job that a worker holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusyJob {
    pub key: TaskKey,
    pub stage: Stage,
    /// When it was claimed.
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
}

/// The job that a worker let go of last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastJob {
    pub key: TaskKey,
    /// Why it ended or waits, from the public lists.
    pub reason: String,
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}

/// What is known of the login of one backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub backend: BackendId,
    pub status: CredentialStatus,
    /// `None`: never heard of it.
    #[serde(rename = "since_ms")]
    pub since: Option<Timestamp>,
    /// What the agent CLI said.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialStatus {
    Ok,
    Expired,
    /// No turn has shown it yet.
    Unknown,
}

impl CredentialStatus {
    pub const ALL: [Self; 3] = [Self::Ok, Self::Expired, Self::Unknown];

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether somebody has to look at a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub healthy: bool,
    pub reason: VerdictReason,
}

/// The status that decided, or that the worker has not been heard of for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictReason {
    HeartbeatStale,
    #[serde(untagged)]
    Status(WorkerStatus),
}

impl VerdictReason {
    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::HeartbeatStale => "heartbeat-stale",
            Self::Status(status) => status.code(),
        }
    }
}

impl WorkerReport {
    /// A worker is healthy when it lives and helps itself. Backoff and draining count as healthy: they end without
    /// anybody, and a supervisor that restarts a worker for them only makes them longer. Unhealthy and login-expired do not:
    /// somebody should look. What counts is the age of the heartbeat, never the length of a job.
    #[must_use]
    pub fn verdict(&self, now: Timestamp, stale_after: Duration) -> Verdict {
        if now.since(self.heartbeat_at) > stale_after {
            return Verdict { healthy: false, reason: VerdictReason::HeartbeatStale };
        }
        let healthy = match self.status {
            WorkerStatus::Running | WorkerStatus::Idle | WorkerStatus::Backoff | WorkerStatus::Draining => {
                true
            }
            WorkerStatus::Unhealthy | WorkerStatus::LoginExpired => false,
        };
        Verdict { healthy, reason: VerdictReason::Status(self.status) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: WorkerStatus) -> WorkerReport {
        let since = Timestamp(2_000);
        WorkerReport {
            worker: WorkerId::parse("host-1").unwrap(),
            version: "0.1.0".to_owned(),
            host: "host".to_owned(),
            pid: 7,
            started_at: Timestamp(1_000),
            heartbeat_at: Timestamp(1_000_000),
            status,
            advice: None,
            slots: 2,
            busy: vec![BusyJob { key: TaskKey::parse("app-1").unwrap(), stage: Stage::Agent, since }],
            last_job: None,
            consecutive_failures: 0,
            backoff_until: None,
            credentials: vec![Credential {
                backend: BackendId::Claude,
                status: CredentialStatus::Unknown,
                since: None,
                detail: None,
            }],
            intake: Intake::Open { not_backends: Vec::new() },
            claim_latency: Histogram::default(),
            claims_total: 1,
            jobs_done_total: 0,
        }
    }

    const STALE: Duration = Duration::from_secs(300);

    #[test]
    fn only_what_needs_somebody_is_not_healthy() {
        for status in WorkerStatus::ALL {
            let wanted = !matches!(status, WorkerStatus::Unhealthy | WorkerStatus::LoginExpired);
            let verdict = report(status).verdict(Timestamp(1_010_000), STALE);
            assert_eq!(verdict, Verdict { healthy: wanted, reason: VerdictReason::Status(status) });
            assert_eq!(serde_json::to_value(status).unwrap(), status.code());
            assert_eq!(serde_json::to_value(verdict.reason).unwrap(), verdict.reason.code());
            assert_eq!(
                serde_json::from_value::<Verdict>(serde_json::to_value(verdict).unwrap()).unwrap(),
                verdict
            );
        }
    }

    #[test]
    fn the_age_of_the_heartbeat_counts_and_not_that_of_the_job() {
        let report = report(WorkerStatus::Running);
        // The job began at 2 s, sixteen minutes before.
        assert!(report.verdict(Timestamp(1_000_000), STALE).healthy);
        assert!(report.verdict(Timestamp(1_300_000), STALE).healthy);
        let stale = report.verdict(Timestamp(1_300_001), STALE);
        assert_eq!(stale, Verdict { healthy: false, reason: VerdictReason::HeartbeatStale });
        assert_eq!(serde_json::to_value(stale.reason).unwrap(), "heartbeat-stale");
    }

    #[test]
    fn times_in_json_say_their_unit() {
        let json = serde_json::to_value(report(WorkerStatus::Running)).unwrap();
        assert_eq!(json["heartbeat_at_ms"], 1_000_000);
        assert_eq!(json["busy"][0]["since_ms"], 2_000);
        assert_eq!(json["intake"], serde_json::json!({ "state": "open", "not_backends": [] }));
        let back: WorkerReport = serde_json::from_value(json).unwrap();
        assert_eq!(back, report(WorkerStatus::Running));
    }
}
