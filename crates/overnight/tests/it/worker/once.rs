//! The exit codes of `--once`, which a supervisor obeys.

use super::place;
use crate::harness::fleet::{FIX, held_until};
use crate::harness::{Outcome, Place};

fn once(place: &Place) -> Outcome {
    place.worker(&["--once", "--wait", "30s"]).wait()
}

#[test]
fn nothing_to_do_is_no_failure() {
    let place = place();
    place.worker(&["--once", "--wait", "1s"]).wait().expect_code(0).expect_said(&["nothing to do"]);
    place.finish();
}

#[test]
fn one_job_is_done_and_no_other_is_taken() {
    let place = place();
    let (first, second) = (place.add("repo", &[FIX], &[]), place.add("repo", &[FIX], &[]));
    once(&place).expect_code(0);
    assert_eq!(place.until_ended(&first), "published");
    assert_eq!(place.shown(&second).state(), "queued");
    place.check_fleet();
}

#[test]
fn the_exit_code_says_whether_starting_again_helps() {
    let table = [
        (r#"{ fail = "login_expired" }"#, 3, "agent_login"),
        (r#"{ fail = { rate_limited = { reset_in_s = 3600 } } }"#, 4, "rate_limited"),
        (r#"{ fail = "overloaded" }"#, 4, "overloaded"),
        (r#"{ write = { path = "answer", content = "40\n" } }"#, 1, "verification_failed"),
        (r#"{ fail = "refused" }"#, 1, "agent_refused"),
    ];
    for (steps, code, reason) in table {
        let place = place();
        let key = place.add("repo", &[steps], &["--attempts", "1"]);
        let outcome = once(&place);
        let job = place.shown(&key);
        assert_eq!((outcome.code, job.reason()), (Some(code), reason), "{steps}: {}", outcome.stderr);
        place.check_fleet();
        place.finish();
    }
}

/// Not reported, so given back: at the same stage, with no attempt used up.
#[test]
fn a_job_that_was_not_reported_is_given_back() {
    let place = place();
    let go = place.path("go");
    let key = place.add("repo", &[&held_until(go.to_str().unwrap())], &[]);
    let worker = place.worker(&["--once"]);
    place.until_event(&key, "turn_started");
    worker.signal("TERM");
    worker.until_said("a second signal");
    worker.signal("INT");
    worker.wait().expect_code(8);
    let left = place.shown(&key);
    assert_eq!((left.state(), &left.job["held_by"]), ("working", &serde_json::Value::Null));
    std::fs::write(&go, "").unwrap();
    once(&place).expect_code(0);
    assert_eq!(place.until_ended(&key), "published");
    assert_eq!(place.shown(&key).job["attempt"], 1);
    place.check_fleet();
    place.finish();
}

#[test]
fn a_worker_without_slots_is_refused() {
    let place = place();
    place.overnight(&["work", "--slots", "0"]).expect_code(2).expect_said(&["overnight serve --slots 0"]);
}
