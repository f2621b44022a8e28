//! The same for a job that another agent takes over, and for a follow-up on a branch that is there already.

use super::expect_done;
use crate::harness::fleet::FIX;
use crate::harness::{Place, sh};

const WRONG: &str =
    "{ write = { path = \"answer\", content = \"40\\n\" } }, { commit = { message = \"A guess\" } }";
const MORE: &str =
    "{ write = { path = \"window\", content = \"open\\n\" } }, { commit = { message = \"Add a window\" } }";

/// Kills the command after its nth event, for every n, each time in a place of its own, and takes the job up again.
fn killed_after_each(args: impl Fn(&Place) -> Vec<String>, done: impl Fn(&Place, &str)) {
    let whole = Place::new();
    let all = args(&whole);
    let words: Vec<&str> = all.iter().map(String::as_str).collect();
    let events = whole.overnight(&words).expect_code(0).stdout.lines().count();
    done(&whole, "nothing");
    whole.finish();
    assert!(events > 12, "only {events} events");
    for nth in 1..events {
        let place = Place::new();
        let all = args(&place);
        let mut live = place.start(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let mut last = String::new();
        for _ in 0..nth {
            let Some(event) = live.next_event() else { break };
            last = format!("event {nth}: {}", event["event"]["type"]);
        }
        live.kill();
        let outcome = place.overnight(&["resume", "--all"]);
        expect_done(&place, &outcome, &last);
        done(&place, &last);
        place.finish();
    }
}

#[test]
fn killed_after_every_event_a_job_is_handed_over_once() {
    let args = |place: &Place| {
        place.configure(
            "[agent.adapters.fixer]\nargv = [\"sh\", \"-c\", \"echo 42 > answer\"]\nprompt = \"stdin\"\noutput = \"text\"\n",
        );
        let script = place.script(&[WRONG]);
        let words = [
            "run",
            "--agent",
            "rehearsal",
            "--script",
            &script,
            "--attempts",
            "1",
            "--backup-agent",
            "fixer",
        ];
        words.into_iter().chain(["--events", "Make the check pass"]).map(str::to_owned).collect()
    };
    killed_after_each(args, |place, killed| {
        let over = place.events_of("taken_over");
        assert_eq!(over.len(), 1, "killed after {killed}: {over:?}");
        assert_eq!(place.job()["attempt"], 2, "killed after {killed}");
    });
}

#[test]
fn killed_after_every_event_a_follow_up_is_on_the_branch_once() {
    let args = |place: &Place| {
        place.rehearse(&[FIX], &[]).expect_code(0);
        let script = place.write("second.toml", &format!("[[attempt]]\nsteps = [{MORE}]\n"));
        let words =
            ["continue", "repo-1", "--script", script.to_str().unwrap(), "--events", "-m", "Add a window."];
        words.map(str::to_owned).into()
    };
    killed_after_each(args, |place, killed| {
        let branch = &place.branches()[0];
        assert_eq!(place.show(branch, "window"), "open", "killed after {killed}");
        let subjects = place.git(&["log", "--format=%s", &format!("main..{branch}")]);
        assert_eq!(subjects, "Add a window\nCorrect the answer", "killed after {killed}");
    });
}

/// As an agent leaves it that was killed within its own `git commit`.
#[test]
fn locks_of_git_are_gone_when_the_next_turn_begins() {
    let place = Place::new();
    let locked =
        sh("branch=$(git symbolic-ref HEAD)\ntouch .git/index.lock .git/HEAD.lock .git/$branch.lock\n");
    place.rehearse(&[&format!("{WRONG}, {locked}"), FIX], &["--attempts", "2"]).expect_code(0);
    let subjects = place.git(&["log", "--format=%s", &format!("main..{}", place.branches()[0])]);
    assert_eq!(subjects, "Correct the answer\nA guess");
    assert!(!place.only_job().noticed("leftovers_committed"));
    place.finish();
}
