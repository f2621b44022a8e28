//! What people do to a line's branch and pull request while its jobs are at it.

use overnight_testkit::forge::{Flavour, PullState};

use super::{STORY, STORY_BRANCH, beside, count, only_pull, task};
use crate::harness::forge::{Forge, REPOSITORY, TRUNK};
use crate::harness::{Place, eventually};

/// A script whose first attempt waits at the gate before it ends.
fn held(place: &Place, steps: &str, later: &[&str]) -> (String, std::path::PathBuf) {
    let gate = place.path("gate");
    let first = format!("{steps}, {{ wait_for_file = {{ path = \"{}\" }} }}", gate.display());
    let attempts: Vec<&str> = std::iter::once(first.as_str()).chain(later.iter().copied()).collect();
    (place.add("repo", &attempts, &STORY), gate)
}

fn tip(forge: &Forge) -> String {
    forge.branch_tip(REPOSITORY, STORY_BRANCH).unwrap().unwrap()
}

fn subjects(place: &Place, forge: &Forge) -> String {
    place.git_in(
        forge.bare().as_ref(),
        &["log", "--no-merges", "--format=%s", &format!("{TRUNK}..{STORY_BRANCH}")],
    )
}

#[test]
fn a_branch_of_that_name_that_is_not_ours_is_left_alone() {
    let (place, forge) = beside(Flavour::GitHub);
    let theirs = forge.commit(REPOSITORY, STORY_BRANCH, TRUNK, "theirs").unwrap();
    let key = place.add("repo", &[&task("a")], &STORY);
    place.work_off();
    let shown = place.shown(&key);
    assert_eq!(shown.reason(), "branch_conflict");
    let detail = shown.job["detail"].as_str().unwrap();
    assert!(detail.contains("rename or delete it") && detail.contains(STORY_BRANCH), "{detail}");
    assert_eq!((tip(&forge), forge.pulls().len()), (theirs, 0));
    assert_eq!(count(&place, &key, "turn_announced"), 0, "found before anything was paid for");
    place.finish();
}

#[test]
fn a_branch_that_turns_up_meanwhile_is_left_alone_too() {
    let (place, forge) = beside(Flavour::GitHub);
    let (key, gate) = held(&place, &task("a"), &[]);
    let worker = place.worker(&["--exit-when-idle"]);
    place.until_event(&key, "turn_started");
    let theirs = forge.commit(REPOSITORY, STORY_BRANCH, TRUNK, "theirs").unwrap();
    std::fs::write(gate, "").unwrap();
    worker.wait();
    assert_eq!(place.shown(&key).reason(), "branch_conflict");
    assert_eq!((tip(&forge), forge.pulls().len()), (theirs, 0));
    place.finish();
}

#[test]
fn what_somebody_pushed_between_two_tasks_is_built_on() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    let theirs = forge.commit(REPOSITORY, STORY_BRANCH, TRUNK, "theirs").unwrap();
    let second = place.add("repo", &[&task("b")], &STORY);
    place.work_off().expect_code(0);
    let grounded = place.shown(&second).first("grounded").unwrap()["base"].clone();
    assert_eq!(grounded, theirs.as_str());
    assert_eq!(subjects(&place, &forge), "Task b\nfixture\nTask a");
    only_pull(&place, &forge, STORY_BRANCH);
    place.finish();
}

#[test]
fn what_somebody_pushed_while_a_task_was_worked_on_is_merged_and_verified_without_the_agent() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    let (second, gate) = held(&place, &task("b"), &[]);
    let worker = place.worker(&["--exit-when-idle"]);
    place.until_event(&second, "turn_started");
    let theirs = forge.commit(REPOSITORY, STORY_BRANCH, TRUNK, "theirs").unwrap();
    std::fs::write(gate, "").unwrap();
    worker.wait().expect_code(0);
    let shown = place.shown(&second);
    assert_eq!(shown.reason(), "published");
    let counts = ["branch_taken", "turn_ended", "attempt_failed", "branch_pushed"]
        .map(|kind| count(&place, &second, kind));
    assert_eq!(counts, [1, 1, 0, 1], "{:#?}", shown.events);
    let checked: Vec<_> = shown.events.iter().filter(|event| event["type"] == "checked").collect();
    assert_eq!(
        checked.last().unwrap()["report"]["commit"],
        tip(&forge).as_str(),
        "verified is what was pushed"
    );
    let parents = place.git_in(forge.bare().as_ref(), &["log", "-1", "--format=%P", STORY_BRANCH]);
    assert!(parents.starts_with(&theirs), "{parents}");
    assert_eq!(
        (forge.show(&place, STORY_BRANCH, "b"), forge.show(&place, STORY_BRANCH, "theirs").is_empty()),
        ("b".into(), false)
    );
    let pull = only_pull(&place, &forge, STORY_BRANCH);
    assert!(pull.body.contains("2 of 2 tasks"), "{}", pull.body);
    place.finish();
}

