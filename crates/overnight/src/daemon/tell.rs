//! What a worker tells: a line for people, or one NDJSON object for programs.

use std::net::SocketAddr;
use std::time::Duration;

use overnight_core::agent::BackendId;
use overnight_core::id::{JobId, TaskKey, WorkerId};
use overnight_core::job::{EndReason, Label, ParkReason};
use overnight_core::text::{for_terminal, human_duration, one_line};
use overnight_core::units::Timestamp;
use overnight_core::worker::{WorkerReport, WorkerStatus};
use overnight_engine::dispatch::Told;
use overnight_store::Offer;
use serde::Serialize;

use crate::output::{BOLD, Out, SCHEMA, WARN, styled};
use crate::render::stage::Mark;
use crate::render::words;

/// Characters of a detail in a line.
const DETAIL: usize = 300;

/// Something that happened to a worker. The field names are public.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(super) enum WorkerEvent {
    Started {
        worker: WorkerId,
        slots: usize,
        backends: Vec<BackendId>,
        labels: Vec<Label>,
    },
    Listening {
        address: SocketAddr,
    },
    /// The database is out of reach, and the worker has not begun. `retry_ms`: it tries again after so many milliseconds.
    DatabaseAway {
        database: String,
        why: String,
        retry_ms: u64,
    },
    Claimed {
        job: JobId,
        key: TaskKey,
        title: String,
    },
    Ended {
        job: JobId,
        key: TaskKey,
        reason: EndReason,
        detail: String,
    },
    Waits {
        job: JobId,
        key: TaskKey,
        reason: ParkReason,
        clears_by_itself: bool,
        wake_ms: Option<Timestamp>,
    },
    /// It was let go of where it was.
    Failed {
        job: JobId,
        key: TaskKey,
        why: String,
    },
    /// The job of a lost worker was taken back; `ended`: it had been lost too often.
    Reclaimed {
        key: TaskKey,
        worker: WorkerId,
        times: u32,
        ended: bool,
    },
    /// A job that this version cannot read was set aside.
    Unreadable {
        what: String,
    },
    Status {
        from: WorkerStatus,
        to: WorkerStatus,
        why: Option<String>,
    },
    Draining {
        running: usize,
    },
    /// The drain was taken back.
    CalledBack,
    /// The configuration was read again.
    Reloaded {
        at_once: Vec<String>,
        at_next_start: Vec<String>,
    },
    ReloadFailed {
        why: String,
    },
    Stopped {
        jobs: u64,
        forced: bool,
    },
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: &'static str,
    kind: &'static str,
    at_ms: Timestamp,
    event: &'a WorkerEvent,
}

impl WorkerEvent {
    /// The number of slots comes with the start itself.
    pub(super) fn started(worker: &WorkerId, offer: &Offer) -> Self {
        let Offer { backends, labels, installed: _ } = offer.clone();
        Self::Started { worker: worker.clone(), slots: 0, backends, labels }
    }

    pub(super) fn with_slots(&mut self, number: usize) {
        if let Self::Started { slots, .. } = self {
            *slots = number;
        }
    }

    /// What the work itself tells. Its start is told by whoever started it, who knows more.
    pub(super) fn of(told: &Told) -> Vec<Self> {
        match told {
            Told::Started { .. } => Vec::new(),
            Told::Claimed { job, key, title } => {
                vec![Self::Claimed { job: job.clone(), key: key.clone(), title: title.clone() }]
            }
            Told::Ended { job, key, reason, detail } => {
                let (job, key) = (job.clone(), key.clone());
                vec![Self::Ended { job, key, reason: *reason, detail: detail.clone() }]
            }
            Told::Waits { job, key, reason, wake } => {
                let (job, key, clears_by_itself) = (job.clone(), key.clone(), reason.clears_by_itself());
                vec![Self::Waits { job, key, reason: *reason, clears_by_itself, wake_ms: *wake }]
            }
            Told::Failed { job, key, why } => {
                vec![Self::Failed { job: job.clone(), key: key.clone(), why: why.clone() }]
            }
            Told::Reclaimed(all) => {
                let one = all.iter().cloned();
                one.map(|one| Self::Reclaimed {
                    key: one.key,
                    worker: one.worker,
                    times: one.times,
                    ended: one.ended,
                })
                .collect()
            }
            Told::Unreadable(all) => all.iter().map(|what| Self::Unreadable { what: what.clone() }).collect(),
            Told::Status { from, to, why } => {
                vec![Self::Status { from: *from, to: *to, why: why.clone() }]
            }
            Told::CalledBack => vec![Self::CalledBack],
            Told::Draining { running } => vec![Self::Draining { running: *running }],
        }
    }

