//! The database server goes away for a while: it hangs, it is killed, its notifications are lost.

use std::time::{Duration, Instant};

use overnight_testkit::postgres::Postgres;

use crate::harness::fleet::{FIX, hasten, held_until, own_server};
use crate::harness::{Place, eventually};

const LEASE: Duration = Duration::from_secs(18);

/// A place whose queue is on a server of its own.
fn place_on(server: &Postgres) -> (Place, String) {
    let mut place = Place::new();
    hasten(&mut place);
    let url = server.database();
    place.env("OVERNIGHT_DATABASE_URL", &url).env("OVERNIGHT_WORKER_LEASE", "18s");
    place.env("OVERNIGHT_WORKER_BACKOFF_START", "1s").env("OVERNIGHT_WORKER_BACKOFF_MAX", "1s");
    place.env("OVERNIGHT_WORKER_UNHEALTHY_AFTER", "3").env("OVERNIGHT_WORKER_PROBE", "1s");
    (place, url)
}

/// A job whose agent has begun and waits at the gate.
fn running_job(place: &Place, repo: &str, gate: &str) -> String {
    let key = place.add(repo, &[&held_until(gate)], &[]);
    place.until_at_gate(&key);
    key
}

fn claims(place: &Place, key: &str) -> usize {
    place.tables().events(key).iter().filter(|event| event["type"] == "claimed").count()
}

#[test]
fn renewals_that_fail_for_less_than_the_lease_cost_nothing() {
    let Some(server) = own_server("renewals_that_fail_for_less_than_the_lease") else { return };
    let (place, _) = place_on(&server);
    let gate = place.path("gate");
    let worker = place.worker(&["--slots=1"]);
    let key = running_job(&place, "repo", gate.to_str().unwrap());
    let agents = place.agents();

    server.pause();
    // Several heartbeats are due in this time, and none is answered.
    std::thread::sleep(LEASE / 3);
    server.resume();

    assert_eq!(place.agents(), agents, "the agent has gone on");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(place.until_ended(&key), "published");
    assert_eq!(claims(&place, &key), 1);
    worker.stop().expect_code(0);
    place.check_fleet();
}

#[test]
fn a_holder_that_cannot_renew_ends_its_tree_before_its_lease_is_over() {
    let Some(server) = own_server("a_holder_that_cannot_renew") else { return };
    let (place, _) = place_on(&server);
    let gate = place.path("gate");
    let worker = place.worker(&["--slots=1"]);
    let key = running_job(&place, "repo", gate.to_str().unwrap());
    assert_eq!(place.agents().len(), 1);

    server.pause();
    let began = Instant::now();
    eventually("the agent's end", || place.agents().is_empty().then_some(()));
    let survived = began.elapsed();
    println!("with a lease of {} s the tree was gone after {} ms", LEASE.as_secs(), survived.as_millis());
    // The last answer came at most one heartbeat before the server stood still.
    assert!(survived < LEASE - Duration::from_secs(1), "{survived:?}");
    std::thread::sleep(LEASE.saturating_sub(survived));
    server.resume();

    std::fs::write(&gate, "").unwrap();
    assert_eq!(place.until_ended(&key), "published");
    assert_eq!(claims(&place, &key), 2);
    assert_eq!(place.branches().len(), 1);
    worker.stop().expect_code(0);
    place.check_fleet();
}

#[test]
fn jobs_live_through_a_crash_of_the_server() {
    let Some(server) = own_server("jobs_live_through_a_crash_of_the_server") else { return };
    let (place, _) = place_on(&server);
    let gate = place.path("gate");
    let worker = place.worker(&["--slots=3"]);
    let mut keys = Vec::new();
    for repo in ["repo", "second", "third"] {
        if !place.path(repo).exists() {
            place.make_repo(repo);
        }
        keys.push(running_job(&place, repo, gate.to_str().unwrap()));
    }
    let agents = place.agents();
    assert_eq!(agents.len(), 3);

    server.kill();
    // They end while nothing can be written down.
    std::fs::write(&gate, "").unwrap();
    eventually("the agents' ends", || place.agents().is_empty().then_some(()));
    std::thread::sleep(LEASE / 6);
    server.restart();

    for key in &keys {
        assert_eq!(place.until_ended(key), "published");
        assert_eq!(claims(&place, key), 1, "{key} stayed with its worker");
        let events = place.tables().events(key);
        assert_eq!(events.iter().filter(|event| event["type"] == "turn_started").count(), 1);
    }
    worker.stop().expect_code(0);
    place.check_fleet();
}

#[test]
fn an_idle_worker_becomes_unhealthy_without_its_database_and_recovers_by_itself() {
    let Some(server) = own_server("an_idle_worker_becomes_unhealthy") else { return };
    let (place, _) = place_on(&server);
    let first = place.add("repo", &[FIX], &[]);
    let worker = place.worker(&[]);
    assert_eq!(place.until_ended(&first), "published");

    server.kill();
    worker.until_said("unhealthy");
    server.restart();

    let second = place.add("repo", &[FIX], &[]);
    assert_eq!(place.until_ended(&second), "published");
    worker.stop().expect_code(0);
    place.check_fleet();
}

#[test]
fn a_worker_that_is_started_without_its_database_waits_for_it() {
    let Some(server) = own_server("a_worker_that_is_started_without_its_database") else { return };
    let (place, _) = place_on(&server);
    let key = place.add("repo", &[FIX], &[]);
    server.kill();
    let mut worker = place.worker(&[]);
    eventually("a word about the database", || (!worker.said().is_empty()).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert!(worker.ended().is_none(), "it gave up:\n{}", worker.said());
    server.restart();
    assert_eq!(place.until_ended(&key), "published");
    worker.stop().expect_code(0);
    place.check_fleet();
}

#[test]
fn jobs_are_found_when_no_notification_is_heard() {
    let Some(server) = own_server("jobs_are_found_when_no_notification_is_heard") else { return };
    let (place, url) = place_on(&server);
    let worker = place.worker(&["--slots=1"]);
    // Its connections are all made now.
    let first = place.add("repo", &[FIX], &[]);
    assert_eq!(place.until_ended(&first), "published");
    let mut tables = place.tables();
    assert_eq!(tables.jobs().len(), 1);

    // Nobody listens any more, and nobody can begin to: only looking finds the job.
    server.psql(&url, "ALTER ROLE overnight CONNECTION LIMIT 0");
    server.psql(&url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'");
    let began = Instant::now();
    let superuser = url.replacen("overnight@", "postgres@", 1);
    let script = place.script(&[FIX]);
    place.overnight(&["add", "--database", &superuser, "--script", &script, "Again"]).expect_code(0);
    let second =
        eventually("the claim", || tables.jobs().into_iter().find(|job| job.key != first && job.fence > 0));
    println!(
        "claimed {} ms after it was added, with a poll of 2 s and no notification",
        began.elapsed().as_millis()
    );
    server.psql(&url, "ALTER ROLE overnight CONNECTION LIMIT -1");
    assert_eq!(place.until_ended(&second.key), "published");
    worker.stop().expect_code(0);
    place.check_fleet();
}
