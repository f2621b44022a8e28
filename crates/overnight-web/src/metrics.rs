//! `/metrics`: the worker, the process and the queue, in OpenMetrics.
//!
//! What has ended is counted by the store, deleted jobs included, so that these figures never fall, and go on after a restart.
//! Several workers of one store show the same figures of the queue: take the maximum over them, not the sum.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, header};
use overnight_core::queue::{EndedStats, QueueStats};
use overnight_core::worker::{CredentialStatus, Histogram, Intake, WorkerReport, WorkerStatus};

use crate::ProcessUsage;
use crate::app::App;
use crate::health::Seen;
use crate::openmetrics::{CONTENT_TYPE, Document, Kind, float};

pub(crate) async fn scrape(State(app): State<Arc<App>>) -> ([(HeaderName, &'static str); 1], String) {
    let stats = app.stats.get().await.stats.ok();
    let text = render(&app.look(), stats.as_deref(), (app.usage)());
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}

pub(crate) fn render(seen: &Seen, stats: Option<&QueueStats>, usage: ProcessUsage) -> String {
    let mut to = Document::default();
    worker(&mut to, seen);
    credentials(&mut to, &seen.report);
    claims(&mut to, &seen.report);
    process(&mut to, &seen.report, usage);
    to.gauge(
        "overnight_store_up",
        "Whether the store answered; without it there are no figures of the queue.",
        stats.is_some().into(),
    );
    if let Some(stats) = stats {
        queue(&mut to, stats);
        ended(&mut to, &stats.ended);
    }
    to.finish()
}

fn worker(to: &mut Document, Seen { report, age, verdict }: &Seen) {
    let labels = [("worker", report.worker.as_str()), ("host", &report.host), ("version", &report.version)];
    to.family("overnight_worker", Kind::Info, None, "This worker.").count("_info", &labels, 1);
    let mut status = to.family("overnight_worker_status", Kind::StateSet, None, "What the worker does.");
    for each in WorkerStatus::ALL {
        status.count("", &[("overnight_worker_status", each.code())], (each == report.status).into());
    }
    to.gauge(
        "overnight_worker_healthy",
        "0 when somebody has to look, as in /health.",
        verdict.healthy.into(),
    );
    to.family(
        "overnight_worker_heartbeat_age_seconds",
        Kind::Gauge,
        Some("seconds"),
        "Time since the worker last told the store that it lives.",
    )
    .sample("", &[], &seconds(*age));
    to.gauge("overnight_worker_slots", "Jobs it works on at most at once.", report.slots.into());
    to.gauge("overnight_worker_busy", "Jobs it works on.", report.busy.len() as u64);
    let open = matches!(report.intake, Intake::Open { .. });
    to.gauge("overnight_worker_intake_open", "Whether it claims jobs.", open.into());
    to.gauge(
        "overnight_worker_consecutive_failures",
        "Failures of the infrastructure in a row.",
        report.consecutive_failures.into(),
    );
}

fn credentials(to: &mut Document, report: &WorkerReport) {
    let help = "What the last turn of a backend said of its login.";
    let mut family = to.family("overnight_credential_status", Kind::StateSet, None, help);
    for credential in &report.credentials {
        for status in CredentialStatus::ALL {
            let labels =
                [("backend", credential.backend.as_str()), ("overnight_credential_status", status.code())];
            family.count("", &labels, (status == credential.status).into());
        }
    }
}

fn claims(to: &mut Document, report: &WorkerReport) {
    to.family("overnight_worker_claims", Kind::Counter, None, "Claims of this worker.").count(
        "_total",
        &[],
        report.claims_total,
    );
    to.family("overnight_worker_jobs_done", Kind::Counter, None, "Jobs that ended in this worker.").count(
        "_total",
        &[],
        report.jobs_done_total,
    );
    histogram(to, &report.claim_latency);
}

fn histogram(to: &mut Document, latency: &Histogram) {
    let help = "From the moment at which a job could have been claimed to its claim.";
    let mut family = to.family("overnight_claim_latency_seconds", Kind::Histogram, Some("seconds"), help);
    for bucket in latency.buckets() {
        let bound = bucket.at_most.map_or_else(|| "+Inf".to_owned(), seconds);
        family.count("_bucket", &[("le", &bound)], bucket.count);
    }
    family.count("_count", &[], latency.count());
    family.sample("_sum", &[], &seconds(latency.sum()));
}

/// The names are those that every Prometheus client uses.
fn process(to: &mut Document, report: &WorkerReport, usage: ProcessUsage) {
    if let Some(bytes) = usage.resident_bytes {
        to.family("process_resident_memory_bytes", Kind::Gauge, Some("bytes"), "Memory of this process.")
            .count("", &[], bytes);
    }
    if let Some(fds) = usage.open_fds {
        to.gauge("process_open_fds", "Open file descriptors of this process.", fds);
    }
    to.family(
        "process_start_time_seconds",
        Kind::Gauge,
        Some("seconds"),
        "When this process started, since 1970.",
    )
    .sample("", &[], &float(report.started_at.0 as f64 / 1e3));
}

fn queue(to: &mut Document, stats: &QueueStats) {
    let mut states = to.family("overnight_jobs", Kind::Gauge, None, "Unfinished jobs by state.");
    for (state, jobs) in &stats.by_state {
        states.count("", &[("state", state)], *jobs);
    }
    let mut parked = to.family("overnight_jobs_parked", Kind::Gauge, None, "Jobs that wait, by reason.");
    for (reason, jobs) in &stats.parked {
        parked.count("", &[("reason", reason)], *jobs);
    }
    let help = "Unclaimed jobs: ready now, waiting for their time, blocked by other jobs.";
    let mut queued = to.family("overnight_jobs_queued", Kind::Gauge, None, help);
    for (condition, jobs) in [("ready", stats.ready), ("waiting", stats.waiting), ("blocked", stats.blocked)]
    {
        queued.count("", &[("condition", condition)], jobs);
    }
    let help = "Jobs under a lease, and jobs whose lease has run out.";
    let mut leases = to.family("overnight_leases", Kind::Gauge, None, help);
    for (condition, jobs) in [("held", stats.held), ("expired", stats.leases_expired)] {
        leases.count("", &[("condition", condition)], jobs);
    }
    let oldest = Duration::from_millis(stats.oldest_ready_ms.unwrap_or(0));
    to.family(
        "overnight_oldest_ready_seconds",
        Kind::Gauge,
        Some("seconds"),
        "How long the oldest ready job has been ready; 0 without one.",
    )
    .sample("", &[], &seconds(oldest));
    to.gauge("overnight_workers", "Workers of this store that live.", stats.workers);
}

fn ended(to: &mut Document, ended: &[EndedStats]) {
    type Figure = fn(&EndedStats) -> u64;
    let figures: [(&'static str, &str, Figure); 3] = [
        ("overnight_jobs_ended", "Jobs that ended, by reason.", |each| each.jobs),
        ("overnight_attempts", "Attempts of ended jobs.", |each| each.attempts),
        ("overnight_cost_unknown_jobs", "Ended jobs of which some cost is not known.", |each| {
            each.cost_unknown_jobs
        }),
    ];
    for (name, help, figure) in figures {
        let mut family = to.family(name, Kind::Counter, None, help);
        for each in ended {
            family.count("_total", &[("reason", &each.reason)], figure(each));
        }
    }
    let mut tokens = to.family("overnight_tokens", Kind::Counter, None, "Tokens of ended jobs.");
    for each in ended {
        for (direction, count) in [("input", each.input_tokens), ("output", each.output_tokens)] {
            tokens.count("_total", &[("reason", &each.reason), ("direction", direction)], count);
        }
    }
    let help = "Known cost of ended jobs in US dollars.";
    let mut cost = to.family("overnight_cost_dollars", Kind::Counter, Some("dollars"), help);
    for each in ended {
        cost.sample("_total", &[("reason", &each.reason)], &float(each.cost_micro_usd as f64 / 1e6));
    }
}

fn seconds(span: Duration) -> String {
    float(span.as_secs_f64())
}
