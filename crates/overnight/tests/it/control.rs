//! Steering a job from outside: cancel, signals, resume, retry, and looking at it.

mod looking;
mod talk;

use crate::harness::{Live, Outcome, Place, eventually, with_prompt};

const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;
const MISS: &str = r#"{ write = { path = "answer", content = "43\n" } }"#;

/// A script whose first turn hangs and whose second corrects the answer.
fn hangs_first(place: &Place) -> String {
    let text = format!("[[turn]]\nsteps = [{{ say = \"thinking\" }}, \"hang\"]\n[[turn]]\nsteps = [{FIX}]\n");
    place.write("script.toml", &text).display().to_string()
}

/// A run whose agent hangs.
fn hanging(place: &Place) -> Live {
    let script = hangs_first(place);
    let mut live = place.start(&with_prompt(&script, &["--events"]));
    live.until("turn_started");
    live
}

/// A job that waits for a login, with nobody holding it.
fn parked(place: &Place) {
    let text = format!("[[turn]]\nsteps = [{{ fail = \"login_expired\" }}]\n[[turn]]\nsteps = [{FIX}]\n");
    let script = place.write("script.toml", &text).display().to_string();
    place
        .overnight(&with_prompt(&script, &[]))
        .expect_code(4)
        .expect_said(&["not logged in", "overnight resume repo-1"]);
    assert_eq!(place.only_job().state(), "parked");
}

#[track_caller]
fn expect_cancelled(place: &Place) {
    let job = place.only_job();
    assert_eq!((job.state(), job.reason()), ("ended", "cancelled"));
    assert!(place.branches().is_empty());
}

#[test]
fn a_job_is_cancelled_from_another_process() {
    let place = Place::new();
    let live = hanging(&place);
    let outcome = place.overnight(&["cancel", "repo-1"]).expect_code(0).expect_said(&["asked to end it"]);
    assert_eq!(outcome.stdout, "");
    live.wait().expect_code(3).expect_said(&["cancelled", "overnight retry repo-1"]);
    expect_cancelled(&place);
    assert_eq!(place.only_job().first("ended").unwrap()["end"]["published"], serde_json::Value::Null);
    place.finish();
}

/// A check is ended as an agent is, and its verdict is none.
#[test]
fn a_job_is_cancelled_while_a_check_runs() {
    let place = Place::new();
    let (script, begun) = (place.script(&[FIX]), place.path("begun"));
    let check = format!("trap '' INT; touch '{}'; while :; do sleep 1; done", begun.display());
    let live = place.start(&with_prompt(&script, &["--verify", &check]));
    eventually("the check runs", || begun.exists().then_some(()));
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    live.wait().expect_code(3).expect_said(&["the work so far is kept", "overnight diff repo-1"]);
    expect_cancelled(&place);
    assert!(place.only_job().first("checked").is_none());
    assert!(place.overnight(&["diff", "repo-1"]).expect_code(0).stdout.contains("+42"));
    place.finish();
}

#[test]
fn a_waiting_job_that_nobody_holds_is_cancelled_at_once() {
    let place = Place::new();
    parked(&place);
    let outcome = place.overnight(&["cancel", "repo-1", "--json"]).expect_code(0);
    let document = outcome.json();
    assert_eq!((&document["kind"], &document["data"]["ended"]), (&"cancel".into(), &true.into()));
    assert_eq!(document["data"]["job"]["reason"], "cancelled");
    expect_cancelled(&place);
    place.finish();
}

/// Nobody can have asked the dead runner; its tree and its directories go all the same.
#[test]
fn the_job_of_a_killed_runner_is_cancelled_at_once() {
    for kind in ["queued", "turn_started"] {
        let place = Place::new();
        let script = hangs_first(&place);
        let mut live = place.start(&with_prompt(&script, &["--events"]));
        live.until(kind);
        live.kill();
        place.overnight(&["cancel", "repo-1"]).expect_code(0).expect_said(&["repo-1 is cancelled"]);
        expect_cancelled(&place);
        place.finish();
    }
}

#[test]
fn an_ended_job_cannot_be_cancelled_or_resumed() {
    let place = Place::new();
    place.rehearse(&[FIX], &[]).expect_code(0);
    place
        .overnight(&["cancel", "repo-1"])
        .expect_code(2)
        .expect_said(&["has ended already", "overnight show repo-1"]);
    place
        .overnight(&["resume", "repo-1"])
        .expect_code(2)
        .expect_said(&["has ended already", "overnight retry repo-1"]);
    let job = place.only_job();
    assert_eq!(job.reason(), "published");
    assert!(job.first("cancel_asked").is_none());
    place.finish();
}

#[test]
fn ctrl_c_ends_the_job_cleanly() {
    let place = Place::new();
    let live = hanging(&place);
    live.signal("INT");
    live.wait().expect_code(130).expect_said(&["cancelling", "interrupted", "overnight retry repo-1"]);
    let job = place.only_job();
    assert_eq!((job.state(), job.reason()), ("ended", "interrupted"));
    assert!(place.branches().is_empty());
    place.finish();
}

