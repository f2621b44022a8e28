//! A failed task takes its epic's other work back: jobs are cancelled, pull requests closed, merges reverted by a proposal, and nothing is
//! thrown away. Each step is told on the job that failed.

mod killed;

use overnight_testkit::forge::{FakePullRequest, Fault, Flavour, On, PullState};
use serde_json::Value;

use crate::harness::fleet::{Worker, hasten, held_until};
use crate::harness::forge::{Forge, REPOSITORY, TRUNK};
use crate::harness::{Place, eventually};

/// Keys: the epic is repo-1, its stories repo-2 and repo-5, another task without an epic repo-9.
const PLAN: &str = "
epic: {title: The house}
stories:
  - title: Doors
    tasks:
      - {title: Hang it}
      - {title: Paint it}
  - title: Bell
    tasks:
      - {title: Ring it, id: ring}
      - {title: Hear it, after: ring}
      - {title: '@all `x` fixes #1 <!-- overnight:job=other -->'}
";
const MERGED: &str = "repo-3";
const OPEN: &str = "repo-4";
const RUNNING: &str = "repo-6";
const QUEUED: &str = "repo-7";
const FAILING: &str = "repo-8";
const REVERT: &str = "overnight/revert-repo-3";

fn planned(flavour: Flavour) -> (Place, Forge) {
    let mut place = Place::new();
    hasten(&mut place);
    let forge = Forge::beside(&mut place, flavour);
    place.overnight(&["repo", "add", &forge.clone_url(REPOSITORY), "--name", "repo"]).expect_code(0);
    place.import(PLAN, &[]).expect_code(0);
    (place, forge)
}

/// The usual job, which also leaves a file of its own.
fn good(name: &str) -> String {
    format!(
        "{{ write = {{ path = \"answer\", content = \"42\\n\" }} }}, {{ write = {{ path = \"{name}\", content = \"{name}\\n\" }} }}, \
         {{ commit = {{ message = \"Task {name}\" }} }}"
    )
}

/// A job whose check fails.
fn bad(after: &str) -> String {
    format!(
        "{after} {{ write = {{ path = \"answer\", content = \"40\\n\" }} }}, {{ commit = {{ message = \"Wrong\" }} }}"
    )
}

/// Starts tasks with a script of their own.
#[track_caller]
fn start(place: &Place, steps: &str, keys: &[&str], more: &[&str]) {
    let name = format!("scripts/{}.toml", keys.join("-"));
    let script = place.write(&name, &format!("[[attempt]]\nsteps = [{steps}]\n")).display().to_string();
    let args = ["task", "start", "--agent", "rehearsal", "--script", &script, "--attempts", "1"];
    place.overnight(&[&args, more, keys].concat()).expect_code(0);
}

/// Two tasks are published, and the first is merged.
fn built(flavour: Flavour) -> (Place, Forge) {
    let (place, forge) = planned(flavour);
    start(&place, &good("hang"), &[MERGED], &[]);
    place.work_off().expect_code(0);
    start(&place, &good("paint"), &[OPEN], &[]);
    place.work_off().expect_code(0);
    forge.merge(REPOSITORY, number(&place, MERGED)).unwrap();
    (place, forge)
}

/// The pull request of a job.
#[track_caller]
fn number(place: &Place, key: &str) -> u64 {
    place.shown(key).job["published"]["pull_request"]["number"].as_u64().unwrap()
}

#[track_caller]
fn pull(place: &Place, forge: &Forge, key: &str) -> FakePullRequest {
    let number = number(place, key);
    forge.pulls().into_iter().find(|pull| pull.number == number).unwrap()
}

fn reverts(forge: &Forge) -> Vec<FakePullRequest> {
    forge.pulls().into_iter().filter(|pull| pull.head.starts_with("overnight/revert-")).collect()
}

/// `step kind, key of the work, outcome` of each step that was told on a job, in order.
fn trace(place: &Place, key: &str) -> Vec<String> {
    let told = place.tables().events(key).into_iter().filter(|event| event["type"] == "cascaded");
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let line = |event: Value| {
        let (step, result) = (&event["step"], &event["result"]);
        format!("{} {} {}", word(&step["kind"]), word(&step["key"]), word(&result["outcome"]))
    };
    told.map(line).collect()
}

