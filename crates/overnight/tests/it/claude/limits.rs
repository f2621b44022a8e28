//! Limits that end a real CLI in the middle of its work, and output without end.

use overnight_testkit::model::{Action, Scenario, Usage};

use crate::harness::model::{finish, model, place, run};

/// Each answer of the claude-sonnet-4-5 model: half a dollar, 50,000 tokens out and no other.
fn dear() -> Usage {
    Usage { input_tokens: 0, output_tokens: 33_334, cache_read_tokens: 0, cache_write_tokens: 0 }
}

/// Step after step of this usage, and at last a file that must never come to be.
fn dear_steps(place: &crate::harness::Place) -> Scenario {
    let mut scenario = Scenario::new();
    for number in 0..20 {
        scenario = scenario.shell(&format!("echo step {number} >> steps")).costing(dear());
    }
    scenario.shell(&format!("touch {}", place.path("canary").display())).say("done")
}

#[test]
fn a_cost_limit_ends_the_turn_near_it() {
    let Some(mut place) = place("a_cost_limit_ends_the_turn_near_it") else { return };
    let steps = dear_steps(&place);
    let model = model(&mut place, steps);
    run(&place, &["--max-cost", "1.20"]).expect_code(7).expect_said(&["--max-cost"]);
    let job = place.expect_reason("ended", "budget_cost");
    let used = job["used"]["cost_microdollars"].as_i64().unwrap();
    assert!((1_200_000..1_200_000 + 2 * 500_010).contains(&used), "{job:#}");
    assert!(model.count() <= 4, "{} answers were paid", model.count());
    assert!(!place.path("canary").exists());
    place.finish();
}

/// Twelve answers of 75 cents each would be nine dollars.
#[test]
fn of_nine_dollars_that_would_be_streamed_five_are_spent() {
    let Some(mut place) = place("of_nine_dollars_that_would_be_streamed_five_are_spent") else { return };
    let dear = Usage { output_tokens: 50_000, ..dear() };
    let mut scenario = Scenario::new();
    for number in 0..12 {
        scenario = scenario.shell(&format!("echo step {number} >> steps")).costing(dear);
    }
    let model = model(&mut place, scenario.say("done"));
    run(&place, &["--max-cost", "5.00"]).expect_code(7).expect_said(&["$5.00", "--max-cost"]);
    let job = place.expect_reason("ended", "budget_cost");
    let used = job["used"]["cost_microdollars"].as_i64().unwrap();
    assert!((5_000_000..5_000_000 + 2 * 750_010).contains(&used), "{job:#}");
    assert!(model.count() <= 9, "{} answers were paid", model.count());
    place.finish();
}

#[test]
fn a_token_limit_ends_the_turn_near_it() {
    let Some(mut place) = place("a_token_limit_ends_the_turn_near_it") else { return };
    let steps = dear_steps(&place);
    let model = model(&mut place, steps);
    run(&place, &["--max-tokens", "80k"]).expect_code(7).expect_said(&["--max-tokens"]);
    let job = place.expect_reason("ended", "budget_tokens");
    let used = job["used"]["output_tokens"].as_u64().unwrap();
    assert!((80_000..80_000 + 2 * 33_334).contains(&used), "{job:#}");
    assert!(model.count() <= 4, "{} answers were paid", model.count());
    assert!(!place.path("canary").exists());
    place.finish();
}

#[test]
fn a_turn_limit_ends_an_endless_loop() {
    let Some(mut place) = place("a_turn_limit_ends_an_endless_loop") else { return };
    let model = model(&mut place, Scenario::new().then(Action::Loop));
    run(&place, &["--max-turns", "3"]).expect_code(7).expect_said(&["--max-turns"]);
    place.expect_reason("ended", "budget_turns");
    assert!((3..=4).contains(&model.count()), "{} answers", model.count());
    place.finish();
}

#[test]
fn a_time_limit_ends_an_endless_loop() {
    let Some(mut place) = place("a_time_limit_ends_an_endless_loop") else { return };
    let _model = model(&mut place, Scenario::new().then(Action::Loop));
    run(&place, &["--max-time", "8s"]).expect_code(7).expect_said(&["--max-time"]);
    place.expect_reason("ended", "budget_time");
    assert_eq!(place.job()["turns"], 1);
    place.finish();
}

#[test]
fn a_limit_counts_all_attempts_together() {
    let Some(mut place) = place("a_limit_counts_all_attempts_together") else { return };
    let wrong = Scenario::new().shell("echo 40 > answer").costing(dear()).say("first");
    let second = wrong.shell("echo 39 > answer").costing(dear()).say("second");
    let canary = format!("touch {}", place.path("canary").display());
    let _model =
        model(&mut place, second.shell("echo 38 > answer").costing(dear()).shell(&canary).say("third"));
    run(&place, &["--max-cost", "1.20", "--attempts", "5"]).expect_code(7);
    let job = place.expect_reason("ended", "budget_cost");
    assert_eq!(job["attempt"], 3, "{job:#}");
    assert!(!place.path("canary").exists());
    place.finish();
}

#[test]
fn a_job_within_its_limits_is_not_disturbed_by_them() {
    let Some(mut place) = place("a_job_within_its_limits_is_not_disturbed_by_them") else { return };
    let model = model(&mut place, finish(Scenario::new()));
    let limits = ["--max-cost", "1.00", "--max-tokens", "10k", "--max-turns", "4", "--max-time", "10m"];
    run(&place, &limits).expect_code(0);
    assert_eq!(model.count(), 4, "the last allowed answer still counts");
    place.finish();
}

#[test]
fn an_answer_of_megabytes_is_taken_and_kept_short() {
    let Some(mut place) = place("an_answer_of_megabytes_is_taken_and_kept_short") else { return };
    let works = crate::harness::model::change(Scenario::new(), "answer", "41", "42");
    let _model = model(&mut place, works.then(Action::Big { bytes: 3 << 20 }));
    run(&place, &[]).expect_code(0);
    let database = std::fs::metadata(place.data().join("overnight.db")).unwrap().len();
    assert!(database < 1 << 20, "{database} bytes of database");
    place.finish();
}

#[test]
fn a_command_that_floods_its_output_harms_nobody() {
    let Some(mut place) = place("a_command_that_floods_its_output_harms_nobody") else { return };
    let flood = Scenario::new().shell("head -c 200000000 /dev/zero | tr '\\0' 'x'; echo >&2 done");
    let _model = model(&mut place, finish(flood));
    run(&place, &[]).expect_code(0);
    place.finish();
}
