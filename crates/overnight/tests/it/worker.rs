//! Workers: what they take, when they end and how, what they say, and how they come back from trouble.

mod once;
mod serving;
mod stopping;
mod trouble;

use crate::harness::Place;
use crate::harness::fleet::{FIX, hasten};

/// A place with times at which nothing has to be waited for long.
fn place() -> Place {
    let mut place = Place::new();
    hasten(&mut place);
    place
}

#[test]
fn a_worker_takes_everything_that_is_ready_and_ends_when_nothing_is_left() {
    let place = place();
    place.make_repo("other");
    let mut keys = vec![place.add("repo", &[FIX], &[]), place.add("other", &[FIX], &[])];
    keys.extend([place.add("repo", &[FIX], &[]), place.add("other", &[FIX], &[])]);
    let before = place.status();
    assert_eq!((&before["healthy"], &before["queue"]["ready"]), (&false.into(), &4.into()), "{before:#}");
    place.overnight(&["status", "--check"]).expect_code(1);

    place.work_off().expect_code(0).expect_said(&["takes 2 jobs at a time", "ended after 4 jobs"]);

    for key in &keys {
        assert_eq!(place.until_ended(key), "published", "{key}");
    }
    assert_eq!(place.branches().len(), 2);
    let after = place.status();
    assert_eq!(
        (&after["healthy"], &after["queue"]["ended"][0]["jobs"]),
        (&true.into(), &4.into()),
        "{after:#}"
    );
    assert!(place.workers().is_empty());
    let shown = place.overnight(&["status", "--check"]).expect_code(0).expect_plain();
    assert!(shown.stdout.contains("all is well") && shown.stdout.contains("4 done"), "{}", shown.stdout);
    place.check_fleet();
    place.finish();
}

#[test]
fn what_a_worker_does_is_a_stream_of_json_lines() {
    let place = place();
    let key = place.add("repo", &[FIX], &[]);
    let outcome = place.worker(&["--exit-when-idle", "--events"]).wait().expect_code(0);
    assert_eq!(outcome.stderr, "");
    let events = outcome.events();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["started", "claimed", "ended", "stopped"], "{events:#?}");
    assert_eq!((&events[1]["key"], &events[2]["reason"]), (&key.into(), &"published".into()));
    assert_eq!((&events[3]["jobs"], &events[3]["forced"]), (&1.into(), &false.into()));
    place.finish();
}

#[test]
fn a_job_that_requires_what_nobody_offers_stays_in_the_queue() {
    let place = place();
    let wanting = place.add("repo", &[FIX], &["--requires", "gpu"]);
    place.work_off().expect_code(0).expect_said(&["ended after 0 jobs"]);
    place.worker(&["--exit-when-idle", "--backend", "claude", "--offer", "gpu"]).wait().expect_code(0);
    assert_eq!(place.shown(&wanting).state(), "queued");
    place.worker(&["--exit-when-idle", "--offer", "gpu"]).wait().expect_code(0);
    assert_eq!(place.until_ended(&wanting), "published");
    place.finish();
}
