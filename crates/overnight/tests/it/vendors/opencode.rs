//! The opencode CLI.

use overnight_testkit::model::Action;

use super::{
    Vendor, does_its_job, goes_on_after_a_kill, goes_on_in_its_session, has_no_such_model, status, waits,
};

const VENDOR: Vendor = Vendor::Opencode;

#[test]
fn opencode_does_its_job() {
    let Some(place) = does_its_job(VENDOR, "opencode_does_its_job") else { return };
    place.finish();
}

#[test]
fn opencode_goes_on_in_its_session() {
    goes_on_in_its_session(VENDOR, "opencode_goes_on_in_its_session");
}

#[test]
fn opencode_goes_on_after_a_kill() {
    goes_on_after_a_kill(VENDOR, "opencode_goes_on_after_a_kill");
}

#[test]
fn a_refused_key_of_opencode_waits_for_a_person() {
    waits(VENDOR, "a_refused_key_of_opencode_waits_for_a_person", status(401), 4, "agent_login");
}

#[test]
fn a_used_up_quota_of_opencode_waits() {
    // A longer time it waits out by itself, in silence.
    let limited = Action::Http { status: 429, retry_after: Some(1), reset_at: None, message: None };
    waits(VENDOR, "a_used_up_quota_of_opencode_waits", limited, 7, "rate_limited");
}

#[test]
fn a_model_that_opencode_does_not_have_ends_the_job() {
    let words = "The model does not exist";
    has_no_such_model(VENDOR, "a_model_that_opencode_does_not_have_ends_the_job", words);
}
