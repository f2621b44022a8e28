//! What each path answers, and to whom.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::units::Timestamp;
use overnight_core::worker::{ClosedReason, Intake, WorkerReport, WorkerStatus};

use overnight_store::SCHEMA_VERSION;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::{ask, report, server, server_at, server_with};
use crate::{Limits, Waiting, serve_waiting};

#[tokio::test]
async fn the_process_is_alive_and_can_take_work() {
    let server = server().await;
    let alive = server.get("/healthz").await;
    assert_eq!((alive.status, alive.body.as_str()), (200, "ok\n"));
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    server.stop().await;
}

#[tokio::test]
async fn the_report_is_shown_whole_and_its_verdict_is_the_status() {
    let server = server().await;
    let answer = server.get("/health").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let json = answer.json();
    assert_eq!((&json["schema"], &json["kind"]), (&"overnight/v1".into(), &"health".into()));
    assert_eq!((&json["healthy"], &json["reason"]), (&true.into(), &"running".into()));
    assert_eq!(json["busy"][0]["key"], "app-1");
    assert!(json["heartbeat_age_ms"].as_u64().unwrap() < 20_000);
    let shown: WorkerReport = serde_json::from_value(json).unwrap();
    assert_eq!(shown, report());

    for status in WorkerStatus::ALL {
        server.report.send_modify(|report| report.status = status);
        let wanted =
            if matches!(status, WorkerStatus::Unhealthy | WorkerStatus::LoginExpired) { 503 } else { 200 };
        let answer = server.get("/health").await;
        assert_eq!(answer.status, wanted, "{status:?}");
        assert_eq!(answer.json()["reason"], status.code());
        assert_eq!(server.get("/healthz").await.status, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_worker_without_a_heartbeat_is_not_healthy_until_it_has_one() {
    let limits = Limits { heartbeat_age: Duration::from_secs(1), ..Limits::default() };
    let server = server_with(limits).await;
    assert_eq!(server.get("/health").await.status, 200);
    // A report that changes without a heartbeat is no sign of life.
    let stale = server.get_until("/health", |answer| {
        server.report.send_modify(|report| report.claims_total += 1);
        answer.status == 503
    });
    let stale = stale.await;
    assert_eq!(stale.json()["reason"], "heartbeat-stale");
    assert!(stale.json()["heartbeat_age_ms"].as_u64().unwrap() >= 1_000);
    // The worker's clock was set back an hour: the heartbeat is a new one all the same.
    server.report.send_modify(|report| report.heartbeat_at = Timestamp(1_000_000 - 3_600_000));
    assert_eq!(server.get("/health").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_worker_that_takes_no_jobs_is_not_ready_and_says_why() {
    let server = server().await;
    let closed = Intake::Closed { reason: ClosedReason::DiskLow, until: None };
    server.report.send_modify(|report| report.intake = closed);
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["detail"], "no jobs are claimed: disk-low");
    server.stop().await;
}

#[tokio::test]
async fn a_lost_store_is_told_by_readiness_and_stops_nothing_else() {
    let server = server_with(Limits { stats_age: Duration::ZERO, ..Limits::default() }).await;
    server.store.close().await;
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["detail"], "the store cannot be read");
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/health").await.status, 200);
    let scrape = server.get("/metrics").await;
    assert_eq!(scrape.status, 200);
    assert!(scrape.body.contains("\novernight_store_up 0\n"), "{}", scrape.body);
    assert!(!scrape.body.contains("overnight_jobs{"), "{}", scrape.body);
    server.stop().await;
}

#[tokio::test]
async fn a_schema_that_is_not_this_versions_is_told_by_readiness() {
    let server = server_with(Limits { stats_age: Duration::ZERO, ..Limits::default() }).await;
    for (schema, advice) in [(SCHEMA_VERSION + 1, "start the newer version"), (1, "`overnight db migrate`")] {
        server.set_schema(schema).await;
        let answer = server.get("/readyz").await;
        assert_eq!(answer.status, 503, "schema {schema}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(&format!("the database has schema {schema}, ")), "{detail}");
        assert!(detail.contains(advice), "{detail}");
        assert_eq!(server.get("/healthz").await.status, 200);
    }
    server.set_schema(SCHEMA_VERSION).await;
    assert_eq!(server.get("/readyz").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn before_there_is_a_store_only_life_is_confirmed_and_the_address_is_kept() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let (tell, why) = watch::channel("the database is away".to_owned());
    let (stop, stopped) = oneshot::channel::<()>();
    let waiting = Waiting { why, allowed_hosts: vec![], limits: Limits::default() };
    let serving = tokio::spawn(serve_waiting(Arc::clone(&listener), waiting, async move {
        let _ = stopped.await;
    }));
    assert_eq!(ask(address, "/healthz").await.status, 200);
    for path in ["/readyz", "/health", "/metrics"] {
        let answer = ask(address, path).await;
        assert_eq!(
            (answer.status, answer.json()["detail"].as_str()),
            (503, Some("the database is away")),
            "{path}"
        );
    }
    assert_eq!(ask(address, "/nothing").await.status, 404);
    tell.send_replace("it is away still".to_owned());
    assert_eq!(ask(address, "/readyz").await.json()["detail"], "it is away still");
    drop(stop);
    serving.await.unwrap().unwrap();
    let server = server_at(listener, Limits::default()).await;
    assert_eq!((server.address, server.get("/readyz").await.status), (address, 200));
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_name_is_refused_on_every_path() {
    let server = server().await;
    let port = server.address.port();
    for host in ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test:80", "127.0.0.2.nip.io"] {
        for path in ["/healthz", "/health", "/metrics", "/nothing"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = server.send(&request).await;
            assert_eq!(answer.status, 421, "{host} {path}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.json()["status"], 421);
        }
    }
    for host in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        "[::1]".to_owned(),
        "Runner.Example".to_owned(),
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.send(&request).await.status, 200, "{host}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_whose_host_is_not_clear_is_refused() {
    let server = server().await;
    for (request, wanted) in [
        ("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: local host\r\nConnection: close\r\n\r\n", 421),
        ("GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 400),
        ("GET http://evil.test/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 421),
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n", 421),
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
    ] {
        assert_eq!(server.send(request).await.status, wanted, "{request:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_reading_is_possible() {
    let server = server().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let request = format!(
            "{method} /health HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 3\r\nConnection: close\r\n\r\na=b"
        );
        let answer = server.send(&request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("get, head")), "{method}");
        assert_eq!(answer.json()["title"], "Method Not Allowed");
    }
    let head = server.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let missing = server.get("/nothing").await;
    assert_eq!((missing.status, missing.json()["type"].as_str()), (404, Some("about:blank")));
    server.stop().await;
}

#[tokio::test]
async fn every_answer_is_closed_to_pages_of_the_web() {
    let server = server().await;
    for path in ["/healthz", "/readyz", "/health", "/metrics", "/nothing"] {
        let answer = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    server.stop().await;
}
