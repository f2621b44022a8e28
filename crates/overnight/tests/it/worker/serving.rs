//! What a worker answers over HTTP, and to whom.

use super::place;
use crate::harness::fleet::{FIX, held_until};

#[test]
fn health_and_metrics_are_answered_while_a_job_runs_and_runs() {
    let place = place();
    let go = place.path("go");
    let key = place.add("repo", &[&held_until(go.to_str().unwrap())], &[]);
    let served = place.serve(&["--slots", "2"]);
    place.until_event(&key, "turn_started");

    let health = served.until_health(200, "running");
    assert_eq!(
        (&health["healthy"], &health["busy"][0]["key"]),
        (&true.into(), &key.as_str().into()),
        "{health:#}"
    );
    assert_eq!((&health["slots"], &health["intake"]["state"]), (&2.into(), &"open".into()), "{health:#}");
    assert!(health["heartbeat_age_ms"].as_u64().unwrap() < 10_000, "{health:#}");
    assert_eq!((served.get("/healthz").code, served.get("/readyz").code), (200, 200));
    let metrics = served.get("/metrics");
    assert_eq!(metrics.code, 200);
    for line in [
        "overnight_worker_busy 1",
        "overnight_leases{condition=\"held\"} 1",
        "overnight_worker_claims_total 1",
    ] {
        assert!(metrics.body.contains(line), "{line}: {}", metrics.body);
    }
    let told = place.until_status("running");
    assert_eq!((&told["held"], &told["health"]["healthy"]), (&1.into(), &true.into()), "{told:#}");
    let status = place.status();
    assert_eq!(status["running"][0]["key"], key.as_str(), "{status:#}");
    assert_eq!(status["workers"][0]["report"]["busy"][0]["key"], key.as_str(), "{status:#}");
    assert_eq!(served.get_as("/health", "evil.example").code, 421);
    assert_eq!(served.get("/nowhere").code, 404);

    served.worker.signal("TERM");
    served.until_health(200, "draining");
    assert_eq!(served.get("/readyz").code, 503);
    std::fs::write(go, "").unwrap();
    assert_eq!(place.until_ended(&key), "published");
    served.worker.wait().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let place = place();
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    place.overnight(&["serve", "--listen", served.address()]).expect_code(2).expect_said(&[
        served.address(),
        "another program answers there",
        "--listen",
    ]);
    assert_eq!(place.workers().len(), 1, "a worker that could not begin is none");
    served.worker.stop().expect_code(0);
}

#[test]
fn without_slots_it_answers_and_takes_nothing() {
    let place = place();
    let key = place.add("repo", &[FIX], &[]);
    let served = place.serve(&["--slots", "0"]);
    served.until_health(200, "idle");
    let metrics = served.get("/metrics").body;
    assert!(metrics.contains("overnight_jobs_queued{condition=\"ready\"} 1"), "{metrics}");
    place.overnight(&["status", "--check"]).expect_code(1);
    assert_eq!(place.shown(&key).state(), "queued");
    served.worker.stop().expect_code(0).expect_said(&["takes no jobs"]);
    place.finish();
}

#[test]
fn an_address_for_everybody_is_explained() {
    let place = place();
    let worker = place.worker(&["--listen", "0.0.0.0:0"]);
    worker.until_said("can be reached from other machines");
    worker.until_said("at a time");
    worker.stop().expect_code(0);
}
