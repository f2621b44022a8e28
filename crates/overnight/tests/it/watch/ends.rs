//! What becomes of a pull request in the end, and what is merged by itself.

use overnight_testkit::forge::{FakeOpinion, FakeResult, Fault, Flavour, On, PullState};

use super::{check, head, jobs, look, published, shown};
use crate::harness::fleet::FIX;
use crate::harness::forge::{Forge, REPOSITORY};
use crate::harness::{Place, eventually};

#[test]
fn a_merged_pull_request_makes_its_task_done() {
    for flavour in [Flavour::GitHub, Flavour::Gitea] {
        let mut place = Place::new();
        crate::harness::fleet::hasten(&mut place);
        let forge = Forge::beside(&mut place, flavour);
        place.env("OVERNIGHT_PUBLISH_DELETE_BRANCH", "yes");
        let remote = forge.clone_url(REPOSITORY);
        place.overnight(&["repo", "add", &remote, "--name", "repo"]).expect_code(0);
        place.overnight(&["task", "add", "Fix the answer"]).expect_code(0);
        place.starts(&[FIX], &["repo-1"]).expect_code(0);
        place.work_off();
        let pull = forge.pulls()[0].clone();
        assert_eq!(place.states("task"), ["repo-1 review"]);
        forge.merge(REPOSITORY, pull.number).unwrap();
        let seen = look(&place, pull.number);
        assert_eq!(
            (&seen["state"], &seen["next_look_ms"]),
            (&"merged".into(), &serde_json::Value::Null),
            "{seen:#}"
        );
        assert_eq!(place.states("task"), ["repo-1 done"]);
        assert!(forge.branches(&place).is_empty(), "everything of it is in the target");
        place.overnight(&["pr", "look", &pull.number.to_string()]).expect_code(2).expect_said(&["merged"]);
        assert_eq!(place.overnight(&["pr", "ls"]).expect_code(0).stdout, "");
        assert!(place.overnight(&["pr", "ls", "--all"]).expect_code(0).stdout.contains("merged"));
        place.finish();
    }
}

#[test]
fn one_that_was_closed_is_left_alone_until_it_is_open_again() {
    let (place, forge, pull) = published(Flavour::GitHub);
    forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Failure, "no\n"));
    forge.close(REPOSITORY, pull.number);
    let seen = look(&place, pull.number);
    assert_eq!((&seen["state"], jobs(&place)), (&"closed".into(), 1), "{seen:#}");
    forge.change_pull(REPOSITORY, pull.number, |pull| pull.state = PullState::Open);
    let seen = look(&place, pull.number);
    assert_eq!((&seen["state"], jobs(&place)), (&"open".into(), 2), "{seen:#}");
    place.finish();
}

#[test]
fn only_what_is_green_and_approved_by_somebody_who_may_is_merged() {
    for flavour in [Flavour::GitHub, Flavour::Gitea] {
        let (mut place, forge, pull) = published(flavour);
        place.env("OVERNIGHT_PUBLISH_MERGE", "when_green");
        let state = |forge: &Forge| forge.pulls()[0].state;
        look(&place, pull.number);
        forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Success, ""));
        forge.review(REPOSITORY, pull.number, "eve", FakeOpinion::Approved, "");
        forge.review(REPOSITORY, pull.number, "robot", FakeOpinion::Approved, "");
        look(&place, pull.number);
        assert_eq!(state(&forge), PullState::Open, "{flavour:?}: nobody who may has approved");
        forge.review(REPOSITORY, pull.number, "ann", FakeOpinion::Approved, "");
        look(&place, pull.number);
        assert_eq!(state(&forge), PullState::Merged, "{flavour:?}");
        let news = place.shown("repo-1").events.pop().unwrap();
        assert_eq!(
            (&news["news"]["kind"], &news["news"]["by_us"]),
            (&"merged".into(), &true.into()),
            "{news:#}"
        );
        place.finish();
    }
}

#[test]
fn a_rule_that_forbids_merging_is_told_to_a_person_once() {
    let (mut place, forge, pull) = published(Flavour::GitHub);
    place.env("OVERNIGHT_PUBLISH_MERGE", "when_green").env("OVERNIGHT_WATCH_NEEDS_APPROVAL", "no");
    forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Success, ""));
    forge.forbid_merging(REPOSITORY, "a rule says no");
    let seen = look(&place, pull.number);
    assert_eq!(seen["person"]["about"], "merge", "{seen:#}");
    look(&place, pull.number);
    assert_eq!(forge.comments(REPOSITORY, pull.number).len(), 1);
    place.finish();
}

#[test]
fn our_part_of_the_forges_limit_is_kept_and_looking_goes_on_later() {
    let (place, forge, pull) = published(Flavour::GitHub);
    forge.set_rate(100, 50);
    let seen = look(&place, pull.number);
    assert!(seen["trouble"].as_str().unwrap().contains("limit"), "{seen:#}");
    assert_eq!(seen["state"], "open");
    forge.set_rate(5_000, 5_000);
    forge.merge(REPOSITORY, pull.number).unwrap();
    assert_eq!(look(&place, pull.number)["state"], "merged");
    place.finish();
}

#[test]
fn a_forge_that_is_down_is_asked_again() {
    let (place, forge, pull) = published(Flavour::Gitea);
    forge.break_down(On::GetPullRequest, &Fault::Status(503));
    let seen = look(&place, pull.number);
    assert!(seen["trouble"].as_str().is_some() && seen["next_look_ms"].as_i64().is_some(), "{seen:#}");
    forge.lift_faults();
    assert_eq!(look(&place, pull.number)["trouble"], serde_json::Value::Null);
    place.finish();
}

