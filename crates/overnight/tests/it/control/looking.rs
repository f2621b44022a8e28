//! Looking at jobs: lists, one job, its logs and its change, for people and for programs.

use serde_json::Value;

use super::{FIX, MISS, hanging};
use crate::harness::{Place, with_prompt};

/// Keys of an object, sorted.
fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

#[track_caller]
fn has(value: &Value, wanted: &[&str]) {
    let found = fields(value);
    for field in wanted {
        assert!(found.contains(field), "{field} is not among {found:?}");
    }
}

const JOB: [&str; 12] = [
    "id",
    "key",
    "title",
    "repository",
    "agent",
    "state",
    "attempt",
    "attempts",
    "used",
    "reason",
    "published",
    "exit_code",
];

#[test]
fn documents_for_programs_have_one_envelope_and_stable_fields() {
    let place = Place::new();
    let listed = place.overnight(&["ls", "--json"]).expect_code(0).json();
    assert_eq!(
        (&listed["schema"], &listed["kind"], &listed["data"]),
        (&"overnight/v1".into(), &"jobs".into(), &Value::Array(vec![]))
    );

    let script = place.script(&[FIX]);
    let run = place.overnight(&with_prompt(&script, &["--json"])).expect_code(0).json();
    let listed = place.overnight(&["ls", "--json"]).expect_code(0).json();
    let shown = place.overnight(&["show", "repo-1", "--json"]).expect_code(0).json();
    for document in [&run, &listed, &shown] {
        assert_eq!(fields(document), ["data", "kind", "schema"]);
        assert_eq!(document["schema"], "overnight/v1");
    }
    let jobs = [&run["data"], &listed["data"][0], &shown["data"]["job"]];
    for job in jobs {
        has(job, &JOB);
        assert_eq!(job, jobs[0]);
    }
    has(&shown["data"], &["job", "prompt", "story", "logs"]);
    assert_eq!(shown["data"]["prompt"], "Make the check pass");
    assert_eq!(jobs[0]["published"]["branch"], place.branches()[0]);
    assert_eq!(jobs[0]["published"]["commit"], place.git(&["rev-parse", &place.branches()[0]]));
    assert_eq!(jobs[0]["exit_code"], 0);
    let id = jobs[0]["id"].as_str().unwrap();
    for name in [id, &id[..id.len() - 4]] {
        assert_eq!(place.shown(name).job["key"], "repo-1");
    }
    place.finish();
}

#[test]
fn lists_and_pages_for_people_say_what_matters() {
    let place = Place::new();
    place.overnight(&["ls"]).expect_code(0).expect_said(&["no jobs yet", "overnight run"]);
    place.rehearse(&[FIX], &[]).expect_code(0);
    place.rehearse(&[MISS], &["--attempts", "1"]).expect_code(5);
    let list = place.overnight(&["ls"]).expect_code(0).stdout;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    for (line, words) in [(lines[1], ["repo-2", "verification_failed"]), (lines[2], ["repo-1", "published"])]
    {
        assert!(words.iter().all(|word| line.contains(word)), "{list}");
    }
    assert_eq!(place.overnight(&["ls", "-n", "1"]).expect_code(0).stdout.lines().count(), 2);
    let page = place.overnight(&["show", "repo-2"]).expect_code(0).stdout;
    for words in [
        "repo-2 Make the check pass",
        "rehearsal",
        "sh check.sh",
        "verification failed",
        "overnight logs repo-2",
    ] {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
    let events = place.overnight(&["show", "repo-1", "--events"]).expect_code(0).stdout;
    assert!(events.lines().count() > 10 && events.contains("branch_pushed"), "{events}");
    place.finish();
}

#[test]
fn logs_tell_what_the_agent_and_the_checks_wrote() {
    let place = Place::new();
    place
        .rehearse(
            &[&format!("{{ say = \"first try\" }}, {MISS}"), &format!("{{ say = \"second try\" }}, {FIX}")],
            &[],
        )
        .expect_code(0);
    let all = place.overnight(&["logs", "repo-1"]).expect_code(0).stdout;
    for words in [
        "turn 1",
        "first try",
        "turn 2",
        "second try",
        "check 1 of attempt 1",
        "answer is 43, not 42",
        "on the base",
    ] {
        assert!(all.contains(words), "{words:?} is not in {all}");
    }
    let second = place.overnight(&["logs", "repo-1", "--turn", "2"]).expect_code(0).stdout;
    assert!(
        second.contains("second try") && !second.contains("first try") && !second.contains("check 1"),
        "{second}"
    );
    let checks = place.overnight(&["logs", "repo-1", "--checks"]).expect_code(0).stdout;
    assert!(checks.contains("answer is 43") && !checks.contains("try"), "{checks}");
    let raw = place.overnight(&["logs", "repo-1", "--raw"]).expect_code(0).stdout;
    assert!(
        raw.lines()
            .any(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["text"] == "first try")),
        "{raw}"
    );
    for turn in ["0", "3", "x"] {
        place.overnight(&["logs", "repo-1", "--turn", turn]).expect_code(2);
    }
    place.finish();
}

#[test]
fn a_followed_log_ends_when_the_job_ends() {
    let place = Place::new();
    let live = hanging(&place);
    let mut follower = place.command(&place.repo(), &["logs", "-f", "repo-1"]);
    let follower = crate::harness::Live::start({
        follower.env("NO_COLOR", "1");
        follower
    });
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    live.wait().expect_code(3);
    let followed = follower.wait().expect_code(3).expect_said(&["cancelled"]);
    assert!(followed.stdout.contains("thinking"), "{}", followed.stdout);
    let after = place.overnight(&["logs", "-f", "repo-1"]).expect_code(3);
    assert_eq!(after.stdout, followed.stdout);
    place.finish();
}

#[test]
fn the_change_can_be_seen_published_or_not() {
    let place = Place::new();
    place.rehearse(&[FIX], &[]).expect_code(0);
    place.rehearse(&[MISS], &["--attempts", "1"]).expect_code(5);
    for (job, line) in [("repo-1", "+42"), ("repo-2", "+43")] {
        let patch = place.overnight(&["diff", job]).expect_code(0).stdout;
        assert!(patch.contains("-41\n") && patch.contains(line), "{patch}");
        let stat = place.overnight(&["diff", job, "--stat"]).expect_code(0).stdout;
        assert!(stat.contains("answer") && stat.contains("1 file"), "{stat}");
    }
    let patch = place.overnight(&["diff", "repo-2"]).expect_code(0).stdout;
    let file = place.write("change.patch", &patch).display().to_string();
    place.git(&["apply", "--check", &file]);
    place.rehearse(&[r#"{ say = "nothing to do" }"#], &["--attempts", "1"]).expect_code(6);
    place
        .overnight(&["diff", "repo-3"])
        .expect_code(2)
        .expect_said(&["no commits yet", "overnight show repo-3"]);
    place.finish();
}

/// The mirror keeps the work although the person deleted the branch and the repository moved on.
#[test]
fn a_deleted_branch_is_not_the_end_of_the_work() {
    let place = Place::new();
    place.rehearse(&[FIX], &[]).expect_code(0);
    place.git(&["branch", "-q", "-D", &place.branches()[0]]);
    place.git(&["gc", "-q", "--prune=now"]);
    assert!(place.overnight(&["diff", "repo-1"]).expect_code(0).stdout.contains("+42"));
    place.finish();
}
