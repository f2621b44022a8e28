//! A worker that is started before its database server is there, or before a server that says nothing.

use std::time::{Duration, Instant};

use overnight_testkit::postgres::Postgres;

use crate::harness::Place;
use crate::harness::fleet::{FIX, hasten, own_server};

/// A place whose queue is on a server of its own, with one job in it, and the job's key.
fn place_on(server: &Postgres) -> (Place, String) {
    let mut place = Place::new();
    hasten(&mut place);
    place.env("OVERNIGHT_DATABASE_URL", server.database());
    place.env("OVERNIGHT_WORKER_BACKOFF_START", "1s").env("OVERNIGHT_WORKER_BACKOFF_MAX", "2s");
    let key = place.add("repo", &[FIX], &[]);
    (place, key)
}

#[test]
fn health_is_answered_while_the_database_is_waited_for() {
    let Some(server) = own_server("health_is_answered_while_the_database_is_waited_for") else { return };
    let (place, key) = place_on(&server);
    server.kill();
    let mut served = place.serve(&[]);
    served.worker.until_said("trying again in 1s");
    served.worker.until_said("trying again in 2s");
    assert!(served.worker.ended().is_none());
    assert_eq!(served.get("/healthz").code, 200);
    for path in ["/readyz", "/health", "/metrics"] {
        let answer = served.get(path);
        let detail = answer.json()["detail"].to_string();
        assert!(answer.code == 503 && detail.contains("does not answer"), "{path}: {answer:?}");
    }
    assert_eq!(served.get_as("/healthz", "evil.example").code, 421);
    server.restart();
    assert_eq!(place.until_ended(&key), "published");
    served.until_health(200, "idle");
    assert_eq!(served.get("/readyz").code, 200);
    served.worker.stop().expect_code(0);
    place.check_fleet();
}

#[test]
fn a_worker_that_waits_for_its_database_can_be_stopped() {
    let Some(server) = own_server("a_worker_that_waits_for_its_database_can_be_stopped") else { return };
    let (mut place, _) = place_on(&server);
    place.env("OVERNIGHT_WORKER_BACKOFF_START", "5m").env("OVERNIGHT_WORKER_BACKOFF_MAX", "5m");
    server.kill();
    let worker = place.worker(&[]);
    worker.until_said("trying again in 5m");
    worker.signal("TERM");
    let said = ["SIGTERM: ends before it has begun", "ended after 0 jobs"];
    worker.wait().expect_code(0).expect_said(&said);

    // In the middle of a try: the server takes the connection and says nothing.
    server.restart();
    server.pause();
    let served = place.serve(&[]);
    served.worker.signal("INT");
    served.worker.wait().expect_code(0).expect_said(&["SIGINT: ends before it has begun"]);
    server.resume();
}

#[test]
fn waiting_for_the_database_is_told_to_programs() {
    let Some(server) = own_server("waiting_for_the_database_is_told_to_programs") else { return };
    let (place, _) = place_on(&server);
    server.kill();
    let outcome = place.worker(&["--once", "--wait", "2s", "--events"]).wait().expect_code(9);
    let events = outcome.events();
    let first = &events[0];
    assert_eq!((&first["type"], &first["retry_ms"]), (&"database_away".into(), &1000.into()), "{events:#?}");
    assert!(first["database"].as_str().unwrap().starts_with("postgres://overnight@"), "{events:#?}");
    assert!(!first["why"].as_str().unwrap().is_empty());
}

#[test]
fn a_worker_for_one_job_waits_for_its_database_as_long_as_for_a_job() {
    let Some(server) = own_server("a_worker_for_one_job_waits_for_its_database") else { return };
    let (place, key) = place_on(&server);
    server.kill();
    let began = Instant::now();
    let outcome = place.worker(&["--once", "--wait", "3s"]).wait();
    outcome.expect_code(9).expect_said(&["cannot be opened", "see whether the server runs"]);
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());

    server.restart();
    server.pause();
    let outcome = place.worker(&["--once", "--wait", "1s"]).wait();
    outcome.expect_code(9).expect_said(&["has not answered within 1s", "see whether the server runs"]);
    server.resume();

    server.kill();
    let worker = place.worker(&["--once", "--wait", "60s"]);
    worker.until_said("trying again");
    server.restart();
    worker.wait().expect_code(0);
    assert_eq!(place.until_ended(&key), "published");
    place.check_fleet();
}

#[test]
fn a_worker_that_is_to_end_when_idle_does_not_wait_for_its_database() {
    let Some(server) = own_server("a_worker_that_is_to_end_when_idle") else { return };
    let (place, _) = place_on(&server);
    server.kill();
    let outcome = place.worker(&["--exit-when-idle"]).wait();
    let outcome = outcome.expect_code(9).expect_said(&["cannot be opened", "see whether the server runs"]);
    assert!(!outcome.stderr.contains("trying again"), "{}", outcome.stderr);
}

#[test]
fn a_database_that_refuses_is_not_waited_for() {
    let Some(server) = own_server("a_database_that_refuses_is_not_waited_for") else { return };
    let (mut place, _) = place_on(&server);
    let url = server.database();
    let name = url.rsplit_once('/').unwrap().1.split('?').next().unwrap().to_owned();
    for wrong in [url.replacen("overnight@", "nobody@", 1), url.replacen(&name, "absent", 1)] {
        place.env("OVERNIGHT_DATABASE_URL", wrong);
        for mode in [&[][..], &["--once"], &["--exit-when-idle"]] {
            let outcome = place.worker(mode).wait().expect_code(9);
            assert!(!outcome.stderr.contains("trying again"), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("the user and the password"), "{}", outcome.stderr);
        }
    }
}

/// What is missing is not the database: waiting for it would never end.
#[test]
fn a_machine_without_git_is_told_and_not_waited_for() {
    let Some(server) = own_server("a_machine_without_git_is_told") else { return };
    let (mut place, _) = place_on(&server);
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    place.env("PATH", &empty);
    let outcome = place.worker(&[]).wait().expect_code(2);
    assert!(outcome.stderr.contains("git"), "{}", outcome.stderr);
}
