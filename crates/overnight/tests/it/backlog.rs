//! The backlog as people use it: a plan comes in, its epic is started, a worker does it, states follow, and the plan goes out
//! again as it came.

mod input;

use serde_json::Value;

use crate::harness::fleet::{FIX, hasten};
use crate::harness::{Outcome, Place};

pub(crate) const PLAN: &str = "---
epic:
  title: The answer
  description: |
    People want to know.

    It is a number.
stories:
  - title: Find it
    acceptance:
      - the check passes
    tasks:
      - title: Write it down
        id: write
        plan: Change `answer`.
      - title: Look at it
        after:
          - write
  - title: Tell it
    tasks:
      - title: Print it
        max_cost: 2.5
---
";

pub(crate) fn place() -> Place {
    let mut place = Place::new();
    hasten(&mut place);
    place
}

impl Place {
    pub(crate) fn import(&self, text: &str, more: &[&str]) -> Outcome {
        let file = self.write("plan.md", text);
        let file = file.to_string_lossy();
        self.overnight(&[&["import", &file], more].concat())
    }

    /// Starts items with the scripted agent.
    pub(crate) fn starts(&self, attempts: &[&str], keys: &[&str]) -> Outcome {
        let script = self.script(attempts);
        let kind = ["task", "start", "--agent", "rehearsal", "--script", &script, "--json"];
        self.overnight(&[&kind, keys].concat())
    }

