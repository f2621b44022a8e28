//! Vendor trouble: login, quota, overload, silence. None of it uses up an attempt, and each has its own exit code.

use overnight_testkit::model::{Action, Scenario};

use crate::harness::Place;
use crate::harness::model::{Model, finish, model, place, run, sessions};

/// A run that meets `first` and waits with this reason; afterwards `resume` finishes the job without a used-up attempt.
fn waits_and_goes_on(test: &str, first: Action, code: i32, reason: &str) -> Option<(Place, Model)> {
    let mut place = place(test)?;
    let model = model(&mut place, finish(Scenario::new().then(first)));
    run(&place, &[]).expect_code(code).expect_said(&["overnight resume"]);
    let job = place.expect_reason("parked", reason);
    assert_eq!(job["attempt"], 1, "{job:#}");
    assert_eq!(model.count(), 1, "asked once, and not again and again");
    assert!(place.branches().is_empty());
    Some((place, model))
}

fn resumes(place: &Place) {
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    let job = place.expect_reason("ended", "published");
    assert_eq!((&job["attempt"], &job["turns"]), (&1.into(), &2.into()), "{job:#}");
    assert!(place.events_of("attempt_failed").is_empty());
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
}

fn status(status: u16) -> Action {
    Action::Http { status, retry_after: None, reset_at: None, message: None }
}

#[test]
fn a_refused_key_waits_for_a_person() {
    let test = "a_refused_key_waits_for_a_person";
    let Some((place, _model)) = waits_and_goes_on(test, status(401), 4, "agent_login") else { return };
    assert!(place.job()["wake_ms"].is_null(), "nothing but a person can mend it");
    resumes(&place);
    place.finish();
}

#[test]
fn a_forbidden_account_waits_for_a_person() {
    let test = "a_forbidden_account_waits_for_a_person";
    let Some((place, _model)) = waits_and_goes_on(test, status(403), 4, "agent_login") else { return };
    resumes(&place);
    place.finish();
}

#[test]
fn an_agent_without_any_login_is_told_apart() {
    let Some(mut place) = place("an_agent_without_any_login_is_told_apart") else { return };
    let model = model(&mut place, finish(Scenario::new()));
    place.env("OVERNIGHT_AGENT_BILLING", "subscription");
    run(&place, &[]).expect_code(4).expect_said(&["CLAUDE_CODE_OAUTH_TOKEN"]);
    place.expect_reason("parked", "agent_login");
    assert_eq!(model.count(), 0);
    place.env("CLAUDE_CODE_OAUTH_TOKEN", "dummy-login-7c1d");
    resumes(&place);
    place.finish();
}

#[test]
fn a_used_up_quota_waits() {
    let far = Action::Http { status: 429, retry_after: Some(7_200), reset_at: None, message: None };
    let Some((place, model)) = waits_and_goes_on("a_used_up_quota_waits", far, 7, "rate_limited") else {
        return;
    };
    place.overnight(&["resume", "--all"]).expect_code(0).expect_said(&["waits until"]);
    assert_eq!(model.count(), 1, "before its time only a job that is named is tried");
    let job = place.job();
    assert!(job["wake_ms"].as_i64() > job["updated_at_ms"].as_i64(), "{job:#}");
    resumes(&place);
    place.finish();
}

#[test]
fn a_subscription_waits_until_its_window_opens_again() {
    let Some(mut place) = place("a_subscription_waits_until_its_window_opens_again") else { return };
    let reset = 1_900_000_000_u64;
    place.env("OVERNIGHT_QUOTA_LONGEST_WAIT", "3000d");
    let quota = Action::Http { status: 429, retry_after: Some(3_600), reset_at: Some(reset), message: None };
    let _model = model(&mut place, finish(Scenario::new().then(quota)));
    place.env("OVERNIGHT_AGENT_BILLING", "subscription").env("CLAUDE_CODE_OAUTH_TOKEN", "dummy-login-7c1d");
    run(&place, &[]).expect_code(7);
    let job = place.expect_reason("parked", "rate_limited");
    assert_eq!(job["wake_ms"], reset * 1000, "{job:#}");
    resumes(&place);
    place.finish();
}

#[test]
fn an_overloaded_vendor_waits() {
    let test = "an_overloaded_vendor_waits";
    let Some((place, _model)) = waits_and_goes_on(test, status(529), 7, "overloaded") else { return };
    resumes(&place);
    place.finish();
}

#[test]
fn a_broken_vendor_waits() {
    let test = "a_broken_vendor_waits";
    let Some((place, _model)) = waits_and_goes_on(test, status(500), 7, "overloaded") else { return };
    resumes(&place);
    place.finish();
}

