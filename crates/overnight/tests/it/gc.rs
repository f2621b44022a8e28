//! `overnight gc`: what it lists is what it deletes, a running job is left alone, and compressed logs read as before.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::harness::{Place, eventually};

const WORK: &str =
    r#"{ write = { path = "answer", content = "42\n" } }, { commit = { message = "Correct it" } }"#;

fn done_job(place: &Place) -> (String, std::path::PathBuf) {
    let script = place.script(&[WORK]);
    let ran = place.overnight(&["run", "--agent", "rehearsal", "--script", &script, "--json", "Fix it"]);
    let job = ran.expect_code(0).json();
    let id = job["data"]["id"].as_str().unwrap().to_owned();
    let dir = place.data().join("jobs").join(&id);
    (job["data"]["key"].as_str().unwrap().to_owned(), dir)
}

fn items(document: &Value) -> Vec<(String, String, String)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = document["data"]["items"].as_array().unwrap();
    items.iter().map(|item| (text(item, "kind"), text(item, "what"), text(item, "outcome"))).collect()
}

#[test]
fn where_nothing_was_ever_queued_there_is_nothing_to_clear_up() {
    let place = Place::new();
    place.overnight(&["gc"]).expect_code(0).expect_said(&["nothing to clear up"]);
    assert!(items(&place.overnight(&["gc", "--dry-run", "--json"]).expect_code(0).json()).is_empty());
    place.finish();
}

#[test]
fn what_a_dry_run_lists_is_what_is_deleted_and_then_there_is_nothing_left() {
    let mut place = Place::new();
    let (key, dir) = done_job(&place);
    place.overnight(&["gc"]).expect_code(0).expect_said(&["nothing to clear up"]);

    // What a cleanup that failed, a dead runner and a dead git would have left.
    let outside = place.write("outside/keep", "keep");
    symlink(outside.parent().unwrap(), dir.join("workspace")).unwrap();
    fs::create_dir_all(dir.join("tmp/inner")).unwrap();
    symlink(&outside, dir.join("tmp/inner/link")).unwrap();
    let mirrors = place.data().join("mirrors");
    let mirror = fs::read_dir(&mirrors).unwrap().map(|entry| entry.unwrap().path());
    let mirror = mirror.into_iter().find(|path| path.extension().is_some_and(|end| end == "git")).unwrap();
    fs::write(mirror.join("packed-refs.lock"), "").unwrap();
    fs::create_dir_all(mirror.with_extension("git.new").join("objects")).unwrap();

    let listed = place.overnight(&["gc", "--dry-run"]).expect_code(0).expect_plain();
    assert!(listed.stdout.contains(&key) && listed.stdout.lines().count() == 2, "{}", listed.stdout);
    assert!(dir.join("tmp").exists() && mirror.join("packed-refs.lock").exists());
    let planned = items(&place.overnight(&["gc", "--dry-run", "--json"]).expect_code(0).json());
    let done = items(&place.overnight(&["gc", "--json"]).expect_code(0).json());
    let named = |items: &[(String, String, String)]| {
        let mut names: Vec<_> = items.iter().map(|(kind, what, _)| (kind.clone(), what.clone())).collect();
        names.sort();
        names
    };
    assert_eq!(named(&planned), named(&done));
    assert!(done.iter().all(|(_, _, outcome)| outcome == "done"), "{done:?}");
    place.overnight(&["gc"]).expect_code(0).expect_said(&["nothing to clear up"]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "only the logs stay");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "keep");
    assert!(mirror.exists());

    // In the end the record goes too, and the branch stays.
    place.env("OVERNIGHT_RETENTION_JOBS", "0s");
    let refused = place.overnight(&["gc"]);
    assert_eq!(refused.code, Some(2), "a time is more than nothing: {}", refused.stderr);
    place.env("OVERNIGHT_RETENTION_JOBS", "1s");
    let kinds = eventually("the record is old enough", || {
        let done = items(&place.overnight(&["gc", "--json"]).expect_code(0).json());
        let kinds: Vec<String> = done.into_iter().map(|(kind, _, _)| kind).collect();
        (!kinds.is_empty()).then_some(kinds)
    });
    assert_eq!(kinds, ["directory", "refs", "record"]);
    assert!(!dir.exists());
    place.overnight(&["show", &key]).expect_code(2);
    assert_eq!(place.branches().len(), 1);
    place.finish();
}