fn count(place: &Place, key: &str, kind: &str) -> usize {
    place.tables().events(key).iter().filter(|event| event["type"] == kind).count()
}

/// Where everything is when the cascade is through, whatever happened on the way.
#[track_caller]
fn expect_taken_back(place: &Place, forge: &Forge, what: &str) {
    assert_eq!(pull(place, forge, OPEN).state, PullState::Closed, "{what}");
    assert_eq!(pull(place, forge, MERGED).state, PullState::Merged, "{what}");
    let reverts = reverts(forge);
    assert_eq!(reverts.len(), 1, "{what}: {reverts:#?}");
    let revert = &reverts[0];
    assert_eq!(
        (revert.head.as_str(), revert.base.as_str(), revert.draft, revert.state),
        (REVERT, TRUNK, true, PullState::Open),
        "{what}: {revert:#?}"
    );
    // Exactly what it had brought is gone there, and nobody has merged it.
    assert_eq!(forge.show(place, REVERT, "answer"), "41", "{what}");
    let bare = forge.bare().as_ref();
    assert!(!place.try_git(bare, &["show", &format!("{REVERT}:hang")]).status.success(), "{what}");
    assert_eq!(place.git_in(bare, &["rev-list", "--count", &format!("{TRUNK}..{REVERT}")]), "1", "{what}");
    assert_eq!(forge.show(place, TRUNK, "answer"), "42", "{what}");
    // What was merged is safe on the trunk; what was not is only here.
    let branches = forge.branches(place);
    let (merged, open) = (pull(place, forge, MERGED).head, pull(place, forge, OPEN).head);
    assert!(!branches.contains(&merged) && branches.contains(&open), "{what}: {branches:?}");
}