#[test]
fn an_unreachable_vendor_waits() {
    let Some(mut place) = place("an_unreachable_vendor_waits") else { return };
    // Port 9 of the loopback interface: nobody listens.
    place.env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9");
    run(&place, &[]).expect_code(7);
    place.expect_reason("parked", "overloaded");
    let _model = model(&mut place, finish(Scenario::new()));
    resumes(&place);
    place.finish();
}

#[test]
fn trouble_in_the_middle_of_the_work_keeps_the_session_and_the_work() {
    let Some(mut place) = place("trouble_in_the_middle_of_the_work") else { return };
    let begun =
        Scenario::new().shell("echo kept > notes && git add notes && git commit --quiet --message=Notes");
    let model = model(&mut place, finish(begun.then(status(529))));
    run(&place, &[]).expect_code(7);
    place.expect_reason("parked", "overloaded");
    resumes(&place);
    assert_eq!(place.show(&place.branches()[0], "notes"), "kept");
    let turns = sessions(&place);
    assert_eq!((turns[1].0.as_str(), &turns[1].1), ("resume", &turns[0].1), "{turns:?}");
    assert!(
        crate::harness::model::conversation(&model.asked()[2]).contains("echo kept"),
        "it remembers what it did"
    );
    place.finish();
}

/// The key was good when the turn began.
#[test]
fn a_login_that_expires_in_the_middle_of_the_work_keeps_the_session_and_the_work() {
    let Some(mut place) = place("a_login_that_expires_in_the_middle_of_the_work") else { return };
    let begun =
        Scenario::new().shell("echo kept > notes && git add notes && git commit --quiet --message=Notes");
    let model = model(&mut place, finish(begun.then(status(401))));
    run(&place, &[]).expect_code(4).expect_said(&["overnight resume"]);
    place.expect_reason("parked", "agent_login");
    resumes(&place);
    assert_eq!(place.show(&place.branches()[0], "notes"), "kept");
    let turns = sessions(&place);
    assert_eq!((turns[1].0.as_str(), &turns[1].1), ("resume", &turns[0].1), "{turns:?}");
    assert_eq!(model.asked().len(), 6);
    place.finish();
}

#[test]
fn a_model_that_the_vendor_does_not_have_ends_the_job() {
    let Some(mut place) = place("a_model_that_the_vendor_does_not_have_ends_the_job") else { return };
    let _model = model(&mut place, Scenario::new().then(status(404)));
    run(&place, &[]).expect_code(2).expect_said(&["claude-sonnet-4-5", "--model"]);
    place.expect_reason("ended", "config_invalid");
    assert_eq!(place.events_of("turn_announced").len(), 1);
    place.finish();
}

/// The outcome that the events tell of this turn, from 1.
fn outcome(place: &Place, turn: usize) -> serde_json::Value {
    place.events_of("turn_ended")[turn - 1]["result"].clone()
}

#[test]
fn a_model_that_never_answers_is_given_up() {
    let Some(mut place) = place("a_model_that_never_answers_is_given_up") else { return };
    place.env("OVERNIGHT_AGENT_SILENCE", "5s");
    let model = model(&mut place, Scenario::new().then(Action::Hang));
    run(&place, &["--attempts", "1"]).expect_code(6);
    place.expect_reason("ended", "agent_timed_out");
    assert_eq!(outcome(&place, 1), serde_json::json!({"outcome": "timed_out", "silent": true, "idle": true}));
    assert_eq!(model.count(), 1);
    place.finish();
}

#[test]
fn after_a_hang_the_next_attempt_goes_on() {
    let Some(mut place) = place("after_a_hang_the_next_attempt_goes_on") else { return };
    place.env("OVERNIGHT_AGENT_SILENCE", "12s");
    let begun = Scenario::new().shell("echo kept > notes");
    let _model = model(&mut place, finish(begun.then(Action::HangMid)));
    run(&place, &[]).expect_code(0);
    assert_eq!(outcome(&place, 1)["outcome"], "timed_out");
    assert_eq!(place.job()["attempt"], 2, "a hang is the agent's attempt");
    assert_eq!(place.show(&place.branches()[0], "notes"), "kept");
    place.finish();
}

#[test]
fn an_answer_that_is_cut_off_again_and_again_waits() {
    let Some(mut place) = place("an_answer_that_is_cut_off_again_and_again_waits") else { return };
    let _model = model(&mut place, Scenario::new().then(Action::Drop));
    run(&place, &[]).expect_code(7);
    place.expect_reason("parked", "overloaded");
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    place.finish();
}