/// The first Ctrl-C waits for an agent that ignores TERM; the second does not.
#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_job_goes_on_later() {
    let mut place = Place::new();
    place.env("OVERNIGHT_AGENT_GRACE", "50s");
    let deaf = place.path("deaf");
    let text = format!(
        "[[turn]]\nsteps = [\"ignore_term\", {{ write = {{ path = {:?}, content = \"\" }} }}, \"hang\"]\n[[turn]]\nsteps = [{FIX}]\n",
        deaf.display().to_string()
    );
    let script = place.write("script.toml", &text).display().to_string();
    let live = place.start(&with_prompt(&script, &[]));
    eventually("the agent ignores TERM", || deaf.exists().then_some(()));
    live.signal("INT");
    live.until_said("Ctrl-C again");
    live.signal("INT");
    live.wait().expect_code(130).expect_said(&["overnight resume repo-1"]);
    assert_ne!(place.only_job().state(), "ended");
    place.overnight(&["resume"]).expect_code(0);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

/// Who ends a terminal or a service does not end the job.
#[test]
fn term_and_hang_up_leave_the_job_to_be_resumed() {
    for signal in ["TERM", "HUP"] {
        let place = Place::new();
        let live = hanging(&place);
        live.signal(signal);
        live.wait().expect_code(130).expect_said(&["repo-1", "overnight resume repo-1"]);
        assert_eq!(place.only_job().state(), "working");
        place.check();
        place.overnight(&["resume", "repo-1"]).expect_code(0);
        assert_eq!(place.only_job().job["attempt"], 1, "it cost no attempt");
        place.finish();
    }
}

#[test]
fn a_waiting_job_goes_on_where_it_stopped() {
    let place = Place::new();
    parked(&place);
    let document = place.overnight(&["resume", "repo-1", "--json"]).expect_code(0).json();
    assert_eq!(document["data"]["reason"], "published");
    let job = place.only_job();
    assert_eq!((&job.job["attempt"], &job.job["turns"]), (&1.into(), &2.into()), "{:#}", job.job);
    place.finish();
}

#[test]
fn without_anything_to_resume_that_is_said() {
    let place = Place::new();
    for args in [&["resume"][..], &["resume", "--all"]] {
        place.overnight(args).expect_code(0).expect_said(&["nothing to resume"]);
    }
    place.rehearse(&[FIX], &[]).expect_code(0);
    place.overnight(&["resume", "--all"]).expect_code(0).expect_said(&["nothing to resume"]);
    place.finish();
}

#[test]
fn a_job_in_other_hands_is_not_taken_and_its_holder_is_named() {
    let place = Place::new();
    let live = hanging(&place);
    let held = place.only_job().job["held_by"].as_str().unwrap().to_owned();
    assert!(held.contains(&live.pid().to_string()), "{held}");
    let said = ["being worked on", &held, "overnight cancel repo-1"];
    place.overnight(&["resume", "repo-1"]).expect_code(8).expect_said(&said);
    place.overnight(&["resume", "--all"]).expect_code(0).expect_said(&["nothing to resume"]);
    place.overnight(&["retry", "repo-1"]).expect_code(2).expect_said(&["has not ended"]);
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    live.wait().expect_code(3);
    place.finish();
}

/// One runner each: however many take it up at once, only one does.
#[test]
fn of_many_that_resume_one_job_only_one_gets_it() {
    let place = Place::new();
    parked(&place);
    let racers: Vec<Live> = (0..4).map(|_| place.start(&["resume", "repo-1"])).collect();
    let outcomes: Vec<Outcome> = racers.into_iter().map(Live::wait).collect();
    let done = outcomes.iter().filter(|outcome| outcome.code == Some(0)).count();
    assert_eq!(done, 1, "{outcomes:#?}");
    assert!(outcomes.iter().all(|outcome| matches!(outcome.code, Some(0 | 2 | 8))), "{outcomes:#?}");
    assert_eq!(place.branches().len(), 1);
    place.finish();
}

#[test]
fn retry_makes_a_new_job_of_the_same_order() {
    let place = Place::new();
    place.rehearse(&[MISS], &["--attempts", "1", "--title", "Correct it"]).expect_code(5);
    let better = place.write("better.toml", &format!("[[attempt]]\nsteps = [{FIX}]\n")).display().to_string();
    place
        .overnight(&["retry", "repo-1", "--script", &better])
        .expect_code(0)
        .expect_said(&["repo-1", "again as", "repo-2"]);
    assert_eq!(place.branches(), ["overnight/repo-2-correct-it"]);
    let (old, new) = (place.shown("repo-1"), place.shown("repo-2"));
    assert_eq!((old.reason(), new.reason()), ("verification_failed", "published"));
    assert_eq!((&new.job["title"], &new.job["attempts"]), (&"Correct it".into(), &1.into()));
    place.overnight(&["retry", "repo-1", "--attempts", "2"]).expect_code(5);
    assert_eq!(place.shown("repo-3").job["attempts"], 2);
    place.finish();
}
