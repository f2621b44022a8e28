//! The second job of a sprint is killed after each of its events: there is one branch and one pull request, and nothing is done twice.

use overnight_testkit::forge::Flavour;

use super::{SPRINT_BRANCH, attempt, beside, numbered, only_pull, sprint};
use crate::harness::Place;
use crate::harness::forge::{Forge, TRUNK};

fn begun() -> (Place, Forge) {
    let (place, forge) = beside(Flavour::GitHub);
    sprint(&place, &attempt(&numbered("")), &["--pr"]);
    place.overnight(&["resume", "repo-1", "--here"]).expect_code(0);
    (place, forge)
}

const SECOND: [&str; 4] = ["resume", "repo-2", "--here", "--events"];

fn check(place: &Place, forge: &Forge, killed: &str) {
    let pull = only_pull(place, forge, SPRINT_BRANCH);
    assert!(!pull.draft && pull.body.contains("3 of 3 tasks"), "killed after {killed}: {pull:#?}");
    let log = ["log", "--format=%s", &format!("{TRUNK}..{SPRINT_BRANCH}")];
    let subjects = place.git_in(forge.bare().as_ref(), &log);
    assert_eq!(subjects, ["One more task"; 3].join("\n"), "killed after {killed}");
    for (key, state) in [("repo-1", "ended"), ("repo-2", "ended"), ("repo-3", "ended")] {
        let shown = place.shown(key);
        assert_eq!((shown.state(), shown.reason()), (state, "published"), "{key}, killed after {killed}");
    }
}

#[test]
fn killed_after_every_event_the_second_job_of_a_sprint_is_there_once() {
    let (whole, forge) = begun();
    let events = whole.overnight(&SECOND).expect_code(0).stdout.lines().count();
    whole.overnight(&["resume", "repo-3", "--here"]).expect_code(0);
    check(&whole, &forge, "nothing");
    whole.finish();
    assert!(events > 12, "only {events} events");
    for nth in 1..events {
        let (place, forge) = begun();
        let mut live = place.start(&SECOND);
        let mut last = String::new();
        for _ in 0..nth {
            let Some(event) = live.next_event() else { break };
            last = format!("event {nth}: {}", event["event"]["type"]);
        }
        live.kill();
        // It may have come to its end before it was killed; then only the third is left. Otherwise that one waits for it the first time.
        for _ in 0..2 {
            let outcome = place.overnight(&["resume", "--all"]);
            assert_eq!(outcome.code, Some(0), "killed after {last}:\n{}\n{}", outcome.stdout, outcome.stderr);
        }
        check(&place, &forge, &last);
        place.finish();
    }
}
