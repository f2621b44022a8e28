//! Jobs that share a branch and a pull request: stories, sprints, and everything that comes between two of their jobs.

mod backlog;
mod crash;
mod people;

use overnight_testkit::forge::{FakePullRequest, Flavour};
use serde_json::Value;

use crate::harness::fleet::{Engine, hasten, place_on};
use crate::harness::forge::Forge;
use crate::harness::{Place, sh};

/// A place with a forge beside it.
fn beside(flavour: Flavour) -> (Place, Forge) {
    let mut place = Place::new();
    hasten(&mut place);
    let forge = Forge::beside(&mut place, flavour);
    (place, forge)
}

/// The usual job, which also leaves a file of its own.
fn task(name: &str) -> String {
    format!(
        "{{ write = {{ path = \"answer\", content = \"42\\n\" }} }}, {{ write = {{ path = \"{name}\", content = \"{name}\\n\" }} }}, \
         {{ commit = {{ message = \"Task {name}\" }} }}, {{ usage = {{ input = 10, output = 5, cost = 0.25 }} }}"
    )
}

/// Each job of one script leaves a file of its own: `task-0`, `task-1`, …
fn numbered(more: &str) -> String {
    // A turn that is done again after a kill has the number of the first time: a job's own directory keeps it.
    let number = "kept=$TMPDIR/number\n[ -e $kept ] || { ls task-* 2>/dev/null | wc -l > $kept.new; mv $kept.new $kept; }\nn=$(cat $kept)";
    let work = format!("{number}\necho 42 > answer\n{more}\necho $n > task-$n\n");
    format!("{}, {{ commit = {{ message = \"One more task\" }} }}", sh(&work))
}

const STORY: [&str; 3] = ["--pr", "--line", "doors"];
const STORY_BRANCH: &str = "overnight/story-doors";
const SPRINT_BRANCH: &str = "overnight/sprint-night";

/// Three jobs as the sprint `night`, done by this script.
fn sprint(place: &Place, entries: &str, more: &[&str]) {
    let script = place.write("sprint.toml", entries).display().to_string();
    let batch = "{\"prompt\": \"First\"}\n{\"prompt\": \"Second\"}\n{\"prompt\": \"Third\"}\n";
    let batch = place.write("sprint.jsonl", batch).display().to_string();
    let args = ["add", "--batch", &batch, "--sprint", "night", "--agent", "rehearsal", "--script", &script];
    place.overnight(&[&args, more].concat()).expect_code(0);
}

fn attempt(steps: &str) -> String {
    format!("[[attempt]]\nsteps = [{steps}]\n")
}

/// The one pull request of a line.
#[track_caller]
fn only_pull(place: &Place, forge: &Forge, branch: &str) -> FakePullRequest {
    let pulls = forge.pulls();
    assert_eq!(pulls.len(), 1, "{pulls:#?}");
    assert_eq!(forge.branches(place), [branch]);
    assert_eq!(pulls[0].head, branch);
    pulls[0].clone()
}

/// How often each event of a job came.
fn count(place: &Place, key: &str, kind: &str) -> usize {
    place.shown(key).events.iter().filter(|event| event["type"] == kind).count()
}

fn sessions(place: &Place, keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| place.shown(key).first("turn_announced").unwrap()["session"].clone()).collect()
}

#[test]
fn a_story_is_one_branch_and_one_pull_request_whose_text_grows() {
    for flavour in [Flavour::GitHub, Flavour::Gitea] {
        let (place, forge) = beside(flavour);
        let first = place.add("repo", &[&task("a")], &[&STORY[..], &["--title", "Hang the door"]].concat());
        place.work_off().expect_code(0);
        let before = only_pull(&place, &forge, STORY_BRANCH);
        assert!(
            before.body.contains("1 of 1 tasks") && before.body.contains("Hang the door"),
            "{}",
            before.body
        );
        assert!(!before.draft);
        // The later one goes first: it is urgent, and nothing orders the tasks of a story.
        let second = place.add("repo", &[&task("b")], &STORY);
        let third = place.add("repo", &[&task("c")], &[&STORY[..], &["--priority", "50"]].concat());
        place.work_off().expect_code(0);
        let pull = only_pull(&place, &forge, STORY_BRANCH);
        assert_eq!(pull.number, before.number);
        assert!(pull.body.contains("3 of 3 tasks"), "{}", pull.body);
        for key in [&first, &second, &third] {
            assert!(pull.body.contains(&format!("### {key}: ")), "{key}: {}", pull.body);
            let job = place.shown(key).job;
            let tip = job["published"]["commit"].as_str().unwrap();
            assert!(pull.body.contains(&tip[..10]), "{key}: {}", pull.body);
            assert_eq!(job["published"]["pull_request"]["number"], pull.number, "{job:#}");
        }
        assert!(pull.body.contains("Together: $0.75"), "{}", pull.body);
        assert_eq!(pull.body.matches("| passed |").count(), 3, "{}", pull.body);
        let subjects =
            place.git_in(forge.bare().as_ref(), &["log", "--format=%s", &format!("trunk..{STORY_BRANCH}")]);
        assert_eq!(subjects, "Task b\nTask c\nTask a");
        assert!(
            sessions(&place, &[&first, &second, &third]).iter().all(|session| session["kind"] == "fresh")
        );
        let line = &place.shown(&second).job["line"];
        assert_eq!((&line["number"], &line["branch"]), (&2.into(), &STORY_BRANCH.into()), "{line:#}");
        let page = place.overnight(&["show", &second]).expect_code(0).stdout;
        assert!(page.contains("story doors, 2 of 2, on overnight/story-doors"), "{page}");
        let list = place.overnight(&["ls", "--all"]).expect_code(0).stdout;
        assert!(list.contains("[doors 3/3]"), "{list}");
        place.finish();
    }
}

