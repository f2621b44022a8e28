//! The runner is killed with SIGKILL after every event it writes, one run per event, and taken up again: each job must
//! end as if nothing had happened.

mod handed_on;

use crate::harness::{Outcome, Place, skipped};

const TWO_ATTEMPTS: [&str; 2] = [
    r#"{ write = { path = "answer", content = "40\n" } }, { run = { command = "echo turn >> $STARTS" } }"#,
    r#"{ write = { path = "answer", content = "42\n" } }, { commit = { message = "Correct it" } }"#,
];

fn args(script: &str) -> Vec<&str> {
    vec!["run", "--agent", "rehearsal", "--script", script, "--events", "Make the check pass"]
}

fn expect_done(place: &Place, outcome: &Outcome, killed_after: &str) {
    assert_eq!(outcome.code, Some(0), "killed after {killed_after}:\n{}\n{}", outcome.stdout, outcome.stderr);
    assert_eq!(place.branches().len(), 1, "killed after {killed_after}");
    assert_eq!(place.show(&place.branches()[0], "answer"), "42", "killed after {killed_after}");
}

#[test]
fn killed_after_every_event_a_job_still_ends_with_one_branch() {
    let whole = Place::new();
    let script = whole.script(&TWO_ATTEMPTS);
    let events = whole.overnight(&args(&script)).expect_code(0).stdout.lines().count();
    whole.finish();
    assert!(events > 20, "only {events} events");

    for nth in 1..events {
        let place = Place::new();
        let script = place.script(&TWO_ATTEMPTS);
        let mut live = place.start(&args(&script));
        let mut last = String::new();
        for _ in 0..nth {
            let Some(event) = live.next_event() else { break };
            last = format!("event {nth}: {}", event["event"]["type"]);
        }
        live.kill();
        let outcome = place.overnight(&["resume", "--all"]);
        expect_done(&place, &outcome, &last);
        place.finish();
    }
}

/// The kill comes inside a write: at the nth time that data is forced to disk, which is what makes a step persistent.
#[test]
fn killed_inside_every_write_a_job_still_ends_with_one_branch() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return skipped("killed_inside_every_write", "strace is not installed");
    }
    let mut nth = 1;
    loop {
        let place = Place::new();
        let script = place.script(&TWO_ATTEMPTS);
        let inject = format!("inject=fdatasync,fsync:signal=KILL:when={nth}");
        let mut traced = std::process::Command::new("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &inject, "--"]);
        traced.arg(env!("CARGO_BIN_EXE_overnight")).args(args(&script));
        traced.current_dir(place.repo()).env_clear().envs(place.environment());
        let outcome = Outcome::of(traced);
        if outcome.code == Some(0) {
            assert!(nth > 20, "only {nth} writes to disk");
            place.finish();
            return;
        }
        // Killed before the job was accepted: there is nothing to resume, and nothing was promised.
        let accepted = outcome.stdout.contains("\"queued\"");
        let listed = place.overnight(&["ls", "--all", "--json"]).expect_code(0).json();
        let known = !listed["data"].as_array().unwrap().is_empty();
        assert!(known || !accepted, "an accepted job is lost after write {nth}");
        if known {
            let outcome = place.overnight(&["resume", "--all"]);
            expect_done(&place, &outcome, &format!("write {nth}"));
        }
        place.finish();
        nth += 1;
    }
}
