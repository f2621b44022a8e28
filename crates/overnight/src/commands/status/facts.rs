//! What `overnight status` knows: the queue, the workers, and what somebody should do. The same facts as `/health` and
//! `/metrics`, over all workers.

use overnight_core::id::{TaskKey, WorkerId};
use overnight_core::job::{EndReason, ExitCode, Job, JobState, ParkReason, Stage};
use overnight_core::policy::circuit::{Cause, CircuitState};
use overnight_core::queue::QueueStats;
use overnight_core::talk::Question;
use overnight_core::units::Timestamp;
use overnight_store::{JobFilter, QuestionFilter, Store};
use serde::Serialize;

use crate::app::store_error;
use crate::commands::questions::talk_error;
use crate::commands::worker::view::{self, WorkerView};
use crate::error::AppError;
use crate::render::words;

/// Jobs of one kind that are shown.
const SHOWN: usize = 10;
/// Ended jobs that are looked through for failures.
const LOOKED_AT: u32 = 50;

/// Everything that is shown. The field names are public.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Facts {
    pub(super) healthy: bool,
    /// What somebody should look at; empty when healthy.
    pub(super) problems: Vec<String>,
    pub(super) queue: QueueStats,
    pub(super) running: Vec<RunningJob>,
    pub(super) waiting: Vec<WaitingJob>,
    /// The latest jobs that were not published, newest first.
    pub(super) failures: Vec<FailedJob>,
    pub(super) workers: Vec<WorkerView>,
    /// What agents ask, newest first.
    pub(super) questions: Vec<AskedLine>,
    /// Our pull requests that wait for a person.
    pub(super) pull_requests: Vec<NeededPull>,
    /// Vendors' accounts that are not asked.
    pub(super) circuits: Vec<OpenCircuit>,
    #[serde(rename = "at_ms")]
    pub(super) at: Timestamp,
}

/// A job under a lease.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RunningJob {
    pub(super) key: TaskKey,
    pub(super) title: String,
    pub(super) stage: Option<Stage>,
    pub(super) worker: WorkerId,
    #[serde(rename = "lease_until_ms")]
    pub(super) lease_until: Timestamp,
}

/// A parked job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct WaitingJob {
    pub(super) key: TaskKey,
    pub(super) title: String,
    pub(super) reason: ParkReason,
    pub(super) clears_by_itself: bool,
    /// The command that a person has to give, where there is exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    #[serde(rename = "wake_ms")]
    pub(super) wake: Option<Timestamp>,
}

/// A question that is open.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AskedLine {
    pub(super) name: String,
    pub(super) text: String,
    /// Answers it.
    pub(super) answer_with: String,
    #[serde(rename = "expires_at_ms")]
    pub(super) expires_at: Timestamp,
}

/// A pull request about which nothing more is done by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct NeededPull {
    pub(super) url: String,
    pub(super) why: String,
}

/// A vendor's account that no worker asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OpenCircuit {
    /// `claude`, or `claude/work` where it has a name.
    pub(super) account: String,
    pub(super) cause: Cause,
    /// The vendor's words.
    pub(super) detail: String,
    #[serde(rename = "since_ms")]
    pub(super) since: Timestamp,
    /// When one job tries again.
    #[serde(rename = "until_ms")]
    pub(super) until: Timestamp,
    /// The vendor named that time.
    pub(super) reported: bool,
    /// One job is trying now.
    pub(super) trying: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct FailedJob {
    pub(super) key: TaskKey,
    pub(super) title: String,
    pub(super) reason: EndReason,
    /// The next step for a person.
    pub(super) next: String,
}

impl Facts {
    /// Nothing was ever queued, and nobody works.
    #[must_use]
    pub(super) fn nothing() -> Self {
        Self {
            healthy: true,
            problems: Vec::new(),
            queue: QueueStats::default(),
            running: Vec::new(),
            waiting: Vec::new(),
            failures: Vec::new(),
            workers: Vec::new(),
            questions: Vec::new(),
            pull_requests: Vec::new(),
            circuits: Vec::new(),
            at: Timestamp(0),
        }
    }

    /// # Errors
    /// When the store fails.
    pub(super) async fn of(store: &Store) -> Result<Self, AppError> {
        let queue = store.queue_stats().await.map_err(|error| store_error(&error))?;
        let (mut workers, at) = view::all(store).await?;
        workers.retain(|worker| !worker.is_history());
        let problems = problems(&queue, &workers);
        Ok(Self {
            healthy: problems.is_empty(),
            problems,
            running: running(store).await?,
            waiting: waiting(store).await?,
            failures: failures(store).await?,
            questions: questions(store).await?,
            pull_requests: pull_requests(store).await?,
            circuits: circuits(store).await?,
            queue,
            workers,
            at,
        })
    }
}

/// A page shows a few jobs, however many there are; the counts tell the rest.
async fn jobs(store: &Store, states: &[&str], ended: bool, limit: u32) -> Result<Vec<Job>, AppError> {
    let states = states.iter().map(|state| (*state).to_owned()).collect();
    let filter = JobFilter { states, ended: Some(ended), limit: Some(limit), ..JobFilter::default() };
    Ok(store.jobs(&filter).await.map_err(|error| store_error(&error))?.jobs)
}

async fn running(store: &Store) -> Result<Vec<RunningJob>, AppError> {
    let states = ["preparing", "working", "collecting", "verifying", "publishing", "cleaning", "cascading"];
    let jobs = jobs(store, &states, false, 4 * LOOKED_AT).await?;
    let held = jobs.into_iter().filter_map(|job| {
        let holder = job.holder?;
        Some(RunningJob {
            key: job.key,
            title: job.spec.title,
            stage: job.state.stage(),
            worker: holder.worker,
            lease_until: holder.lease_until,
        })
    });
    Ok(held.collect())
}

