//! The Qwen Code CLI.

use super::{
    Vendor, does_its_job, goes_on_after_a_kill, goes_on_in_its_session, has_no_such_model, status, waits,
};

const VENDOR: Vendor = Vendor::Qwen;

#[test]
fn qwen_does_its_job() {
    let Some(place) = does_its_job(VENDOR, "qwen_does_its_job") else { return };
    place.finish();
}

#[test]
fn qwen_goes_on_in_its_session() {
    goes_on_in_its_session(VENDOR, "qwen_goes_on_in_its_session");
}

#[test]
fn qwen_goes_on_after_a_kill() {
    goes_on_after_a_kill(VENDOR, "qwen_goes_on_after_a_kill");
}

#[test]
fn a_refused_key_of_qwen_waits_for_a_person() {
    waits(VENDOR, "a_refused_key_of_qwen_waits_for_a_person", status(401), 4, "agent_login");
}

#[test]
fn a_model_that_qwen_does_not_have_ends_the_job() {
    let words = "The model does not exist";
    has_no_such_model(VENDOR, "a_model_that_qwen_does_not_have_ends_the_job", words);
}
