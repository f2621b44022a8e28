//! Tasks of the backlog that share a branch: by the strategy of their repository, and in a sprint.

use overnight_testkit::forge::Flavour;

use super::{Forge, Place, attempt, beside, count, numbered, only_pull};
use crate::harness::fleet::{FIX, held_until};
use crate::harness::forge::REPOSITORY;

const PLAN: &str = "
epic: {title: The house}
stories:
  - title: Doors
    tasks:
      - {title: Hang it, id: hang}
      - {title: Paint it, after: hang}
  - title: Bell
    tasks:
      - {title: Ring it}
";
const STORY_BRANCH: &str = "overnight/story-repo-2-doors";
const SPRINT_BRANCH: &str = "overnight/sprint-repo-7-night";

fn planned(strategy: &str) -> (Place, Forge) {
    let (place, forge) = beside(Flavour::GitHub);
    let remote = forge.clone_url(REPOSITORY);
    place.overnight(&["repo", "add", &remote, "--name", "repo", "--strategy", strategy]).expect_code(0);
    place.import(PLAN, &[]).expect_code(0);
    (place, forge)
}

/// Starts this, done by a script of which every job leaves a file of its own; gives the keys of the jobs.
fn start(place: &Place, script: &str, keys: &[&str]) -> Vec<String> {
    let text = attempt(script);
    let name = format!("start-{}.toml", place.keys().len());
    let script = place.write(&name, &text).display().to_string();
    let args = ["task", "start", "--agent", "rehearsal", "--script", &script];
    let made = place.overnight(&[&args, keys].concat()).expect_code(0);
    made.stdout.lines().map(str::to_owned).collect()
}

#[track_caller]
fn expect_in_review(place: &Place, forge: &Forge, keys: &[&str]) {
    let url = format!("/pull/{}", forge.pulls()[0].number);
    for key in keys {
        let shown = place.overnight(&["task", "show", key, "--json"]).expect_code(0).json();
        let runs = shown["data"]["runs"].as_array().unwrap();
        assert_eq!(shown["data"]["item"]["state"], "review", "{shown:#}");
        let last = runs.last().unwrap();
        assert_eq!(last["pull_request"], "open", "{shown:#}");
        assert!(last["pull_request_url"].as_str().unwrap().ends_with(&url), "{shown:#}");
    }
}

/// Where the pull request of this job is.
fn only_url(place: &Place, key: &str) -> String {
    place.shown(key).job["published"]["pull_request"]["url"].as_str().unwrap().to_owned()
}

#[test]
fn the_tasks_of_a_story_share_its_branch_where_the_repository_says_so() {
    let (place, forge) = planned("story");
    assert_eq!(start(&place, &numbered(""), &["repo-2"]), ["repo-3", "repo-4"]);
    place.work_off().expect_code(0);
    let before = only_pull(&place, &forge, STORY_BRANCH);
    for words in ["2 of 2 tasks", "### repo-3: `Hang it`", "### repo-4: `Paint it`"] {
        assert!(before.body.contains(words), "{words}: {}", before.body);
    }
    assert_eq!((before.title.as_str(), before.draft), ("Doors", false));
    expect_in_review(&place, &forge, &["repo-3", "repo-4"]);
    let page = place.overnight(&["task", "show", "repo-4"]).expect_code(0).stdout;
    assert!(
        page.contains(&format!("published, pull request open: {}", only_url(&place, "repo-4"))),
        "{page}"
    );
    // Later, and by itself, also when the story is called otherwise by now.
    place.overnight(&["story", "edit", "repo-2", "--title", "Windows"]).expect_code(0);
    place.overnight(&["task", "add", "Oil it", "--story", "repo-2"]).expect_code(0);
    assert_eq!(start(&place, &numbered(""), &["repo-7"]), ["repo-7"]);
    place.work_off().expect_code(0);
    let pull = only_pull(&place, &forge, STORY_BRANCH);
    assert_eq!(pull.number, before.number);
    assert!(pull.body.contains("3 of 3 tasks") && pull.body.contains("### repo-7: "), "{}", pull.body);
    expect_in_review(&place, &forge, &["repo-3", "repo-4", "repo-7"]);
    for (flag, said) in [("--line", "--line means nothing here"), ("--group", "leave --group x out")] {
        place.starts(&[FIX], &["repo-6", flag, "x"]).expect_code(2).expect_said(&[said]);
    }
    place.check_fleet();
    place.finish();
}