async fn waiting(store: &Store) -> Result<Vec<WaitingJob>, AppError> {
    let jobs = jobs(store, &["parked"], false, LOOKED_AT).await?;
    let parked = jobs.into_iter().filter_map(|job| match &job.state {
        JobState::Parked { reason, wake, .. } => Some(WaitingJob {
            next: words::approval(&job),
            key: job.key.clone(),
            title: job.spec.title.clone(),
            reason: *reason,
            clears_by_itself: reason.clears_by_itself(),
            wake: *wake,
        }),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => None,
    });
    let mut waiting: Vec<WaitingJob> = parked.collect();
    // Those that a person has to act on first.
    waiting.sort_by_key(|job| job.clears_by_itself);
    Ok(waiting)
}

async fn questions(store: &Store) -> Result<Vec<AskedLine>, AppError> {
    let filter = QuestionFilter { limit: Some(LOOKED_AT), ..QuestionFilter::default() };
    let open = store.questions(&filter).await.map_err(|error| talk_error(&error))?;
    let line = |question: Question| AskedLine {
        name: question.name(),
        answer_with: question.how_to_answer(),
        expires_at: question.expires_at,
        text: question.text,
    };
    Ok(open.into_iter().map(line).collect())
}

async fn pull_requests(store: &Store) -> Result<Vec<NeededPull>, AppError> {
    let found = store.watches_for_people().await.map_err(|error| store_error(&error))?;
    let needed = found.into_iter().filter_map(|one| {
        let why = one.memory.person?.why;
        Some(NeededPull { url: one.url, why })
    });
    Ok(needed.collect())
}

async fn circuits(store: &Store) -> Result<Vec<OpenCircuit>, AppError> {
    let circuits = store.circuits().await.map_err(|error| store_error(&error))?;
    let open = circuits.into_iter().filter_map(|(account, circuit)| {
        let open = circuit.open()?.clone();
        Some(OpenCircuit {
            account: account.to_string(),
            cause: open.cause,
            detail: open.detail,
            since: open.since,
            until: open.until,
            reported: open.reported,
            trying: matches!(circuit.state, CircuitState::Trying { .. }),
        })
    });
    Ok(open.collect())
}

async fn failures(store: &Store) -> Result<Vec<FailedJob>, AppError> {
    let jobs = jobs(store, &[], true, LOOKED_AT).await?;
    let failed = jobs.into_iter().filter_map(|job| {
        let reason = job.state.end()?.reason;
        let counts =
            !matches!(reason.exit_code(), ExitCode::Done | ExitCode::Cancelled | ExitCode::Interrupted);
        let next = words::after_end(reason, job.key.as_str());
        counts.then_some(FailedJob { key: job.key, title: job.spec.title, reason, next })
    });
    Ok(failed.take(SHOWN).collect())
}

/// What makes a queue need somebody.
fn problems(queue: &QueueStats, workers: &[WorkerView]) -> Vec<String> {
    let mut problems = Vec::new();
    for worker in workers {
        let Some(verdict) = worker.health.filter(|verdict| !verdict.healthy) else { continue };
        let advice = worker.report.as_ref().and_then(|report| report.advice.clone());
        let advice = advice.unwrap_or_else(|| "it was not heard of for more than five minutes".to_owned());
        problems.push(format!("worker {} is {}: {advice}", worker.id, verdict.reason.code()));
    }
    if queue.ready > 0 && !workers.iter().any(WorkerView::will_take_jobs) {
        let jobs = words::plural(queue.ready, "job");
        problems.push(format!("{jobs} could run and no worker takes them: overnight work"));
    }
    if queue.leases_expired > 0 && !workers.iter().any(WorkerView::looks_after_the_queue) {
        let jobs = words::plural(queue.leases_expired, "job");
        problems.push(format!("{jobs} of lost workers wait to be taken back: overnight work"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use overnight_core::worker::WorkerStatus;

    use super::*;
    use crate::commands::worker::view::tests::{report, seen};

    fn worker(status: WorkerStatus) -> WorkerView {
        WorkerView::of(seen("night:1", Some(report(status))), Timestamp(1_000_000), false)
    }

    #[test]
    fn ready_jobs_that_nobody_takes_are_a_problem() {
        let ready = QueueStats { ready: 2, ..QueueStats::default() };
        assert_eq!(problems(&ready, &[]).len(), 1);
        assert!(problems(&ready, &[worker(WorkerStatus::Idle)]).is_empty());
        assert!(problems(&ready, &[worker(WorkerStatus::Backoff)]).is_empty());
        let mut slotless = report(WorkerStatus::Idle);
        slotless.slots = 0;
        let slotless = WorkerView::of(seen("night:1", Some(slotless)), Timestamp(1_000_000), false);
        assert_eq!(problems(&ready, std::slice::from_ref(&slotless)).len(), 1);
        assert!(problems(&QueueStats::default(), &[]).is_empty());
        let lost = QueueStats { leases_expired: 1, ..QueueStats::default() };
        assert_eq!(problems(&lost, &[]).len(), 1);
        assert!(problems(&lost, &[slotless]).is_empty());
    }

    #[test]
    fn a_worker_that_needs_somebody_is_a_problem_with_its_advice() {
        let mut ill = report(WorkerStatus::LoginExpired);
        ill.advice = Some("log in".to_owned());
        let ill = WorkerView::of(seen("night:1", Some(ill)), Timestamp(1_000_000), false);
        let found = problems(&QueueStats::default(), &[worker(WorkerStatus::Running), ill]);
        assert_eq!(found, ["worker night:1 is login-expired: log in"]);
    }
}