#[test]
fn a_sprint_is_one_conversation_and_its_draft_is_ready_at_the_end() {
    for flavour in [Flavour::GitHub, Flavour::Gitea] {
        let (place, forge) = beside(flavour);
        sprint(&place, &attempt(&numbered("")), &["--pr"]);
        let held = place.worker(&["--exit-when-idle"]);
        place.until_event("repo-1", "ended");
        assert!(forge.pulls().len() == 1);
        held.wait().expect_code(0);
        let pull = only_pull(&place, &forge, SPRINT_BRANCH);
        assert!(!pull.draft && !pull.title.contains("WIP"), "{pull:#?}");
        assert!(pull.body.contains("3 of 3 tasks"), "{}", pull.body);
        for file in ["task-0", "task-1", "task-2"] {
            assert_eq!(forge.show(&place, SPRINT_BRANCH, file), file[5..]);
        }
        let sessions = sessions(&place, &["repo-1", "repo-2", "repo-3"]);
        assert_eq!(sessions[0]["kind"], "fresh", "{sessions:#?}");
        for later in &sessions[1..] {
            assert_eq!(
                (&later["kind"], &later["id"]),
                (&"resume".into(), &sessions[0]["id"]),
                "{sessions:#?}"
            );
        }
        // The conversation knows another task: it is told the next one, and that the one before is done.
        let id = place.shown("repo-2").job["id"].as_str().unwrap().to_owned();
        let prompt = std::fs::read_dir(place.data().join("jobs").join(id).join("log")).unwrap().flatten();
        let prompt =
            prompt.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("prompt")).unwrap();
        let prompt = std::fs::read_to_string(prompt).unwrap();
        for words in ["The task before this one is done", "# Task\n\nSecond", "- repo-1: First"] {
            assert!(prompt.contains(words), "{words}: {prompt}");
        }
        assert_eq!(count(&place, "repo-3", "pull_request_opened"), 1);
        place.finish();
    }
}

#[test]
fn a_task_that_fails_stops_its_sprint_and_the_pull_request_stays_a_draft() {
    let (place, forge) = beside(Flavour::GitHub);
    sprint(&place, &attempt(&numbered("[ $n = 1 ] && echo 40 > answer")), &["--pr", "--attempts", "1"]);
    place.work_off();
    let reason = |key: &str| place.shown(key).reason().to_owned();
    let reasons = ["repo-1", "repo-2", "repo-3"].map(reason);
    assert_eq!(reasons, ["published", "verification_failed", "dependency_failed"]);
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(pull.draft && pull.body.contains("1 of 3 tasks"), "{pull:#?}");
    // Done again, each in its place: the second goes on in the conversation of the first, and the third makes it ready.
    let good = place.write("good.toml", &attempt(&numbered(""))).display().to_string();
    for (old, new) in [("repo-2", "repo-4"), ("repo-3", "repo-5")] {
        place.overnight(&["retry", old, "--script", &good]).expect_code(0);
        assert_eq!(place.shown(new).first("turn_announced").unwrap()["session"]["kind"], "resume", "{new}");
    }
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(!pull.draft && pull.body.contains("3 of 3 tasks"), "{pull:#?}");
    place.finish();
}

#[test]
fn a_quota_in_the_middle_parks_the_task_and_the_sprint_goes_on_where_it_was() {
    let (place, forge) = beside(Flavour::GitHub);
    let turn = |steps: &str| format!("[[turn]]\nsteps = [{steps}]\n");
    let limited = "{ fail = { rate_limited = { reset_in_s = 1 } } }";
    sprint(&place, &[turn(limited), turn(&numbered(""))].concat(), &["--pr"]);
    let worker = place.worker(&[]);
    assert_eq!(place.until_ended("repo-3"), "published");
    worker.stop();
    for key in ["repo-1", "repo-2", "repo-3"] {
        // Its login may still be at rest from the job before when it is asked for.
        assert!(count(&place, key, "parked") >= 1, "{key}");
        assert_eq!(count(&place, key, "attempt_failed"), 0, "{key}");
    }
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(!pull.draft && pull.body.contains("3 of 3 tasks"), "{pull:#?}");
    place.finish();
}