/// Two workers, and one that is killed while it has just asked for the job: there is one job.
#[test]
fn however_many_look_there_is_one_job() {
    let (place, forge, pull) = published(Flavour::GitHub);
    forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Failure, "no\n"));
    place.overnight(&["pr", "look", &pull.number.to_string()]).expect_code(0);
    let workers: Vec<_> = (0..3).map(|_| place.worker(&[])).collect();
    eventually("the job has ended", || {
        (jobs(&place) == 2 && place.shown("repo-2").state() == "ended").then_some(())
    });
    for mut worker in workers {
        worker.kill();
    }
    assert_eq!(jobs(&place), 2);
    assert_eq!(shown(&place, pull.number)["rounds"]["ci"], 1);
    forge.expect_one(&place, "one job");
    place.finish();
}

/// Changes the database of a place.
fn sql(place: &Place, text: &str) {
    use sqlx::{AssertSqlSafe, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.data().join("overnight.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    });
}

/// Sets what is remembered of the only pull request back to what it was before its last look: the worker was killed before it wrote it.
fn forget_the_look(place: &Place) {
    let text = "UPDATE pull_watches SET memory = '{}', taken_until = 0, next_look = 0, version = version + 1";
    sql(place, text);
}

#[test]
fn a_worker_that_is_killed_between_the_job_and_the_record_makes_no_second_one() {
    let (place, forge, pull) = published(Flavour::GitHub);
    forge.review(REPOSITORY, pull.number, "ann", FakeOpinion::ChangesRequested, "Another word.");
    look(&place, pull.number);
    forget_the_look(&place);
    place.work_off();
    let seen = shown(&place, pull.number);
    assert_eq!((jobs(&place), &seen["rounds"]["review"]), (2, &1.into()), "{seen:#}");
    look(&place, pull.number);
    assert_eq!(jobs(&place), 2, "what was told once is not told again");
    forge.expect_one(&place, "killed");
    place.finish();
}

/// Killed while the comment is on its way: it stands there once, and a person is needed.
#[test]
fn a_worker_that_is_killed_while_it_asks_a_person_asks_once() {
    let (mut place, forge, pull) = published(Flavour::GitHub);
    place.env("OVERNIGHT_WATCH_CI_FIXES", "0");
    forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Failure, "no\n"));
    forge.inject(On::CreateComment, Fault::CommitThenHang);
    place.overnight(&["pr", "look", &pull.number.to_string()]).expect_code(0);
    let mut worker = place.worker(&[]);
    forge.wait_for(On::CreateComment, 1);
    worker.kill();
    sql(&place, "UPDATE pull_watches SET taken_until = 0");
    place.work_off();
    assert_eq!(shown(&place, pull.number)["person"]["about"], "ci");
    assert_eq!(forge.comments(REPOSITORY, pull.number).len(), 1);
    place.finish();
}

/// Somebody closes it while a job works on it: the job is ended, and no other pull request is opened.
#[test]
fn a_job_on_a_pull_request_that_is_closed_meanwhile_opens_no_other() {
    for early in [true, false] {
        let (mut place, forge, pull) = published(Flavour::GitHub);
        // Only when it is told to.
        place.env("OVERNIGHT_WATCH_INTERVAL", "1h").env("OVERNIGHT_WATCH_LONGEST_INTERVAL", "1h");
        let gate = place.path("go").display().to_string();
        place.script(&[&crate::harness::fleet::held_until(&gate).replace("42\\n", "42\\n\\n")]);
        forge.report_check(REPOSITORY, check(&head(&forge), FakeResult::Failure, "no\n"));
        place.overnight(&["pr", "look", &pull.number.to_string()]).expect_code(0);
        let mut worker = place.worker(&[]);
        eventually("a job", || (jobs(&place) == 2).then_some(()));
        place.until_at_gate("repo-2");
        forge.close(REPOSITORY, pull.number);
        if early {
            place.overnight(&["pr", "look", &pull.number.to_string()]).expect_code(0);
            assert_eq!(place.until_ended("repo-2"), "cancelled");
        } else {
            place.write("go", "");
            assert_eq!(place.until_ended("repo-2"), "branch_conflict");
        }
        worker.kill();
        assert_eq!(forge.pulls().len(), 1);
        place.finish();
    }
}

/// The last task of a sprint finds nothing to do, so that no job of it makes the draft ready.
#[test]
fn a_sprint_whose_last_task_has_nothing_to_do_is_made_ready() {
    let mut place = Place::new();
    crate::harness::fleet::hasten(&mut place);
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    let remote = forge.clone_url(REPOSITORY);
    place.overnight(&["repo", "add", &remote, "--name", "repo"]).expect_code(0);
    place.overnight(&["task", "add", "Fix the answer"]).expect_code(0);
    place.overnight(&["task", "add", "Look at it", "--verify-only", "true"]).expect_code(0);
    place.overnight(&["sprint", "add", "Night", "--task", "repo-1", "--task", "repo-2"]).expect_code(0);
    let once = "[ -e done ] && exit 0; echo 42 > answer; touch done; git add -A; git commit --quiet -m One";
    place.starts(&[&crate::harness::sh(once)], &["repo-3"]).expect_code(0);
    place.work_off();
    let number = forge.pulls()[0].number;
    look(&place, number);
    assert_eq!(place.states("task"), ["repo-1 review", "repo-2 done"]);
    assert!(!forge.pulls()[0].draft, "it is ready");
    let news = place.shown("repo-1").events.pop().unwrap();
    assert_eq!(news["news"]["kind"], "marked_ready", "{news:#}");
    place.finish();
}