/// Tells once, on the pull request, what failed; and nothing in it does anything.
#[track_caller]
fn expect_comment(place: &Place, forge: &Forge, failed: &str) {
    let comments = forge.comments(REPOSITORY, number(place, OPEN));
    assert_eq!(comments.len(), 1, "{comments:#?}");
    let text = &comments[0].body;
    for words in [failed, "repo-1", "verification_failed", "--cascade false"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for trick in ["@all", "#1", "<!-- overnight:job=other"] {
        assert!(!text.contains(trick), "{trick}: {text}");
    }
}

#[test]
fn a_failed_task_takes_its_epics_other_work_back() {
    for flavour in [Flavour::GitHub, Flavour::Gitea] {
        let (place, forge) = built(flavour);
        start(&place, &held_until("never"), &[RUNNING], &[]);
        start(&place, &good("hear"), &[QUEUED], &[]);
        place.overnight(&["task", "add", "Elsewhere"]).expect_code(0);
        start(&place, &held_until("never"), &["repo-9"], &[]);
        let worker = place.worker(&["--slots", "3"]);
        place.until_at_gate(RUNNING);
        place.until_at_gate("repo-9");
        let dry = place.overnight(&["cascade", FAILING, "--dry-run"]);
        dry.expect_code(2).expect_said(&["repo-8"]);
        start(&place, &bad(""), &[FAILING], &[]);
        assert_eq!(place.until_ended(FAILING), "verification_failed");
        for key in [RUNNING, QUEUED] {
            let shown = place.shown(key);
            assert_eq!(shown.reason(), "cancelled", "{key}");
            let detail = shown.first("ended").unwrap()["end"]["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(FAILING), "{key}: {detail}");
        }
        expect_taken_back(&place, &forge, "in one go");
        expect_comment(&place, &forge, FAILING);
        let wanted = [
            "cancel_job repo-7 done",
            "cancel_job repo-6 done",
            "close_pull_request repo-4 done",
            "open_revert repo-3 done",
            "delete_branch repo-3 done",
            "delete_branch repo-4 left",
        ];
        assert_eq!(trace(&place, FAILING), wanted);
        // It waited for the end of the one that ran, without a process.
        assert_eq!(count(&place, FAILING, "cascade_began"), 1);
        let page = place.overnight(&["show", FAILING]).expect_code(0).expect_plain().stdout;
        for words in ["cascade", "open a pull request that reverts", "left as it is"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let left = place.overnight(&["cascade", FAILING, "--dry-run", "--json"]).expect_code(0).json();
        let steps = left["data"]["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["done"] == false), "{left:#}");
        // What is of no epic goes on.
        assert_eq!(place.shown("repo-9").state(), "working");
        place.overnight(&["cancel", "repo-9", "--no-wait"]).expect_code(0);
        place.until_ended("repo-9");
        worker.stop().expect_code(0);
        let listed = place.states("task");
        for state in ["repo-8 failed", "repo-6 todo", "repo-4 todo"] {
            assert!(listed.iter().any(|one| one == state), "{state}: {listed:?}");
        }
        place.check_fleet();
        place.finish();
    }
}

#[test]
fn a_forge_that_is_away_half_way_is_asked_again_later() {
    let (place, forge) = built(Flavour::GitHub);
    forge.break_down(On::CreateComment, &Fault::Status(503));
    start(&place, &bad(""), &[FAILING], &[]);
    place.work_off();
    let waits = place.until_event(FAILING, "parked");
    assert_eq!(waits["reason"], "unavailable", "{waits:#}");
    // What could be done is done, and the end of the job is not told before the rest is.
    assert_eq!(
        trace(&place, FAILING),
        ["open_revert repo-3 done", "delete_branch repo-3 done", "delete_branch repo-4 left"]
    );
    assert_eq!(pull(&place, &forge, OPEN).state, PullState::Open);
    assert!(place.shown(FAILING).state() == "parked");
    forge.lift_faults();
    place.overnight(&["resume", FAILING, "--here"]).expect_code(5);
    assert_eq!(trace(&place, FAILING).last().unwrap(), "close_pull_request repo-4 done");
    expect_taken_back(&place, &forge, "after the outage");
    expect_comment(&place, &forge, FAILING);
    place.check_fleet();
    place.finish();
}

#[test]
fn an_answer_that_was_lost_makes_nothing_twice() {
    let (place, forge) = built(Flavour::GitHub);
    for on in [On::CreateComment, On::UpdatePullRequest, On::CreatePullRequest, On::GitPush, On::DeleteBranch]
    {
        forge.inject(on, Fault::CommitThenDropReply);
    }
    start(&place, &bad(""), &[FAILING], &[]);
    place.work_off();
    if place.shown(FAILING).state() == "parked" {
        place.overnight(&["resume", FAILING, "--here"]).expect_code(5);
    }
    expect_taken_back(&place, &forge, "lost answers");
    expect_comment(&place, &forge, FAILING);
    place.finish();
}

#[test]
fn two_cascades_at_once_end_where_one_would() {
    let (place, forge) = built(Flavour::GitHub);
    let go = place.path("go");
    let wait = format!("{{ wait_for_file = {{ path = \"{}\" }} }},", go.display());
    start(&place, &bad(&wait), &[RUNNING], &[]);
    start(&place, &bad(&wait), &[FAILING], &[]);
    let worker: Worker = place.worker(&["--slots", "2"]);
    for key in [RUNNING, FAILING] {
        place.until_event(key, "turn_started");
    }
    std::fs::write(&go, "").unwrap();
    let reasons = [RUNNING, FAILING].map(|key| place.until_ended(key));
    worker.stop().expect_code(0);
    // Either both fail by themselves, or one is so fast that it takes the other with it.
    let failed = reasons.iter().filter(|reason| *reason == "verification_failed").count();
    assert!(
        failed >= 1 && reasons.iter().all(|reason| reason == "verification_failed" || reason == "cancelled"),
        "{reasons:?}"
    );
    expect_taken_back(&place, &forge, "two at once");
    place.check_fleet();
    place.finish();
}

#[test]
fn it_can_be_switched_off_for_a_repository_and_for_an_epic() {
    let (place, forge) = built(Flavour::GitHub);
    place.overnight(&["repo", "edit", "repo", "--cascade", "false"]).expect_code(0);
    start(&place, &bad(""), &[FAILING], &[]);
    place.work_off();
    assert_eq!(place.until_ended(FAILING), "verification_failed");
    assert_eq!((trace(&place, FAILING).len(), reverts(&forge).len()), (0, 0));
    assert_eq!(pull(&place, &forge, OPEN).state, PullState::Open);
    assert!(place.shown(FAILING).noticed("cascade_off"));
    let page = place.overnight(&["cascade", FAILING, "--dry-run"]).expect_code(0).stdout;
    assert!(page.contains("does not carry failures on") && page.contains("close "), "{page}");
    // The epic's own word goes first.
    place.overnight(&["epic", "edit", "repo-1", "--cascade", "true"]).expect_code(0);
    start(&place, &bad(""), &[RUNNING], &[]);
    place.work_off();
    expect_taken_back(&place, &forge, "on for the epic");
    place.finish();
}

#[test]
fn what_proves_nothing_about_the_task_is_not_carried_on() {
    let (place, forge) = built(Flavour::GitHub);
    // A check that cannot run, and a person's cancel.
    start(&place, &good("ring"), &[RUNNING], &["--verify", "no-such-program-anywhere"]);
    place.work_off();
    assert_eq!(place.until_ended(RUNNING), "checks_could_not_run");
    start(&place, &held_until("never"), &[FAILING], &[]);
    let worker = place.worker(&[]);
    place.until_at_gate(FAILING);
    place.overnight(&["cancel", FAILING]).expect_code(0);
    assert_eq!(place.until_ended(FAILING), "cancelled");
    worker.stop().expect_code(0);
    for key in [RUNNING, FAILING] {
        assert_eq!((count(&place, key, "cascade_began"), trace(&place, key).len()), (0, 0), "{key}");
    }
    assert_eq!(pull(&place, &forge, OPEN).state, PullState::Open);
    assert!(reverts(&forge).is_empty());
    place.finish();
}

#[test]
fn a_person_can_stop_it_and_sees_what_is_left() {
    let (place, forge) = built(Flavour::GitHub);
    forge.break_down(On::CreateComment, &Fault::Status(503));
    start(&place, &bad(""), &[FAILING], &[]);
    place.work_off();
    eventually("a cascade that waits", || (place.shown(FAILING).state() == "parked").then_some(()));
    place.overnight(&["cancel", FAILING]);
    place.work_off();
    assert_eq!(place.until_ended(FAILING), "verification_failed");
    let told = place.until_event(FAILING, "cascade_stopped");
    assert!(told["why"].as_str().unwrap().contains("somebody stopped"), "{told:#}");
    assert_eq!(pull(&place, &forge, OPEN).state, PullState::Open);
    let page = place.overnight(&["cascade", FAILING, "--dry-run"]).expect_code(0).stdout;
    assert!(page.contains("what is left") && page.contains("close "), "{page}");
    place.finish();
}

#[test]
fn a_revert_that_later_work_stands_in_the_way_of_is_left_with_the_command() {
    let (place, forge) = built(Flavour::GitHub);
    let bare = forge.bare().to_owned();
    place.git(&["fetch", "-q", &bare, TRUNK]);
    place.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
    place.write_in(&place.repo(), "hang", "changed by somebody\n");
    place.git(&["commit", "-qam", "Later"]);
    place.git(&["push", "-q", &bare, &format!("HEAD:{TRUNK}")]);
    place.git(&["checkout", "-q", "main"]);
    start(&place, &bad(""), &[FAILING], &[]);
    place.work_off();
    assert_eq!(place.until_ended(FAILING), "verification_failed");
    let told = place.tables().events(FAILING);
    let revert = told.iter().find(|event| event["step"]["kind"] == "open_revert").unwrap();
    assert_eq!(revert["result"]["outcome"], "left", "{revert:#}");
    let command = revert["result"]["command"].as_str().unwrap();
    assert!(command.contains("git revert") && command.contains("origin/trunk"), "{command}");
    assert!(reverts(&forge).is_empty() && !forge.branches(&place).contains(&REVERT.to_owned()));
    // The others were dealt with all the same.
    assert_eq!(pull(&place, &forge, OPEN).state, PullState::Closed);
    place.finish();
}
