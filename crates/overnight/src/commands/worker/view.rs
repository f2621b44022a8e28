//! A worker as the store knows it, in its public JSON shape.

use std::time::Duration;

use overnight_core::id::WorkerId;
use overnight_core::job::Label;
use overnight_core::units::Timestamp;
use overnight_core::worker::{Intake, Verdict, WorkerReport, WorkerStatus};
use overnight_store::{Store, WorkerSeen};
use serde::Serialize;

use crate::app::store_error;
use crate::error::AppError;
use crate::worker;

/// A worker that was not heard of for this long is silent: several of its heartbeats are missing.
const SILENT: Duration = Duration::from_secs(60);
/// As of `/health`: older than this, a heartbeat means that somebody should look.
const STALE: Duration = Duration::from_secs(300);

/// Whether a worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    There,
    /// Not heard of; its jobs are taken back when their leases run out.
    Silent,
    /// Its process has ended without a word.
    Gone,
}

/// One worker. The field names are public.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerView {
    pub id: WorkerId,
    pub host: String,
    /// The identity of its data directory.
    pub place: Label,
    pub version: String,
    pub pid: u32,
    pub started_at_ms: Timestamp,
    pub last_seen_ms: Timestamp,
    pub presence: Presence,
    /// It was told to take no more jobs.
    pub drain: bool,
    /// Jobs that it holds.
    pub held: u64,
    /// Its status; `foreground`: a command that works on one job at a terminal; `silent` and `gone`.
    pub status: &'static str,
    /// The verdict of `/health`; `None` for what has none: a foreground command, or a worker that is gone.
    pub health: Option<Verdict>,
    /// What it last said of itself, as in `/health`.
    pub report: Option<WorkerReport>,
}

impl WorkerView {
    /// `now`: the database's clock. `gone`: its process is known to have ended.
    #[must_use]
    pub fn of(seen: WorkerSeen, now: Timestamp, gone: bool) -> Self {
        // A report of another version may be unreadable here; a foreground command makes none.
        let report: Option<WorkerReport> =
            seen.report.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let presence = match now.since(seen.last_seen) {
            _ if gone => Presence::Gone,
            age if age > SILENT => Presence::Silent,
            _ => Presence::There,
        };
        let health = report.as_ref().filter(|_| presence != Presence::Gone).map(|report| {
            // The store's own note of its last heartbeat is newer than the report that came with it.
            let age = now.since(seen.last_seen);
            report.verdict(report.heartbeat_at.plus(age), STALE)
        });
        let status = match (presence, &report) {
            (Presence::Gone, _) => "gone",
            (Presence::Silent, _) => "silent",
            (Presence::There, Some(report)) => status_now(report, seen.held).code(),
            (Presence::There, None) => "foreground",
        };
        Self {
            id: seen.worker.id,
            host: seen.worker.host,
            place: seen.worker.place,
            version: seen.worker.version,
            pid: seen.worker.pid,
            started_at_ms: seen.started_at,
            last_seen_ms: seen.last_seen,
            presence,
            drain: seen.drain,
            held: seen.held,
            status,
            health,
            report,
        }
    }

    /// It is there and claims jobs now.
    #[must_use]
    pub fn takes_jobs(&self) -> bool {
        let open = |report: &WorkerReport| report.slots > 0 && matches!(report.intake, Intake::Open { .. });
        self.presence == Presence::There && !self.drain && self.report.as_ref().is_some_and(open)
    }

    /// It takes jobs back from lost workers, whether it takes any itself or not.
    #[must_use]
    pub fn looks_after_the_queue(&self) -> bool {
        self.presence == Presence::There && self.report.is_some()
    }

    /// It claims jobs, or will again without anybody's help.
    #[must_use]
    pub fn will_take_jobs(&self) -> bool {
        let waits = |report: &WorkerReport| report.slots > 0 && report.status == WorkerStatus::Backoff;
        let there = self.presence == Presence::There && !self.drain;
        self.takes_jobs() || there && self.report.as_ref().is_some_and(waits)
    }

    /// Nobody needs to know of it any more.
    #[must_use]
    pub fn is_history(&self) -> bool {
        self.presence != Presence::There && self.held == 0
    }
}

