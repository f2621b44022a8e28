//! The runner is killed after each event of a cascade: everything is taken back once, and what is told says so.

use std::collections::BTreeSet;

use overnight_testkit::forge::Flavour;

use super::{FAILING, QUEUED, RUNNING, bad, built, expect_comment, expect_taken_back, good, start, trace};
use crate::harness::Place;
use crate::harness::forge::Forge;

/// Two published tasks, two that wait, and one that will fail.
fn begun() -> (Place, Forge) {
    let (place, forge) = built(Flavour::GitHub);
    start(&place, &good("ring"), &[RUNNING], &[]);
    start(&place, &good("hear"), &[QUEUED], &[]);
    start(&place, &bad(""), &[FAILING], &[]);
    (place, forge)
}

const GO: [&str; 4] = ["resume", FAILING, "--here", "--events"];

#[track_caller]
fn check(place: &Place, forge: &Forge, killed: &str) {
    expect_taken_back(place, forge, killed);
    expect_comment(place, forge, FAILING);
    for (key, reason) in [(FAILING, "verification_failed"), (RUNNING, "cancelled"), (QUEUED, "cancelled")] {
        assert_eq!(place.shown(key).reason(), reason, "{key}, killed after {killed}");
    }
    let told = trace(place, FAILING);
    let names: BTreeSet<&str> =
        told.iter().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    assert_eq!(names.len(), told.len(), "killed after {killed}: told twice: {told:?}");
    assert!(
        names.contains("close_pull_request repo-4") && names.contains("open_revert repo-3"),
        "{killed}: {told:?}"
    );
}

#[test]
fn killed_after_every_event_of_a_cascade_it_is_done_once() {
    let (whole, forge) = begun();
    let said = whole.overnight(&GO).expect_code(5).stdout;
    check(&whole, &forge, "nothing");
    whole.finish();
    let events: Vec<&str> = said.lines().collect();
    let first = events.iter().position(|line| line.contains("\"cleanup\"")).unwrap();
    assert!(events.len() > first + 9, "{said}");
    for nth in first..events.len() {
        let (place, forge) = begun();
        let mut live = place.start(&GO);
        let mut last = String::new();
        for _ in 0..nth {
            let Some(event) = live.next_event() else { break };
            last = format!("event {nth}: {}", event["event"]["type"]);
        }
        live.kill();
        if place.shown(FAILING).state() != "ended" {
            place.overnight(&["resume", FAILING, "--here"]).expect_code(5);
        }
        check(&place, &forge, &last);
        place.finish();
    }
}
