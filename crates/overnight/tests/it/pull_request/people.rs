//! Other people work on the forge too: what is theirs stays theirs, and what they decided is not undone.

use overnight_testkit::forge::{FakePullRequest, Fault, Flavour, On, PullState};

use super::{FLAVOURS, with_forge};
use crate::harness::forge::{BRANCH, FIX, Forge, REPOSITORY, TRUNK, args, run};
use crate::harness::{Place, eventually};

#[test]
fn a_branch_of_somebody_else_is_left_alone_and_ours_gets_a_number() {
    for flavour in FLAVOURS {
        let (place, forge) = with_forge(flavour);
        let theirs = forge.commit(REPOSITORY, BRANCH, TRUNK, "theirs").unwrap();
        let also = format!("{BRANCH}-2");
        forge.commit(REPOSITORY, &also, TRUNK, "theirs").unwrap();
        run(&place, &[]).expect_code(0);
        let pulls = forge.pulls();
        assert_eq!(pulls.len(), 1, "{pulls:#?}");
        assert_eq!(pulls[0].head, format!("{BRANCH}-3"));
        assert_eq!(forge.branch_tip(REPOSITORY, BRANCH).unwrap(), Some(theirs));
        assert_eq!(place.events_of("branch_taken").len(), 2);
        place.finish();
    }
}

/// A job whose runner was killed between the opening of its pull request and the answer to that.
fn opened_unseen(flavour: Flavour) -> (Place, Forge) {
    let (place, forge) = with_forge(flavour);
    forge.inject(On::CreatePullRequest, Fault::CommitThenHang);
    let script = place.script(&[FIX]);
    let live = place.start(&args(&script, &["--events"]));
    eventually("the pull request", || (forge.pulls().len() == 1).then_some(()));
    live.kill();
    (place, forge)
}

#[test]
fn a_pull_request_that_somebody_closed_is_not_opened_again() {
    for flavour in FLAVOURS {
        let (place, forge) = opened_unseen(flavour);
        forge.close(REPOSITORY, 1);
        place.overnight(&["resume"]).expect_code(1).expect_said(&["closed"]);
        let job = place.expect_reason("ended", "branch_conflict");
        assert!(job["detail"].as_str().unwrap().contains("closed by somebody"), "{job:#}");
        let states: Vec<PullState> = forge.pulls().iter().map(|pull| pull.state).collect();
        assert_eq!(states, [PullState::Closed], "{flavour:?}");
        place.finish();
    }
}

#[test]
fn a_pull_request_that_somebody_merged_is_done() {
    for flavour in FLAVOURS {
        let (place, forge) = opened_unseen(flavour);
        forge.merge(REPOSITORY, 1).unwrap();
        place.overnight(&["resume"]).expect_code(0);
        place.expect_reason("ended", "published");
        let states: Vec<PullState> = forge.pulls().iter().map(|pull| pull.state).collect();
        assert_eq!(states, [PullState::Merged], "{flavour:?}");
        place.finish();
    }
}

#[test]
fn a_pull_request_that_somebody_retargeted_is_still_ours() {
    for flavour in FLAVOURS {
        let (place, forge) = opened_unseen(flavour);
        forge.commit(REPOSITORY, "develop", TRUNK, "develop").unwrap();
        forge.change_pull(REPOSITORY, 1, |pull| pull.base = "develop".to_owned());
        place.overnight(&["resume"]).expect_code(0);
        assert_eq!(forge.pulls().len(), 1, "{flavour:?}");
        place.finish();
    }
}

/// Another repository's fork may have a branch of the same name.
#[test]
fn a_pull_request_from_a_fork_with_the_same_branch_name_is_not_ours() {
    for flavour in FLAVOURS {
        let (place, forge) = with_forge(flavour);
        let tip = forge.branch_tip(REPOSITORY, TRUNK).unwrap().unwrap();
        let theirs = FakePullRequest {
            number: 0,
            title: "Theirs".to_owned(),
            body: String::new(),
            head: BRANCH.to_owned(),
            base: TRUNK.to_owned(),
            head_repository: "mallory/app".to_owned(),
            head_commit: tip.clone(),
            base_commit: tip,
            draft: false,
            state: PullState::Open,
            author: "mallory".to_owned(),
        };
        forge.plant_pull_request(REPOSITORY, theirs).unwrap();
        run(&place, &[]).expect_code(0);
        let pulls = forge.pulls();
        assert_eq!(pulls.len(), 2, "{flavour:?}: {pulls:#?}");
        assert_eq!(place.job()["published"]["pull_request"]["number"], 2);
        place.finish();
    }
}

#[test]
fn the_default_branch_may_move_while_the_agent_works() {
    let (place, forge) = with_forge(Flavour::GitHub);
    let held = format!(
        "{{ run = {{ command = \"touch {0}; while [ ! -e {1} ]; do sleep 0.05; done\" }} }}, {2}",
        place.path("started").display(),
        place.path("go").display(),
        FIX
    );
    let script = place.script(&[&held]);
    let live = place.start(&args(&script, &["--events"]));
    eventually("the agent runs", || place.path("started").exists().then_some(()));
    forge.commit(REPOSITORY, TRUNK, TRUNK, "meanwhile").unwrap();
    place.write("go", "");
    let outcome = live.wait();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let pull = forge.expect_one(&place, "moved");
    assert_ne!(pull.base_commit, place.git(&["rev-parse", "main"]), "the target has moved");
    place.finish();
}

#[test]
fn two_jobs_have_two_pull_requests() {
    let (place, forge) = with_forge(Flavour::Gitea);
    run(&place, &[]).expect_code(0);
    run(&place, &[]).expect_code(0);
    let heads: Vec<String> = forge.pulls().into_iter().map(|pull| pull.head).collect();
    assert_eq!(heads, [BRANCH, "overnight/repo-2-make-the-check-pass"]);
    place.finish();
}

#[test]
fn a_cancel_after_the_push_says_what_is_left_there() {
    let (place, forge) = with_forge(Flavour::GitHub);
    forge.break_down(On::ListPullRequests, &Fault::Status(401));
    run(&place, &[]).expect_code(4);
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    let job = place.expect_reason("ended", "cancelled");
    assert!(job["detail"].as_str().unwrap().contains(BRANCH), "{job:#}");
    assert_eq!(forge.branches(&place), [BRANCH]);
    assert!(forge.pulls().is_empty());
    place.finish();
}
