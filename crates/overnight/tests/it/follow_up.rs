//! `overnight continue`: what is to be done next on a job that has ended.

use overnight_testkit::model::Scenario;

use crate::harness::Place;
use crate::harness::fleet::FIX;
use crate::harness::forge::{Forge, run as run_pr};
use crate::harness::model::{conversation, finish, model, place, run, said_last};
use overnight_testkit::forge::Flavour;

const WINDOW: &str =
    "{ write = { path = \"window\", content = \"open\\n\" } }, { commit = { message = \"Add a window\" } }";

#[test]
fn a_follow_up_goes_on_in_the_conversation_and_on_the_branch() {
    let Some(mut place) = place("a_follow_up_goes_on_in_the_conversation") else { return };
    let more = finish(Scenario::new())
        .shell("echo open > window && git add window && git commit --quiet --message='Add a window'")
        .say("There is a window.");
    let model = model(&mut place, more);
    run(&place, &[]).expect_code(0);
    let branch = place.branches();
    let before = place.git(&["rev-parse", &branch[0]]);
    place.overnight(&["continue", "repo-1", "-m", "Now add a window."]).expect_code(0);
    assert_eq!(place.branches(), branch, "the same branch");
    assert_eq!(place.show(&branch[0], "window"), "open");
    assert_eq!(place.git(&["rev-parse", &format!("{}~1", branch[0])]), before, "on top of what was there");
    let asked = model.asked();
    let next = &asked[asked.len() - 2];
    assert!(said_last(next).contains("Now add a window."), "{}", said_last(next));
    assert!(!said_last(next).contains("Make the check pass"), "only what is new");
    assert!(conversation(next).contains("The answer is 42 now."), "it remembers");
    let job = place.shown("repo-2").job;
    assert_eq!((&job["state"], &job["title"]), (&"ended".into(), &"Now add a window.".into()), "{job:#}");
    let announced = place.shown("repo-2").events;
    let announced = announced.iter().find(|event| event["type"] == "turn_announced").unwrap();
    assert_eq!(announced["session"]["kind"], "resume", "{announced:#}");
    place.finish();
}

/// Scripts of two jobs: what the first does, and what its follow-up does.
fn rehearsed(place: &Place, first: &str) -> String {
    place.script(&[first])
}

fn go_on(place: &Place, script: &str, message: &str) -> crate::harness::Outcome {
    place.overnight(&["continue", "repo-1", "--script", script, "-m", message])
}

#[test]
fn a_follow_up_of_a_job_that_failed_begins_with_its_work() {
    let place = Place::new();
    let wrong =
        "{ write = { path = \"notes\", content = \"kept\\n\" } }, { commit = { message = \"Notes\" } }";
    let script = rehearsed(&place, wrong);
    let args = ["run", "--agent", "rehearsal", "--script", &script, "--attempts", "1", "Make the check pass"];
    place.overnight(&args).expect_code(5);
    assert!(place.branches().is_empty());
    let second = place.write("second.toml", &format!("[[attempt]]\nsteps = [{FIX}]\n"));
    go_on(&place, second.to_str().unwrap(), "The answer is 42.").expect_code(0);
    let branch = place.branches();
    assert_eq!(branch.len(), 1);
    assert_eq!(
        (place.show(&branch[0], "notes"), place.show(&branch[0], "answer")),
        ("kept".into(), "42".into())
    );
    place.finish();
}

#[test]
fn a_branch_that_somebody_has_moved_is_built_on_and_never_overwritten() {
    let place = Place::new();
    let script = rehearsed(&place, FIX);
    place
        .overnight(&["run", "--agent", "rehearsal", "--script", &script, "Make the check pass"])
        .expect_code(0);
    let branch = place.branches()[0].clone();
    place.git(&["switch", "--quiet", &branch]);
    place.write_in(&place.repo(), "mine", "mine\n");
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "--message=Mine"]);
    place.git(&["switch", "--quiet", "main"]);
    let second = place.write("second.toml", &format!("[[attempt]]\nsteps = [{WINDOW}]\n"));
    go_on(&place, second.to_str().unwrap(), "Add a window.").expect_code(0);
    assert_eq!((place.show(&branch, "mine"), place.show(&branch, "window")), ("mine".into(), "open".into()));

    // Moved while the follow-up is worked on: its work is kept, and nobody's is lost.
    let third = place.write(
        "third.toml",
        "[[attempt]]\nsteps = [{ write = { path = \"door\", content = \"open\\n\" } }, { commit = { message = \"Door\" } }, \
         { wait_for_file = { path = \"GO\" } }]\n",
    );
    let text = std::fs::read_to_string(&third).unwrap().replace("GO", place.path("go").to_str().unwrap());
    std::fs::write(&third, text).unwrap();
    let args = ["continue", "repo-1", "--events", "--script", third.to_str().unwrap(), "-m", "Add a door."];
    let mut live = place.start(&args);
    let _ = live.until("turn_started");
    let moved = place.git(&["commit-tree", &format!("{branch}^{{tree}}"), "-p", &branch, "-m", "Moved"]);
    place.git(&["update-ref", &format!("refs/heads/{branch}"), &moved]);
    std::fs::write(place.path("go"), "").unwrap();
    live.wait().expect_code(1);
    assert_eq!(place.git(&["rev-parse", &branch]), moved);
    let job = place.shown("repo-3").job;
    assert_eq!(job["reason"], "branch_conflict", "{job:#}");
    place.finish();
}

#[test]
fn what_cannot_be_continued_is_said() {
    let place = Place::new();
    let said = |args: &[&str], words: &[&str]| {
        place.overnight(args).expect_code(2).expect_said(words);
    };
    said(&["continue", "repo-9", "-m", "x"], &["repo-9"]);
    let script = rehearsed(&place, "{ say = \"nothing\" }");
    let args = ["run", "--agent", "rehearsal", "--script", &script, "--attempts", "1", "Make the check pass"];
    place.overnight(&args).expect_code(6);
    said(&["continue", "repo-1", "-m", " "], &["the message is empty"]);
    place
        .overnight(&["add", "--agent", "rehearsal", "--script", &script, "Make the check pass"])
        .expect_code(0);
    said(&["continue", "repo-2", "-m", "x"], &["has not ended", "overnight resume repo-2"]);
    place.finish();
}

#[test]
fn a_follow_up_of_a_pull_request_pushes_to_it_and_opens_no_second() {
    let mut place = Place::new();
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    run_pr(&place, &[]).expect_code(0);
    let first = forge.expect_one(&place, "the first job").number;
    let second = place.write("second.toml", &format!("[[attempt]]\nsteps = [{WINDOW}]\n"));
    go_on(&place, second.to_str().unwrap(), "Add a window.").expect_code(0);
    let pull = forge.expect_one(&place, "the follow-up");
    assert_eq!(pull.number, first);
    assert_eq!(forge.show(&place, &pull.head, "window"), "open");
    place.finish();
}
