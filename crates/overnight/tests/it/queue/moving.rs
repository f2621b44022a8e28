//! Cancelled and resumed by hand while workers are around.

use std::path::Path;

use super::place;
use crate::harness::fleet::{FIX, Worker, held_until};
use crate::harness::{Live, Place, eventually};

/// A job in a worker's hands, whose agent waits for a file that never comes.
fn in_hand(place: &Place) -> (Worker, String) {
    let key = place.add("repo", &[&held_until("/nowhere/at/all")], &[]);
    let worker = place.worker(&[]);
    place.until_event(&key, "turn_started");
    (worker, key)
}

fn reason(place: &Place, key: &str) -> String {
    place.shown(key).reason().to_owned()
}

#[test]
fn a_cancel_waits_until_the_worker_has_ended_the_job() {
    let place = place();
    let (worker, key) = in_hand(&place);
    let waiting = place.add("repo", &[FIX], &["--after", &key]);
    let said = ["asked to end it", &format!("{key} is cancelled")];
    place.overnight(&["cancel", &key]).expect_code(0).expect_said(&said);
    assert_eq!(
        (reason(&place, &key), reason(&place, &waiting)),
        ("cancelled".into(), "dependency_failed".into())
    );
    assert!(place.branches().is_empty());
    worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn several_are_cancelled_at_once_and_one_that_has_ended_stops_nothing() {
    let place = place();
    let (worker, held) = in_hand(&place);
    let ended = place.add("repo", &[FIX], &[]);
    assert_eq!(place.until_ended(&ended), "published");
    let queued = place.add("repo", &[FIX], &["--not-before", "+1h"]);
    place.overnight(&["cancel", &held, "repo-99", &queued]).expect_code(2).expect_said(&["repo-99"]);
    assert_eq!(place.listed(&queued)["state"], "queued", "one is unknown, and none is cancelled");
    let said = [
        &format!("{held} is cancelled"),
        &format!("{queued} is cancelled"),
        "has ended already: done",
        "pushed",
    ];
    let outcome = place.overnight(&["cancel", &ended, &queued, &held, &held, "--json"]);
    let outcome = outcome.expect_code(2).expect_said(&said.map(|text| text as &str));
    let documents: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&outcome.stdout).into_iter().map(Result::unwrap).collect();
    assert_eq!(documents.len(), 2, "{}", outcome.stdout);
    assert!(documents.iter().all(|document| document["data"]["ended"] == true));
    worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn a_cancel_need_not_wait() {
    let place = place();
    let (worker, key) = in_hand(&place);
    let document = place.overnight(&["cancel", &key, "--no-wait", "--json"]).expect_code(0).json();
    assert_eq!(document["data"]["job"]["cancel_asked"], "command");
    assert_eq!(place.until_ended(&key), "cancelled");
    worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

/// The worker died in between: whoever asked for the cancel clears up in its place.
#[test]
fn a_cancel_outlives_the_worker_that_was_asked() {
    let place = place();
    let (mut worker, key) = in_hand(&place);
    worker.stand_still(&place);
    let cancel = Live::start(place.command(&place.repo(), &["cancel", &key]));
    cancel.until_said("asked to end it");
    worker.kill();
    cancel.wait().expect_code(0).expect_said(&[&format!("{key} is cancelled")]);
    assert_eq!(reason(&place, &key), "cancelled");
    place.check_fleet();
    place.finish();
}

/// What is to be cleared up is on another machine, whose worker is gone.
#[test]
fn a_cancel_from_elsewhere_says_where_it_will_end() {
    let mut place = place();
    let database = place.path("shared.db");
    place.env("OVERNIGHT_DATABASE_URL", &database);
    let (mut worker, key) = in_hand(&place);
    worker.kill();
    super::elsewhere(&place, &["cancel", &key])
        .expect_code(8)
        .expect_said(&["no worker is there", "data directory"]);
    assert_eq!(place.listed(&key)["cancel_asked"], "command");
    place.work_off().expect_code(0);
    assert_eq!(reason(&place, &key), "cancelled");
    place.check_fleet();
    place.finish();
}

/// A limit that lets nothing start does not keep a job from being cleared up.
#[test]
fn a_limit_does_not_stop_a_cancel() {
    let place = place();
    let (mut worker, key) = in_hand(&place);
    worker.kill();
    place.overnight(&["limit", "set", "repository:repo", "0"]).expect_code(0);
    place.overnight(&["cancel", &key]).expect_code(0).expect_said(&["is cancelled"]);
    assert_eq!(reason(&place, &key), "cancelled");
    place.check_fleet();
    place.finish();
}

/// Waits until a worker is taken for one that takes jobs.
fn until_served(place: &Place) {
    eventually("a worker that takes jobs", || {
        let status =
            place.overnight(&["add", "--key", "probe", "--not-before", "+9h", "--command", "true", "Probe"]);
        (!status.expect_code(0).stderr.contains("no worker is there")).then_some(())
    });
}

#[test]
fn resume_leaves_the_work_to_a_worker_that_is_there() {
    let place = place();
    let keys = ["one", "two", "three"].map(|_| place.add("repo", &[FIX], &["--not-before", "+1h"]));
    let worker = place.worker(&[]);
    until_served(&place);
    let said = ["is woken: a worker goes on with it", "overnight logs -f"];
    let document = place.overnight(&["resume", &keys[0], "--json"]).expect_code(0).expect_said(&said).json();
    assert_eq!(document["data"]["key"], keys[0].as_str());
    assert_eq!(place.until_ended(&keys[0]), "published");
    place.overnight(&["resume", "--all"]).expect_code(0).expect_said(&["waits until"]);
    place.overnight(&["resume", &keys[1], "--here"]).expect_code(0).expect_said(&["done in 1 attempt"]);
    let said = worker.stop().expect_code(0).stderr;
    assert!(said.contains(&keys[0]) && !said.contains(&keys[1]), "{said}");
    // Nobody is there any more: it is done here.
    place.overnight(&["resume", &keys[2]]).expect_code(0).expect_said(&["done in 1 attempt"]);
    place.check_fleet();
    place.finish();
}

#[test]
fn resume_streams_the_events_of_what_a_worker_does() {
    let place = place();
    place.make_repo("other");
    let good = place.add("repo", &[FIX], &["--not-before", "+1h"]);
    let quota = r#"{ fail = { rate_limited = { reset_in_s = 3600 } } }"#;
    let waits = place.add("other", &[quota], &["--not-before", "+1h"]);
    let worker = place.worker(&[]);
    until_served(&place);
    for (key, code, last) in [(&good, 0, "ended"), (&waits, 7, "parked")] {
        let outcome = place.overnight(&["resume", key, "--events"]).expect_code(code);
        let lines: Vec<serde_json::Value> =
            outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let numbers: Vec<u64> = lines.iter().map(|line| line["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>(), "{lines:#?}");
        assert_eq!(lines[0]["event"]["type"], "queued", "{lines:#?}");
        assert_eq!(lines.last().unwrap()["event"]["type"], last, "{lines:#?}");
        assert!(!outcome.stderr.contains("logs -f"), "{}", outcome.stderr);
    }
    worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

/// What a cancel comes too late for is said.
#[test]
fn what_was_pushed_before_a_cancel_is_named() {
    let place = place();
    let key = place.add("repo", &[FIX], &[]);
    place.work_off().expect_code(0);
    let branch = &place.branches()[0];
    let said = [branch.as_str(), "had been pushed already and stays"];
    place.overnight(&["cancel", &key]).expect_code(2).expect_said(&said);
    assert!(Path::new(&place.repo()).exists());
    place.finish();
}