    /// Key and state of all items of this kind.
    pub(crate) fn states(&self, kind: &str) -> Vec<String> {
        let listed = self.overnight(&[kind, "ls", "--json"]).expect_code(0).json();
        let items = listed["data"].as_array().unwrap();
        items.iter().map(|item| format!("{} {}", word(&item["key"]), word(&item["state"]))).collect()
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_plan_becomes_an_epic_that_a_worker_does() {
    let place = place();
    place.import(PLAN, &["--dry-run"]).expect_code(0).expect_said(&["can be imported", "2 stories, 3 tasks"]);
    assert!(place.states("epic").is_empty());
    let epic = place.import(PLAN, &["--key", "k"]).expect_code(0).stdout;
    assert_eq!(epic, "repo-1\n");
    let again = place.import(PLAN, &["--key", "k"]).expect_code(0).expect_said(&["not again"]);
    assert_eq!(again.stdout, epic);
    assert_eq!(
        place.overnight(&["export", "repo-1"]).expect_code(0).stdout.replace("repo-3", "write"),
        exported()
    );
    assert_eq!(place.states("task"), ["repo-3 todo", "repo-6 todo", "repo-4 todo"]);
    let page = place.overnight(&["show", "repo-1"]).expect_code(0).expect_plain().stdout;
    assert!(page.contains("The answer") && page.contains("0 of 3"), "{page}");

    let started = place.starts(&[FIX], &["repo-1"]).expect_code(0).json();
    let keys: Vec<&str> =
        started["data"].as_array().unwrap().iter().map(|one| word(&one["job"]["key"])).collect();
    assert_eq!(keys, ["repo-3", "repo-4", "repo-6"]);
    assert_eq!(started["data"][0]["job"]["task"]["epic"], "repo-1");
    let said = ["repo-3", "in_progress", "overnight show repo-3"];
    place.starts(&[FIX], &["repo-3"]).expect_code(2).expect_said(&said);
    place.overnight(&["task", "mark", "repo-3", "done"]).expect_code(2).expect_said(&["has not ended"]);
    assert_eq!(place.shown("repo-4").job["queue"]["waits_for"], serde_json::json!(["repo-3"]));
    place.work_off().expect_code(0);
    assert_eq!(place.states("task"), ["repo-3 review", "repo-6 review", "repo-4 review"]);
    // People see what belongs together.
    let listed = place.overnight(&["task", "ls"]).expect_code(0).stdout;
    let firsts: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(firsts, ["KEY", "repo-1", "repo-3", "repo-4", "repo-1", "repo-6"], "{listed}");
    assert!(listed.contains("repo-1 The answer / repo-2 Find it\n"), "{listed}");
    assert_eq!(place.states("epic"), ["repo-1 open"]);
    for key in ["repo-3", "repo-4", "repo-6"] {
        place.overnight(&["task", "mark", key, "done"]).expect_code(0);
    }
    assert_eq!(place.states("story"), ["repo-2 done", "repo-5 done"]);
    assert_eq!(place.states("epic"), ["repo-1 done"]);

    let shown = place.overnight(&["show", "repo-3"]).expect_code(0).stdout;
    assert!(shown.contains("story repo-2, epic repo-1"), "{shown}");
    let prompt = place.overnight(&["show", "repo-3", "--json"]).expect_code(0).json();
    let prompt = word(&prompt["data"]["prompt"]).to_owned();
    assert!(prompt.contains("Change `answer`.") && prompt.contains("It is a number."), "{prompt}");
    place.check_fleet();
    place.finish();
}

/// The plan as it is written by rule.
fn exported() -> String {
    PLAN.replace("description: |\n", "description: |-\n")
        .replace("title: Write it down\n        id: write", "title: \"Write it down\"\n        id: \"write\"")
        .replace("- write", "- \"write\"")
        .replace("- the check passes", "- \"the check passes\"")
        .replace("plan: Change `answer`.", "plan: \"Change `answer`.\"")
        .replace("title: The answer", "title: \"The answer\"")
        .replace("title: Find it", "title: \"Find it\"")
        .replace("title: Look at it", "title: \"Look at it\"")
        .replace("title: Tell it", "title: \"Tell it\"")
        .replace("title: Print it", "title: \"Print it\"")
}

#[test]
fn a_failed_task_fails_what_it_belongs_to_and_can_be_done_again() {
    let place = place();
    place.import(PLAN, &[]).expect_code(0);
    place.starts(&[r#"{ say = "nothing to do" }"#], &["repo-3", "--attempts", "1"]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(place.states("epic"), ["repo-1 failed"]);
    assert_eq!(place.states("story"), ["repo-2 failed", "repo-5 open"]);
    let said = ["repo-4 waits for repo-3, which is not done", "overnight task start repo-3 repo-4"];
    place.starts(&[FIX], &["repo-4"]).expect_code(2).expect_said(&said);
    // A new job of the same task has a number of its own, and so has a retry.
    let second = place.starts(&[FIX], &["repo-3"]).expect_code(0).json();
    assert_eq!(second["data"][0]["job"]["key"], "repo-7");
    place.work_off().expect_code(0);
    assert_eq!(place.states("epic"), ["repo-1 open"]);
    place.overnight(&["task", "mark", "repo-3", "excluded"]).expect_code(0);
    let shown = place.overnight(&["task", "show", "repo-3", "--json"]).expect_code(0).json();
    let runs = shown["data"]["runs"].as_array().unwrap();
    let ends: Vec<&str> = runs.iter().map(|run| word(&run["reason"])).collect();
    assert_eq!(ends, ["no_changes", "published"]);
    assert!(place.overnight(&["ls"]).expect_code(0).stdout.contains("[repo-3, repo-1]"));
    place.check_fleet();
    place.finish();
}

#[test]
fn a_task_that_two_start_at_once_has_one_job() {
    let place = place();
    place.overnight(&["task", "add", "Fix the answer"]).expect_code(0);
    let script = place.script(&[FIX]);
    let args = ["task", "start", "--agent", "rehearsal", "--script", &script, "repo-1"];
    let both = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| place.overnight(&args))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    let mut codes: Vec<_> = both.iter().map(|outcome| outcome.code.unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 2, 2, 2]);
    for refused in both.iter().filter(|outcome| outcome.code == Some(2)) {
        assert!(refused.stderr.contains("overnight show repo-1"), "{}", refused.stderr);
    }
    assert_eq!(place.keys(), ["repo-1"]);
    place.work_off().expect_code(0);
    place.check_fleet();
    place.finish();
}

#[test]
fn an_order_again_stays_a_job_of_its_task() {
    let place = place();
    place.overnight(&["task", "add", "Fix the answer"]).expect_code(0);
    place.starts(&[r#"{ say = "nothing to do" }"#], &["repo-1", "--attempts", "1"]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(place.states("task"), ["repo-1 failed"]);
    let script = place.script(&[FIX]);
    place.overnight(&["retry", "repo-1", "--script", &script]).expect_code(0);
    assert_eq!(place.states("task"), ["repo-1 review"]);
    let page = place.overnight(&["task", "show", "repo-1"]).expect_code(0).stdout;
    assert!(page.contains("repo-2: published"), "{page}");
    place.check_fleet();
    place.finish();
}