    /// A line for people; `None`: nothing that they need.
    fn line(&self) -> Option<String> {
        let with = |mark: Mark, key: &TaskKey, text: &str| {
            format!("{} {} {text}", mark.show(), styled(BOLD, key.as_str()))
        };
        Some(match self {
            Self::Started { worker, slots, backends, labels } => started(worker, *slots, backends, labels),
            Self::Listening { address } => {
                format!("answers at http://{address}/health and http://{address}/metrics")
            }
            Self::DatabaseAway { database, why, retry_ms } => format!(
                "{} the database {database} does not answer: {}; trying again in {}, SIGTERM ends it",
                Mark::Wait.show(),
                one_line(why, DETAIL),
                human_duration(Duration::from_millis(*retry_ms)),
            ),
            Self::Claimed { key, title, .. } => with(Mark::Fact, key, &one_line(title, DETAIL)),
            Self::Ended { key, reason: EndReason::Published, .. } => {
                with(Mark::Good, key, words::end(EndReason::Published))
            }
            Self::Ended { key, reason, detail, .. } => {
                let next = words::after_end(*reason, key.as_str());
                let text = format!("{}: {}; {next}", words::end(*reason), one_line(detail, DETAIL));
                with(Mark::Bad, key, &text)
            }
            Self::Waits { key, reason, wake_ms, .. } => {
                let until = wake_ms.map(|at| format!(", until {}", words::moment(at))).unwrap_or_default();
                with(Mark::Wait, key, &format!("waits: {}{until}", words::park(*reason)))
            }
            Self::Failed { key, why, .. } => {
                with(Mark::Note, key, &format!("was let go of where it was: {}", one_line(why, DETAIL)))
            }
            Self::Reclaimed { key, worker, times, ended: false } => {
                with(Mark::Again, key, &format!("goes on: its worker {worker} was lost (time {times})"))
            }
            Self::Reclaimed { key, worker, times, ended: true } => with(
                Mark::Bad,
                key,
                &format!("ended: it was lost {times} times, the last time with {worker}"),
            ),
            Self::Unreadable { what } => {
                format!(
                    "{} set aside, this version cannot read it: {}",
                    Mark::Note.show(),
                    one_line(what, DETAIL)
                )
            }
            // Said already, with what still runs, or that it takes jobs again.
            Self::Status { to: WorkerStatus::Draining, .. }
            | Self::Status {
                from: WorkerStatus::Draining,
                to: WorkerStatus::Running | WorkerStatus::Idle,
                ..
            } => return None,
            Self::Status { to, why, .. } => status(*to, why.as_deref()),
            Self::CalledBack => "takes jobs again: the drain was taken back".to_owned(),
            Self::Draining { running: 0 } => "takes no more jobs".to_owned(),
            Self::Draining { running } => {
                format!("takes no more jobs; {} still to end", words::plural(*running as u64, "job"))
            }
            Self::Reloaded { at_once, at_next_start } => reloaded(at_once, at_next_start),
            Self::ReloadFailed { why } => {
                format!(
                    "{} the configuration cannot be used, the old one stays\n{}",
                    Mark::Bad.show(),
                    why.trim_end()
                )
            }
            Self::Stopped { jobs, forced } => {
                let how = if *forced { "; what still ran was let go of and can go on anywhere" } else { "" };
                format!("ended after {}{how}", words::plural(*jobs, "job"))
            }
        })
    }
}

fn started(worker: &WorkerId, slots: usize, backends: &[BackendId], labels: &[Label]) -> String {
    let names: Vec<&str> =
        backends.iter().map(|id| id.as_str()).chain(labels.iter().map(Label::as_str)).collect();
    let jobs = match slots {
        0 => "takes no jobs".to_owned(),
        slots => format!("takes {} at a time ({})", words::plural(slots as u64, "job"), names.join(", ")),
    };
    format!("worker {worker} {jobs}")
}

fn status(to: WorkerStatus, why: Option<&str>) -> String {
    let (mark, text) = match to {
        WorkerStatus::Running | WorkerStatus::Idle => (Mark::Good, "well again"),
        WorkerStatus::Backoff => (Mark::Wait, "takes no jobs for a while"),
        WorkerStatus::Unhealthy => (Mark::Bad, "unhealthy"),
        WorkerStatus::LoginExpired => (Mark::Bad, "a login has expired"),
        WorkerStatus::Draining => (Mark::Wait, "draining"),
    };
    let why = why.map(|why| format!(": {}", one_line(why, 2 * DETAIL))).unwrap_or_default();
    format!("{} {text}{why}", mark.show())
}

fn reloaded(at_once: &[String], at_next_start: &[String]) -> String {
    let named = |when: &str, keys: &[String]| match keys {
        [] => String::new(),
        keys => format!("; {when} on: {}", keys.join(", ")),
    };
    let changes = named("from now", at_once) + &named("from the next start", at_next_start);
    let changes = if changes.is_empty() { "; nothing changed" } else { &changes };
    format!("the configuration was read again{changes}")
}

/// A worker in one line, as a service manager shows it.
pub(super) fn standing(report: &WorkerReport) -> String {
    let (status, busy, slots) = (report.status.code(), report.busy.len(), report.slots);
    format!("{status}: {busy} of {slots} slots, {} done", words::plural(report.jobs_done_total, "job"))
}

/// Says things in the one way that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller {
    pub(super) out: Out,
    /// NDJSON on standard output instead of lines on standard error.
    pub(super) events: bool,
}

impl Teller {
    pub(super) fn tell(&self, event: &WorkerEvent) {
        if self.events {
            let at_ms = Timestamp(jiff::Timestamp::now().as_millisecond());
            // Nobody reads any more: the work goes on.
            let _ = self.out.ndjson(&Line { schema: SCHEMA, kind: "worker_event", at_ms, event });
        } else if let Some(line) = event.line() {
            self.out.say(&line);
        }
    }

    /// For people only.
    pub(super) fn say(&self, line: &str) {
        if !self.events {
            self.out.say(line);
        }
    }

    /// For people, however it was asked for.
    pub(super) fn warn(&self, text: &str) {
        self.out.raw(&format!("{} {}\n", styled(WARN, "warning:"), for_terminal(text)));
    }
}