#[test]
fn a_sprint_of_the_backlog_goes_on_on_its_branch_and_is_ready_at_the_end() {
    let (place, forge) = planned("task");
    place.overnight(&["sprint", "add", "Night", "--task", "repo-1"]).expect_code(0);
    // All of it is of one epic: what follows is what a sprint does by itself.
    place.overnight(&["repo", "edit", "repo", "--cascade", "false"]).expect_code(0);
    let worse = numbered("[ $n = 1 ] && echo 40 > answer");
    let jobs = start(&place, &worse, &["repo-7", "--attempts", "1"]);
    assert_eq!(jobs, ["repo-3", "repo-4", "repo-6"]);
    place.work_off();
    let reasons = ["repo-3", "repo-4", "repo-6"].map(|key| place.shown(key).reason().to_owned());
    assert_eq!(reasons, ["published", "verification_failed", "dependency_failed"]);
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(pull.draft && pull.body.contains("1 of 3 tasks"), "{pull:#?}");
    expect_in_review(&place, &forge, &["repo-3"]);
    // The rest of it, what failed first.
    assert_eq!(start(&place, &numbered(""), &["repo-7"]), ["repo-8", "repo-9"]);
    assert_eq!(place.shown("repo-9").job["queue"]["waits_for"], serde_json::json!(["repo-8"]));
    place.work_off().expect_code(0);
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(!pull.draft && pull.body.contains("3 of 3 tasks"), "{pull:#?}");
    assert_eq!(count(&place, "repo-9", "pull_request_opened"), 1);
    expect_in_review(&place, &forge, &["repo-3", "repo-4", "repo-6"]);
    place.check_fleet();
    place.finish();
}

#[test]
fn a_task_that_comes_to_a_sprint_while_its_last_job_works_keeps_it_a_draft() {
    let (place, forge) = planned("task");
    place.overnight(&["sprint", "add", "Night", "--task", "repo-6"]).expect_code(0);
    let gate = place.path("gate");
    let steps = format!("{}, {}", held_until(gate.to_str().unwrap()), numbered(""));
    assert_eq!(start(&place, &steps, &["repo-7"]), ["repo-6"]);
    let worker = place.worker(&["--exit-when-idle"]);
    place.until_at_gate("repo-6");
    place.overnight(&["sprint", "edit", "repo-7", "--task", "repo-6", "--task", "repo-3"]).expect_code(0);
    place.write("gate", "");
    worker.wait().expect_code(0);
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(pull.draft, "{pull:#?}");
    assert_eq!(place.shown("repo-6").reason(), "published");
    // Whoever looks at the pull request later leaves it one, too.
    place.overnight(&["pr", "look", &pull.number.to_string()]).expect_code(0);
    place.work_off().expect_code(0);
    assert!(only_pull(&place, &forge, SPRINT_BRANCH).draft);
    // What came later is the end of it.
    assert_eq!(start(&place, &numbered(""), &["repo-7"]), ["repo-3"]);
    place.work_off().expect_code(0);
    let pull = only_pull(&place, &forge, SPRINT_BRANCH);
    assert!(!pull.draft && pull.body.contains("2 of 2 tasks"), "{pull:#?}");
    place.check_fleet();
    place.finish();
}

#[test]
fn a_task_is_done_where_it_says_or_not_at_all() {
    let place = Place::new();
    place.overnight(&["repo", "add", "https://forge.invalid/acme/lib.git", "--name", "lib"]).expect_code(0);
    place.overnight(&["task", "add", "Elsewhere", "--elsewhere", "lib"]).expect_code(0);
    place.overnight(&["repo", "rm", "lib"]).expect_code(0);
    let said =
        ["repo-1 cannot be started where it is to be done", "no repository \"lib\"", "overnight repo add"];
    place.starts(&[FIX], &["repo-1"]).expect_code(2).expect_said(&said);
    assert_eq!(place.states("task"), ["repo-1 todo"]);
    place.finish();
}