#[test]
fn two_workers_take_the_tasks_of_a_story_one_at_a_time() {
    for engine in Engine::BOTH {
        let Some(mut place) = place_on(engine, "two_workers_take_the_tasks_of_a_story") else { continue };
        let forge = Forge::beside(&mut place, Flavour::GitHub);
        let keys: Vec<String> =
            ["a", "b", "c", "d"].iter().map(|name| place.add("repo", &[&task(name)], &STORY)).collect();
        let workers = [place.worker(&[]), place.worker(&[])];
        for key in &keys {
            assert_eq!(place.until_ended(key), "published", "{key}");
        }
        for worker in workers {
            worker.stop();
        }
        let pull = only_pull(&place, &forge, STORY_BRANCH);
        assert!(pull.body.contains("4 of 4 tasks"), "{}", pull.body);
        assert!(keys.iter().all(|key| count(&place, key, "branch_taken") == 0));
        place.finish();
    }
}

#[test]
fn a_line_works_in_a_local_repository_too() {
    let mut place = Place::new();
    hasten(&mut place);
    sprint(&place, &attempt(&numbered("")), &[]);
    place.add("repo", &[&task("a")], &["--line", "doors"]);
    place.add("repo", &[&task("b")], &["--line", "doors"]);
    place.work_off().expect_code(0);
    assert_eq!(place.branches(), [SPRINT_BRANCH, STORY_BRANCH]);
    assert_eq!(place.show(SPRINT_BRANCH, "task-2"), "2");
    assert_eq!((place.show(STORY_BRANCH, "a"), place.show(STORY_BRANCH, "b")), ("a".into(), "b".into()));
    place.finish();
}

#[test]
fn what_an_agent_wrote_on_the_branch_does_not_judge_the_next_one() {
    let mut place = Place::new();
    hasten(&mut place);
    let weaker =
        "{ write = { path = \"overnight.toml\", content = \"[verify]\\nchecks = [\\\"true\\\"]\\n\" } }, ";
    place.add("repo", &[&format!("{weaker}{}", task("a"))], &["--line", "doors"]);
    let wrong =
        "{ write = { path = \"answer\", content = \"40\\n\" } }, { commit = { message = \"Wrong\" } }";
    let second = place.add("repo", &[wrong], &["--line", "doors", "--attempts", "1"]);
    place.work_off();
    assert_eq!(place.shown(&second).reason(), "verification_failed");
    place.finish();
}

#[test]
fn orders_that_cannot_be_a_line_are_refused() {
    let place = Place::new();
    let script = place.script(&[&task("a")]);
    let add = |more: &[&str]| {
        place.overnight(&[&["add", "--agent", "rehearsal", "--script", &script], more].concat())
    };
    add(&["--line", "a", "--group", "b", "x"]).expect_code(2);
    add(&["--sprint", "a", "x"]).expect_code(2).expect_said(&["--sprint"]);
    add(&["--line", "two words", "x"]).expect_code(2).expect_said(&["letters, digits"]);
    let both = place.write("both.jsonl", "{\"prompt\": \"x\", \"line\": \"a\", \"group\": \"b\"}\n");
    add(&["--batch", both.to_str().unwrap()]).expect_code(2).expect_said(&["line", "group"]);
    let keyed = place
        .write("keyed.jsonl", "{\"prompt\": \"x\", \"key\": \"k1\"}\n{\"prompt\": \"y\", \"key\": \"k2\"}\n");
    let twice = || add(&["--batch", keyed.to_str().unwrap(), "--sprint", "s"]);
    twice().expect_code(0);
    assert_eq!(twice().expect_code(0).expect_said(&["added before"]).stdout, "repo-1\nrepo-2\n");
    let other = place.write("other.jsonl", "{\"prompt\": \"z\"}\n");
    let refused = add(&["--batch", other.to_str().unwrap(), "--sprint", "s"]);
    refused.expect_code(2).expect_said(&["there is a sprint s in this repository already"]);
    let lines =
        "{\"prompt\": \"a\", \"line\": \"x\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\", \"line\": \"x\"}\n";
    let lines = place.write("lines.jsonl", lines);
    add(&["--batch", lines.to_str().unwrap()]).expect_code(0);
    let of = |key: &str| place.shown(key).job["line"].clone();
    assert_eq!(
        (&of("repo-3")["number"], &of("repo-5")["count"], &of("repo-4")),
        (&1.into(), &2.into(), &Value::Null)
    );
    place.finish();
}