#[test]
fn what_git_cannot_merge_goes_to_the_agent() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    let again = "{ write = { path = \"both\", content = \"both\\n\" } }, { commit = { message = \"Both\" } }";
    let (second, gate) = held(&place, &task("b"), &[again]);
    let worker = place.worker(&["--exit-when-idle"]);
    place.until_event(&second, "turn_started");
    forge.commit(REPOSITORY, STORY_BRANCH, TRUNK, "b").unwrap();
    std::fs::write(gate, "").unwrap();
    worker.wait().expect_code(0);
    assert_eq!(place.shown(&second).job["attempt"], 2);
    assert_eq!(subjects(&place, &forge), "Both\nfixture\nTask a", "nothing of theirs is lost");
    let told = crate::harness::job::files_with(&place.data().join("jobs"), b"git merge ");
    assert!(!told.is_empty(), "the agent is told which commit to merge");
    place.finish();
}

#[test]
fn a_target_that_moved_into_a_conflict_is_the_agents_to_merge() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    forge.commit(REPOSITORY, TRUNK, TRUNK, "a").unwrap();
    let second = place.add("repo", &[&task("b")], &STORY);
    place.work_off().expect_code(0);
    let id = place.shown(&second).job["id"].as_str().unwrap().to_owned();
    let told = crate::harness::job::files_with(
        &place.data().join("jobs").join(id),
        b"The branch trunk, which this is for, has moved",
    );
    assert!(!told.is_empty());
    place.finish();
}

#[test]
fn a_line_whose_branch_was_merged_and_deleted_begins_anew() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    let first = only_pull(&place, &forge, STORY_BRANCH).number;
    forge.merge(REPOSITORY, first).unwrap();
    forge.delete_branch(REPOSITORY, STORY_BRANCH).unwrap();
    place.add("repo", &[&task("b")], &STORY);
    place.work_off().expect_code(0);
    let pulls = forge.pulls();
    assert_eq!(pulls.len(), 2, "{pulls:#?}");
    assert_eq!((pulls[0].state, pulls[1].state), (PullState::Merged, PullState::Open));
    assert_eq!(subjects(&place, &forge), "Task b");
    place.finish();
}

#[test]
fn a_pull_request_that_was_closed_is_not_opened_again_and_no_other_is() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    forge.close(REPOSITORY, 1);
    let second = place.add("repo", &[&task("b")], &STORY);
    place.work_off();
    let shown = place.shown(&second);
    assert_eq!(shown.reason(), "branch_conflict");
    assert!(shown.job["detail"].as_str().unwrap().contains("was closed by somebody"), "{:#}", shown.job);
    assert_eq!(forge.pulls().len(), 1);
    place.finish();
}

#[test]
fn what_people_write_into_the_pull_request_stays() {
    let (place, forge) = beside(Flavour::Gitea);
    place.add("repo", &[&task("a")], &STORY);
    place.work_off().expect_code(0);
    forge.change_pull(REPOSITORY, 1, |pull| {
        pull.title = "Doors that close".to_owned();
        pull.body = format!("Please look at the hinges.\n\n{}\nThank you.\n", pull.body);
    });
    place.add("repo", &[&task("b")], &STORY);
    place.work_off().expect_code(0);
    let pull = only_pull(&place, &forge, STORY_BRANCH);
    assert_eq!(pull.title, "Doors that close");
    assert!(
        pull.body.starts_with("Please look at the hinges.") && pull.body.ends_with("Thank you.\n"),
        "{}",
        pull.body
    );
    assert_eq!(pull.body.matches("of 2 tasks").count(), 1, "{}", pull.body);
    place.finish();
}

#[test]
fn a_job_of_a_line_is_continued_on_the_line() {
    let (place, forge) = beside(Flavour::GitHub);
    place.add("repo", &[&task("a")], &STORY);
    let wrong = "{ write = { path = \"answer\", content = \"40\\n\" } }, { write = { path = \"w\", content = \"w\\n\" } }, \
                 { commit = { message = \"Wrong\" } }";
    place.add("repo", &[wrong], &[&STORY[..], &["--attempts", "1"]].concat());
    place.add("repo", &[&task("c")], &STORY);
    place.work_off();
    assert_eq!(place.shown("repo-2").reason(), "verification_failed");
    // Its work stands on the first task; the third was published since.
    let good =
        place.write("good.toml", &format!("[[attempt]]\nsteps = [{}]\n", task("b"))).display().to_string();
    place.overnight(&["continue", "repo-2", "--script", &good, "-m", "The answer is 42."]).expect_code(0);
    for file in ["a", "w", "b", "c"] {
        assert_eq!(forge.show(&place, STORY_BRANCH, file), file);
    }
    assert_eq!(place.shown("repo-4").job["line"]["number"], 2);
    place.overnight(&["continue", "repo-1", "--script", &good, "-m", "Once more."]);
    let pull = only_pull(&place, &forge, STORY_BRANCH);
    assert!(pull.body.contains("repo-4") && pull.body.contains("3 of 3 tasks"), "{}", pull.body);
    eventually("nothing runs", || place.agents().is_empty().then_some(()));
    place.finish();
}
