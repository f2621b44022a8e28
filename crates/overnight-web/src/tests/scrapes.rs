//! `/metrics`: the format, line by line, and that scraping does not load the store.

use std::collections::HashSet;
use std::time::Duration;

use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::job::{Base, Choice, JobLimits, JobSpec, Publication, VerifyRequest};
use overnight_core::queue::{EndedStats, QueueStats};
use overnight_core::worker::{Verdict, VerdictReason, WorkerStatus};
use overnight_store::{NewJob, NewRepository};

use super::{report, server, server_with};
use crate::health::Seen;
use crate::metrics::render;
use crate::{Limits, ProcessUsage};

fn stats() -> QueueStats {
    QueueStats {
        by_state: vec![("queued".to_owned(), 5), ("preparing".to_owned(), 3)],
        parked: vec![("rate_limited".to_owned(), 2)],
        ready: 4,
        waiting: 1,
        blocked: 6,
        held: 2,
        leases_expired: 1,
        oldest_ready_ms: Some(1_250),
        ended: vec![EndedStats {
            reason: "published".to_owned(),
            jobs: 3,
            attempts: 4,
            input_tokens: 100,
            output_tokens: 20,
            cost_micro_usd: 1_234_567,
            cost_unknown_jobs: 1,
        }],
        workers: 2,
    }
}

fn rendered() -> String {
    let reason = VerdictReason::Status(WorkerStatus::Running);
    let seen = Seen {
        report: report(),
        age: Duration::from_millis(2_500),
        verdict: Verdict { healthy: true, reason },
    };
    render(&seen, Some(&stats()), ProcessUsage { resident_bytes: Some(4_096), open_fds: Some(12) })
}

#[test]
fn all_figures_are_there() {
    let text = rendered();
    for line in [
        r#"overnight_worker_info{worker="host-1",host="a \"host\"",version="0.1.0"} 1"#,
        r#"overnight_worker_status{overnight_worker_status="running"} 1"#,
        r#"overnight_worker_status{overnight_worker_status="login-expired"} 0"#,
        "overnight_worker_healthy 1",
        "overnight_worker_heartbeat_age_seconds 2.5",
        "overnight_worker_busy 1",
        "overnight_worker_intake_open 1",
        r#"overnight_credential_status{backend="claude",overnight_credential_status="ok"} 1"#,
        "overnight_worker_claims_total 3",
        r#"overnight_claim_latency_seconds_bucket{le="0.001"} 0"#,
        r#"overnight_claim_latency_seconds_bucket{le="0.002"} 1"#,
        r#"overnight_claim_latency_seconds_bucket{le="1.0"} 1"#,
        r#"overnight_claim_latency_seconds_bucket{le="+Inf"} 1"#,
        "overnight_claim_latency_seconds_sum 0.0015",
        "process_resident_memory_bytes 4096",
        "process_open_fds 12",
        "process_start_time_seconds 1.5",
        "overnight_store_up 1",
        r#"overnight_jobs{state="queued"} 5"#,
        r#"overnight_jobs_parked{reason="rate_limited"} 2"#,
        r#"overnight_jobs_queued{condition="blocked"} 6"#,
        r#"overnight_leases{condition="expired"} 1"#,
        "overnight_oldest_ready_seconds 1.25",
        "overnight_workers 2",
        r#"overnight_jobs_ended_total{reason="published"} 3"#,
        r#"overnight_attempts_total{reason="published"} 4"#,
        r#"overnight_tokens_total{reason="published",direction="output"} 20"#,
        r#"overnight_cost_dollars_total{reason="published"} 1.234567"#,
        r#"overnight_cost_unknown_jobs_total{reason="published"} 1"#,
    ] {
        assert!(text.lines().any(|each| each == line), "{line} is missing in\n{text}");
    }
}

/// The rules of the format that a reader relies on: each family once and in one piece, its type first, units in names,
/// no sample twice, and the end marked.
#[test]
fn the_document_obeys_the_format() {
    let text = rendered();
    let body = text.strip_suffix("# EOF\n").unwrap();
    let (mut families, mut samples, mut family) = (HashSet::new(), HashSet::new(), ("", ""));
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split_once(' ').unwrap();
            assert!(families.insert(family.0), "{} twice", family.0);
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name == family.0 && name.ends_with(&format!("_{unit}")), "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.starts_with(&format!("{} ", family.0)) && rest.ends_with('.'), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            assert!(samples.insert(sample), "{sample} twice");
            let suffix = sample.split('{').next().unwrap().strip_prefix(family.0);
            let allowed: &[&str] = match family.1 {
                "gauge" | "stateset" => &[""],
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_count", "_sum"],
                "info" => &["_info"],
                other => panic!("{other}"),
            };
            assert!(suffix.is_some_and(|suffix| allowed.contains(&suffix)), "{line} in {family:?}");
        }
    }
    assert!(families.len() > 20);
}

fn spec() -> JobSpec {
    JobSpec {
        title: "Fix the door".to_owned(),
        prompt: "Fix the door".to_owned(),
        source: "/src/app".to_owned(),
        ordered_in: None,
        base: Base::RemoteDefault,
        publication: Publication::LocalBranch { repository: "/src/app".to_owned() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Rehearsal),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: Default::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

#[tokio::test]
async fn a_scrape_is_open_metrics_of_a_real_store() {
    let server = server().await;
    let repository = NewRepository { name: "app".to_owned(), remote: "/src/app".to_owned() };
    let repository = server.store.repository_ensure(&repository).await.unwrap().id;
    server.store.job_enqueue(&NewJob::new(repository, spec())).await.unwrap();
    let scrape = server.get("/metrics").await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((scrape.status, scrape.header("content-type")), (200, Some(kind)));
    assert!(scrape.body.ends_with("\n# EOF\n"), "{}", scrape.body);
    assert!(scrape.body.contains("\novernight_store_up 1\n"), "{}", scrape.body);
    assert!(scrape.body.contains("\novernight_jobs{state=\"queued\"} 1\n"), "{}", scrape.body);
    assert!(scrape.body.contains("\novernight_jobs_queued{condition=\"ready\"} 1\n"), "{}", scrape.body);
    server.stop().await;
}

#[tokio::test]
async fn however_often_it_is_scraped_the_store_is_asked_once_in_a_while() {
    let server = server_with(Limits { stats_age: Duration::from_secs(3_600), ..Limits::default() }).await;
    assert!(server.get("/metrics").await.body.contains("\novernight_store_up 1\n"));
    // It could not answer any more, and nobody notices, because nobody asks it.
    server.store.close().await;
    assert!(server.get("/metrics").await.body.contains("\novernight_store_up 1\n"));
    assert_eq!(server.get("/readyz").await.status, 200);
    server.stop().await;
}
