//! The Codex CLI.

use overnight_testkit::model::{Action, Scenario};

use super::{
    Vendor, does_its_job, finish, goes_on_after_a_kill, goes_on_in_its_session, has_no_such_model, model,
    place, status, waits,
};
use crate::harness::model::run;

const VENDOR: Vendor = Vendor::Codex;

#[test]
fn codex_does_its_job() {
    let Some(place) = does_its_job(VENDOR, "codex_does_its_job") else { return };
    place.finish();
}

#[test]
fn codex_goes_on_in_its_session() {
    goes_on_in_its_session(VENDOR, "codex_goes_on_in_its_session");
}

#[test]
fn codex_goes_on_after_a_kill() {
    goes_on_after_a_kill(VENDOR, "codex_goes_on_after_a_kill");
}

#[test]
fn a_refused_key_of_codex_waits_for_a_person() {
    waits(VENDOR, "a_refused_key_of_codex_waits_for_a_person", status(401), 4, "agent_login");
}

#[test]
fn a_used_up_quota_of_codex_waits() {
    waits(VENDOR, "a_used_up_quota_of_codex_waits", status(429), 7, "rate_limited");
}

/// The CLI may have the key; the commands that the model runs may not.
#[test]
fn codex_keeps_the_key_from_the_commands_of_the_model() {
    let Some(mut place) = place(VENDOR, "codex_keeps_the_key_from_the_commands_of_the_model") else { return };
    let looks = Scenario::new().shell("printf 'keys:%s' \"$(env | grep -c dummy-model-key)\"");
    let model = model(VENDOR, &mut place, finish(looks));
    run(&place, &[]).expect_code(0);
    let told = model.asked()[1].body.to_string();
    assert!(told.contains("keys:0"), "{told}");
    place.finish();
}

/// The CLI has no such limit: we count, and end it in the middle.
#[test]
fn a_limit_of_turns_holds_for_codex() {
    let Some(mut place) = place(VENDOR, "a_limit_of_turns_holds_for_codex") else { return };
    let model = model(VENDOR, &mut place, Scenario::new().then(Action::Loop));
    run(&place, &["--max-turns", "3"]).expect_code(7);
    place.expect_reason("ended", "budget_turns");
    assert!((3..=8).contains(&model.count()), "asked {} times", model.count());
    place.finish();
}

#[test]
fn a_model_that_codex_does_not_have_ends_the_job() {
    let words = "The model `gpt-5.5` does not exist or you do not have access to it.";
    has_no_such_model(VENDOR, "a_model_that_codex_does_not_have_ends_the_job", words);
}
