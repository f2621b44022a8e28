//! The queue as people use it: what goes in and in which order it comes out, what has to wait for what, and how a job in it
//! is moved by hand.

mod adding;
mod moving;

use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::harness::fleet::{Engine, FIX, hasten, held_until, place_on};
use crate::harness::{Outcome, Place, eventually, with_prompt};

/// A place with times at which nothing has to be waited for long.
fn place() -> Place {
    let mut place = Place::new();
    hasten(&mut place);
    place
}

/// Arguments of an `add` that the scripted agent can do. The prompt is the caller's.
fn adding<'a>(script: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["add", "--agent", "rehearsal", "--script", script], more].concat()
}

impl Place {
    /// Runs `add` in the repository.
    fn adds(&self, more: &[&str]) -> Outcome {
        let script = self.script(&[FIX]);
        self.overnight(&adding(&script, more))
    }

    /// What `ls --json` says of this job.
    #[track_caller]
    fn listed(&self, key: &str) -> Value {
        let listed = self.overnight(&["ls", "--all", "--json"]).expect_code(0).json();
        let jobs = listed["data"].as_array().unwrap();
        jobs.iter().find(|job| job["key"] == key).unwrap_or_else(|| panic!("no {key} in {listed:#}")).clone()
    }

    /// Keys in the order in which a worker with one slot took them, when it had nothing left to do.
    #[track_caller]
    fn taken_in_turn(&self) -> Vec<String> {
        let outcome = self.worker(&["--exit-when-idle", "--slots", "1", "--events"]).wait().expect_code(0);
        let claimed = outcome.events().into_iter().filter(|event| event["type"] == "claimed");
        claimed.map(|event| event["key"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_higher_priority_goes_first_and_a_later_time_waits() {
    let place = place();
    let keys = [
        place.add("repo", &[FIX], &[]),
        place.add("repo", &[FIX], &["--priority", "-7"]),
        place.add("repo", &[FIX], &["--priority", "5"]),
        place.add("repo", &[FIX], &["--not-before", "+1h", "--priority", "100"]),
    ];
    assert_eq!(place.taken_in_turn(), [2, 0, 1].map(|at: usize| keys[at].clone()));
    let early = place.listed(&keys[3]);
    assert_eq!((&early["state"], &early["queue"]["phase"]), (&"queued".into(), &"due".into()), "{early:#}");
    let page = place.overnight(&["show", &keys[3]]).expect_code(0).stdout;
    assert!(page.contains("not before") && page.contains("priority"), "{page}");
    place.overnight(&["resume", "--all"]).expect_code(0).expect_said(&["waits until", "nothing to resume"]);
    // Named, it is tried all the same.
    place.overnight(&["resume", &keys[3]]).expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn jobs_wait_for_other_jobs_and_follow_those_that_fail() {
    for engine in Engine::BOTH {
        if let Some(place) = place_on(engine, "jobs wait for other jobs") {
            waiting_and_following(place);
        }
    }
}

fn waiting_and_following(place: Place) {
    let first = place.add("repo", &[r#"{ say = "nothing to do" }"#], &["--attempts", "1"]);
    let second = place.add("repo", &[FIX], &["--after", &first]);
    let third = place.add("repo", &[FIX], &["--after", &second]);
    let any = place.add("repo", &[FIX], &["--after-any", &first, "--after-any", &third]);
    let blocked = place.listed(&any);
    assert_eq!((&blocked["reason"], &blocked["queue"]["phase"]), (&"dependency".into(), &"blocked".into()));
    assert_eq!(blocked["queue"]["waits_for"], serde_json::json!([first, third]));
    let list = place.overnight(&["ls"]).expect_code(0).stdout;
    assert!(list.contains(&format!("after {first}, {third}")), "{list}");
    place.overnight(&["resume", &any]).expect_code(8).expect_said(&["waits for", &first, &third]);
    place.overnight(&["resume", &any, "--here"]).expect_code(8);

    place.work_off().expect_code(0);
    let ends = [&first, &second, &third, &any].map(|key| place.until_ended(key));
    assert_eq!(ends, ["no_changes", "dependency_failed", "dependency_failed", "published"]);
    let shown = place.overnight(&["show", &any, "--json"]).expect_code(0).json();
    let after: Vec<_> =
        shown["data"]["after"].as_array().unwrap().iter().map(|parent| &parent["reason"]).collect();
    assert_eq!(after, ["no_changes", "dependency_failed"]);
    let page = place.overnight(&["show", &second]).expect_code(0).stdout;
    assert!(page.contains("was not done") && page.contains(&format!("{first} (no_changes)")), "{page}");

    let said = [first.as_str(), "has ended already", "--after-any"];
    place.adds(&["--after", &first, "Later"]).expect_code(2).expect_said(&said);
    place.adds(&["--after", &any, "Later"]).expect_code(0);
    place.work_off().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn jobs_of_a_group_run_one_at_a_time() {
    let place = place();
    let go = place.path("go");
    let held = held_until(go.to_str().unwrap());
    let grouped = ["--group", "story"];
    let first = place.add("repo", &[&held], &grouped);
    let second = place.add("repo", &[&held], &grouped);
    let other = place.add("repo", &[&held], &[]);
    let worker = place.worker(&["--slots", "3"]);
    for key in [&first, &other] {
        place.until_event(key, "turn_started");
    }
    assert_eq!(place.listed(&second)["queue"]["phase"], "ready");
    place.write("go", "");
    assert_eq!(place.until_ended(&second), "published");
    let mut tables = place.tables();
    assert_eq!(tables.job(&first).end_reason.as_deref(), Some("published"), "it was still going");
    worker.stop().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn limits_are_set_listed_and_taken_away() {
    let place = place();
    place.overnight(&["limit", "ls"]).expect_code(0).expect_said(&["no limits are set"]);
    place.overnight(&["limit", "rm", "label:slow"]).expect_code(2).expect_said(&["no limit label:slow"]);
    place.overnight(&["limit", "set", "host:x", "1"]).expect_code(2).expect_said(&["repository:NAME"]);
    place
        .overnight(&["limit", "set", "label:slow", "0"])
        .expect_code(0)
        .expect_said(&["no job of label:slow"]);
    for key in ["repository:repo", "group:repo/parser"] {
        let said = ["no repository \"repo\"", "none is known yet", "--ahead"];
        place.overnight(&["limit", "set", key, "3"]).expect_code(2).expect_said(&said);
        place.overnight(&["limit", "set", key, "3", "--ahead"]).expect_code(0);
        place.overnight(&["limit", "rm", key]).expect_code(0);
    }
    let slow = place.add("repo", &[FIX], &["--label", "slow"]);
    let said = ["no repository \"repos\"", "did you mean repo?", "those known are: repo"];
    place.overnight(&["limit", "set", "repository:repos", "3"]).expect_code(2).expect_said(&said);
    place.overnight(&["limit", "set", "repository:repo", "3"]).expect_code(0);
    place.overnight(&["limit", "rm", "repository:repo"]).expect_code(0);
    let quick = place.add("repo", &[FIX], &[]);
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended(&quick), "published");
    assert_eq!(place.listed(&slow)["queue"]["phase"], "ready");
    place.overnight(&["resume", &slow]).expect_code(8).expect_said(&["label:slow", "overnight limit"]);
    let listed = place.overnight(&["limit", "ls", "--json"]).expect_code(0).json();
    assert_eq!(listed["data"], serde_json::json!([{ "key": "label:slow", "slots": 0, "held": 0 }]));
    place.overnight(&["limit", "rm", "label:slow"]).expect_code(0);
    assert_eq!(place.taken_in_turn(), [slow]);
    place.check_fleet();
    place.finish();
}

#[test]
fn lists_show_only_what_is_asked_for() {
    let place = place();
    place.make_repo("other");
    let mine = place.add("repo", &[FIX], &["--label", "a_b"]);
    let theirs = place.add("other", &[FIX], &["--label", "a.b"]);
    let parked = place.add("repo", &[FIX], &["--label", "A_B", "--after", &mine]);
    let keys = |args: &[&str]| -> Vec<String> {
        let listed = place.overnight(&[&["ls", "--json"], args].concat()).expect_code(0).json();
        let jobs = listed["data"].as_array().unwrap().iter();
        jobs.map(|job| job["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&["--label", "a_b"]), [mine.as_str()]);
    assert_eq!(keys(&["--repo", "other"]), [theirs.as_str()]);
    assert_eq!(keys(&["--state", "parked"]), [parked.as_str()]);
    assert_eq!(keys(&["--state", "queued", "--state", "parked", "--repo", "repo"]).len(), 2);
    assert!(keys(&["--label", "nobody"]).is_empty() && keys(&["--state", "ended"]).is_empty());
    place.overnight(&["ls", "--label", "nobody"]).expect_code(0).expect_said(&["no such jobs"]);
    place.overnight(&["ls", "--repo", "othr"]).expect_code(2).expect_said(&["did you mean other?"]);
    place.overnight(&["ls", "--state", "waiting"]).expect_code(2).expect_said(&["parked"]);
    place.finish();
}

/// Another data directory on the same queue, as on another machine.
fn elsewhere(place: &Place, args: &[&str]) -> Outcome {
    let mut command = place.command(&place.home(), args);
    command.env("OVERNIGHT_DATA_DIR", place.path("elsewhere"));
    Outcome::of(command)
}

#[test]
fn a_job_of_a_local_repository_is_done_where_the_repository_is() {
    let mut place = place();
    let database = place.path("shared.db");
    place.env("OVERNIGHT_DATABASE_URL", &database);
    let key = place.add("repo", &[FIX], &[]);
    elsewhere(&place, &["work", "--exit-when-idle"]).expect_code(0).expect_said(&["ended after 0 jobs"]);
    for more in [&[][..], &["--here"]] {
        let args = [&["resume", &key], more].concat();
        elsewhere(&place, &args).expect_code(8).expect_said(&["can only be done where", "data directory"]);
    }
    elsewhere(&place, &["resume", "--all"]).expect_code(0).expect_said(&["nothing to resume"]);
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended(&key), "published");
    elsewhere(&place, &["retry", &key]).expect_code(2).expect_said(&["can only be done where"]);
    place.check_fleet();
    place.finish();
}

/// Bytes that a pipe holds before who writes has to wait.
const PIPE: usize = 64 << 10;

/// A command that works in the foreground is not robbed of its own job by a worker that has nothing to do: held up between
/// the moment at which the job is there and the one at which it is claimed, it finds it where it was.
#[test]
fn a_run_keeps_its_job_although_a_worker_is_idle() {
    let place = place();
    let worker = place.worker(&[]);
    let script = place.script(&[FIX]);
    let (mut reader, mut full) = std::io::pipe().unwrap();
    full.write_all(&vec![b'\n'; PIPE]).unwrap();
    let mut run = {
        // Gone after the start, so that only the program has the end that is written to.
        let mut command = place.command(&place.repo(), &with_prompt(&script, &["--events"]));
        command.stdin(Stdio::null()).stdout(full).stderr(Stdio::null()).spawn().unwrap()
    };
    let job = eventually("the job", || place.tables().try_jobs().ok()?.pop());
    assert_eq!((job.phase.as_str(), job.holder), ("due", None));
    let mut streamed = String::new();
    reader.read_to_string(&mut streamed).unwrap();
    assert!(run.wait().unwrap().success(), "{streamed}");
    assert!(streamed.contains("branch_pushed"), "{streamed}");
    worker.stop().expect_code(0).expect_said(&["ended after 0 jobs"]);
    place.check_fleet();
    place.finish();
}