#[test]
fn a_compressed_log_reads_as_before() {
    let mut place = Place::new();
    let long = "x".repeat(8_000);
    let say = format!(r#"{{ say = "{long}" }}, {WORK}"#);
    let script = place.script(&[&say]);
    place.write_in(&place.repo(), "overnight.toml", "[verify]\nchecks = [\"seq 5000; sh check.sh\"]\n");
    place.git(&["commit", "-qam", "A long check"]);
    let ran = place.overnight(&["run", "--agent", "rehearsal", "--script", &script, "--json", "Fix it"]);
    let job = ran.expect_code(0).json();
    let (key, id) = (job["data"]["key"].as_str().unwrap(), job["data"]["id"].as_str().unwrap());
    let all = |place: &Place| {
        let logs = |args: &[&str]| place.overnight(&[&["logs", key], args].concat()).expect_code(0).stdout;
        [logs(&[]), logs(&["--raw"]), logs(&["--checks"]), logs(&["--follow"])]
    };
    let before = all(&place);
    assert!(before[0].contains("xxxx") && before[2].contains("4999"), "{before:?}");

    place.env("OVERNIGHT_RETENTION_COMPRESS", "1s");
    let compressed = eventually("the logs are old enough", || {
        let done = items(&place.overnight(&["gc", "--json"]).expect_code(0).json());
        (!done.is_empty()).then_some(done)
    });
    assert_eq!(compressed.len(), 2, "{compressed:?}");
    let log = place.data().join("jobs").join(id).join("log");
    assert!(!log.join("turn-1.out.jsonl").exists() && log.join("turn-1.out.jsonl.gz").exists());
    assert_eq!(all(&place), before);
    place.finish();
}

#[test]
fn a_running_job_is_left_alone_and_ends_well() {
    let mut place = Place::new();
    let gate = place.path("go");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done", gate.display());
    let script = place.script(&[&format!(r#"{{ run = {{ command = "{wait}" }} }}, {WORK}"#)]);
    let mut live = place.start(&["run", "--agent", "rehearsal", "--script", &script, "--events", "Fix it"]);
    live.until("turn_started");
    // However short everything is kept, none of it is of a job that has ended.
    for setting in ["CRASHED", "COMPRESS", "LOGS", "JOBS", "MIRRORS"] {
        place.env(&format!("OVERNIGHT_RETENTION_{setting}"), "1s");
    }
    let id = fs::read_dir(place.data().join("jobs")).unwrap().next().unwrap().unwrap().path();
    let old = std::time::SystemTime::UNIX_EPOCH;
    fs::File::open(&id).unwrap().set_modified(old).unwrap();
    for _ in 0..3 {
        assert!(items(&place.overnight(&["gc", "--json"]).expect_code(0).json()).is_empty());
    }
    fs::write(&gate, "").unwrap();
    live.wait().expect_code(0);
    assert_eq!(place.branches().len(), 1);
    place.finish();
}

#[test]
fn a_job_whose_runner_was_killed_is_left_alone_and_can_go_on() {
    let place = Place::new();
    let gate = place.path("go");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done", gate.display());
    let script = place.script(&[&format!(r#"{{ run = {{ command = "{wait}" }} }}, {WORK}"#)]);
    let mut live = place.start(&["run", "--agent", "rehearsal", "--script", &script, "--events", "Fix it"]);
    live.until("turn_started");
    live.kill();
    let done = items(&place.overnight(&["gc", "--json"]).expect_code(0).json());
    assert!(done.iter().all(|(kind, _, _)| kind == "processes"), "{done:?}");
    fs::write(&gate, "").unwrap();
    place.overnight(&["resume", "--all"]).expect_code(0);
    assert_eq!(place.branches().len(), 1);
    place.finish();
}
