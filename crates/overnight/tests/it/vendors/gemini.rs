//! The Gemini CLI.

use super::{
    Vendor, does_its_job, goes_on_after_a_kill, goes_on_in_its_session, has_no_such_model, status, waits,
};

const VENDOR: Vendor = Vendor::Gemini;

#[test]
fn gemini_does_its_job() {
    let Some(place) = does_its_job(VENDOR, "gemini_does_its_job") else { return };
    place.finish();
}

#[test]
fn gemini_goes_on_in_its_session() {
    goes_on_in_its_session(VENDOR, "gemini_goes_on_in_its_session");
}

#[test]
fn gemini_goes_on_after_a_kill() {
    goes_on_after_a_kill(VENDOR, "gemini_goes_on_after_a_kill");
}

#[test]
fn a_refused_key_of_gemini_waits_for_a_person() {
    waits(VENDOR, "a_refused_key_of_gemini_waits_for_a_person", status(401), 4, "agent_login");
}

#[test]
fn a_used_up_quota_of_gemini_waits() {
    waits(VENDOR, "a_used_up_quota_of_gemini_waits", status(429), 7, "rate_limited");
}

#[test]
fn a_model_that_gemini_does_not_have_ends_the_job() {
    let words =
        "models/gemini-2.5-pro is not found for API version v1beta, or is not supported for generateContent.";
    has_no_such_model(VENDOR, "a_model_that_gemini_does_not_have_ends_the_job", words);
}