/// What it holds is known at once, and what it says of itself is as old as its last heartbeat.
fn status_now(report: &WorkerReport, held: u64) -> WorkerStatus {
    match (report.status, held) {
        (WorkerStatus::Running | WorkerStatus::Idle, 0) => WorkerStatus::Idle,
        (WorkerStatus::Running | WorkerStatus::Idle, 1..) => WorkerStatus::Running,
        (
            status @ (WorkerStatus::Backoff
            | WorkerStatus::Unhealthy
            | WorkerStatus::LoginExpired
            | WorkerStatus::Draining),
            _,
        ) => status,
    }
}

/// All workers, oldest first, and the database's clock.
///
/// # Errors
/// When the store fails.
pub async fn all(store: &Store) -> Result<(Vec<WorkerView>, Timestamp), AppError> {
    let dead = worker::dead(store).await?;
    let seen = store.workers().await.map_err(|error| store_error(&error))?;
    let now = store.now().await.map_err(|error| store_error(&error))?;
    let view = |seen: WorkerSeen| {
        let gone = dead.contains(&seen.worker.id);
        WorkerView::of(seen, now, gone)
    };
    Ok((seen.into_iter().map(view).collect(), now))
}

#[cfg(test)]
pub(crate) mod tests {
    use overnight_core::worker::{Histogram, VerdictReason};
    use overnight_store::WorkerRow;

    use super::*;

    pub(crate) fn seen(id: &str, report: Option<WorkerReport>) -> WorkerSeen {
        WorkerSeen {
            worker: WorkerRow {
                id: WorkerId::parse(id).unwrap(),
                host: "night".to_owned(),
                boot_id: "boot".to_owned(),
                pid: 7,
                start_ticks: 1,
                version: "0.1.0".to_owned(),
                place: Label::parse("here").unwrap(),
            },
            started_at: Timestamp(0),
            last_seen: Timestamp(1_000_000),
            report: report.map(|report| serde_json::to_string(&report).unwrap()),
            drain: false,
            held: 0,
        }
    }

    pub(crate) fn report(status: WorkerStatus) -> WorkerReport {
        WorkerReport {
            worker: WorkerId::parse("night:1").unwrap(),
            version: "0.1.0".to_owned(),
            host: "night".to_owned(),
            pid: 7,
            started_at: Timestamp(0),
            heartbeat_at: Timestamp(990_000),
            status,
            advice: None,
            slots: 2,
            busy: Vec::new(),
            last_job: None,
            consecutive_failures: 0,
            backoff_until: None,
            credentials: Vec::new(),
            intake: Intake::Open { not_backends: Vec::new() },
            claim_latency: Histogram::default(),
            claims_total: 0,
            jobs_done_total: 0,
        }
    }

    #[test]
    fn a_worker_is_there_silent_or_gone() {
        let idle = || seen("night:1", Some(report(WorkerStatus::Idle)));
        let there = WorkerView::of(idle(), Timestamp(1_010_000), false);
        assert_eq!((there.presence, there.status, there.will_take_jobs()), (Presence::There, "idle", true));
        assert!(there.health.unwrap().healthy);
        let busy = WorkerSeen { held: 1, ..idle() };
        assert_eq!(WorkerView::of(busy, Timestamp(1_010_000), false).status, "running");
        let silent = WorkerView::of(idle(), Timestamp(1_100_000), false);
        assert_eq!((silent.status, silent.will_take_jobs(), silent.is_history()), ("silent", false, true));
        assert!(silent.health.unwrap().healthy);
        let stale = WorkerView::of(idle(), Timestamp(1_400_000), false).health.unwrap();
        assert_eq!((stale.healthy, stale.reason), (false, VerdictReason::HeartbeatStale));
        let gone = WorkerView::of(idle(), Timestamp(1_010_000), true);
        assert_eq!((gone.status, gone.health), ("gone", None));
        let drained = WorkerView::of(WorkerSeen { drain: true, ..idle() }, Timestamp(1_010_000), false);
        assert!(!drained.will_take_jobs());
    }

    #[test]
    fn a_command_at_a_terminal_makes_no_report() {
        let one = WorkerSeen { report: Some("null".to_owned()), ..seen("night:2", None) };
        let view = WorkerView::of(one, Timestamp(1_000_000), false);
        assert_eq!((view.status, view.health, view.will_take_jobs()), ("foreground", None, false));
    }
}
