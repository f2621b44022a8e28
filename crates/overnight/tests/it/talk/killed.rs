//! The runner is killed after every event of asking, parking, being answered and going on.

use super::questions;
use crate::harness::Place;
use crate::strange_cli::{ASK, INIT, NO_ANSWER, RESULT, with_program};

const RUN: [&str; 3] = ["run", "--events", "Make the check pass"];

/// An agent that asks until its prompt holds an answer, however many turns that takes.
fn place() -> Place {
    let script = format!(
        "[ \"$1\" = --version ] && exec echo 2.1.328\nprompt=$(cat)\n{INIT}\n\
         case \"$prompt\" in\n*'Your question'*) echo 42 > answer ;;\n*) {ASK}; {NO_ANSWER} ;;\nesac\n{RESULT}"
    );
    let mut place = with_program("claude", &script);
    place.env("OVERNIGHT_QUESTIONS_POLICY", "park");
    place
}

/// Kills a command after so many events. `false`: it had fewer.
fn killed_after(place: &Place, args: &[&str], nth: usize) -> bool {
    let mut live = place.start(args);
    let seen = (0..nth).all(|_| live.next_event().is_some());
    live.kill();
    seen
}

fn answered_and_done(place: &Place, killed: &str) {
    if place.job()["reason"] != "answer" {
        place.overnight(&["resume", "--all"]);
    }
    if place.job()["reason"] == "answer" {
        place.overnight(&["answer", "repo-1", "left"]).expect_code(0);
        place.overnight(&["resume", "--all"]);
    }
    done(place, killed);
}

fn done(place: &Place, killed: &str) {
    let job = place.expect_reason("ended", "published");
    assert_eq!(job["attempt"], 1, "killed after {killed}: {job:#}");
    let asked = questions(place);
    assert_eq!(
        (asked.len(), &asked[0]["state"]),
        (1, &"answered".into()),
        "killed after {killed}: {asked:#?}"
    );
    let prompts = (1..9).map(|turn| place.log(&format!("turn-{turn}.prompt.md"))).collect::<String>();
    assert!(prompts.contains("    left"), "killed after {killed}: the answer was lost");
    assert_eq!(place.branches().len(), 1, "killed after {killed}");
}

#[test]
fn killed_after_every_event_until_it_waits_a_job_asks_once() {
    let mut nth = 1;
    loop {
        let place = place();
        let more = killed_after(&place, &RUN, nth);
        answered_and_done(&place, &format!("event {nth}"));
        place.finish();
        if !more {
            assert!(nth > 10, "only {nth} events");
            return;
        }
        nth += 1;
    }
}

#[test]
fn killed_after_every_event_since_its_answer_a_job_is_told_of_it() {
    let mut nth = 1;
    loop {
        let place = place();
        place.overnight(&RUN).expect_code(8);
        place.overnight(&["answer", "repo-1", "left"]).expect_code(0);
        let more = killed_after(&place, &["resume", "repo-1", "--events"], nth);
        if place.job()["state"] != "ended" {
            place.overnight(&["resume", "--all"]);
        }
        done(&place, &format!("event {nth} of going on"));
        place.finish();
        if !more {
            assert!(nth > 8, "only {nth} events");
            return;
        }
        nth += 1;
    }
}
