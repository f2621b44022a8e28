//! What a person may set about the CLI, and what it comes to.

use overnight_testkit::model::{Scenario, Usage};
use serde_json::Value;

use crate::harness::model::{finish, fix, model, place, run};

#[test]
fn model_effort_and_tools_reach_the_cli() {
    let Some(mut place) = place("model_effort_and_tools_reach_the_cli") else { return };
    let model = model(&mut place, fix());
    run(&place, &["--model", "claude-opus-4-5", "--effort", "low", "--deny-tool", "NotebookEdit"])
        .expect_code(0);
    let asked = model.asked().remove(0).body;
    assert_eq!(asked["model"], "claude-opus-4-5");
    assert_eq!(asked["output_config"]["effort"], "low", "{:#}", asked["output_config"]);
    let tools: Vec<&str> =
        asked["tools"].as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(tools.contains(&"Bash") && tools.contains(&"Edit"), "{tools:?}");
    for kept_away in ["NotebookEdit", "EnterWorktree", "CronCreate", "ScheduleWakeup"] {
        assert!(!tools.contains(&kept_away), "{kept_away} in {tools:?}");
    }
    assert_eq!(
        place.job()["used"]["cost_microdollars"],
        4 * 1_000,
        "4 answers at 5 and 25 dollars per million"
    );
    place.finish();
}

fn last_tool_result(body: &Value) -> Value {
    let last = body["messages"].as_array().unwrap().last().unwrap();
    last["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_result").unwrap().clone()
}

#[test]
fn a_tool_that_reaches_the_web_is_refused_unless_it_is_allowed() {
    let Some(mut place) = place("a_tool_that_reaches_the_web_is_refused") else { return };
    let web = serde_json::json!({"url": "http://127.0.0.1:9/", "prompt": "read it"});
    let model = model(&mut place, finish(Scenario::new().tool("WebFetch", web)));
    run(&place, &[]).expect_code(0);
    let answer = last_tool_result(&model.asked()[1].body);
    assert_eq!(answer["is_error"], true, "{answer}");
    place.finish();
}

#[test]
fn settings_that_cannot_work_unattended_are_refused() {
    let Some(place) = place("settings_that_cannot_work_unattended_are_refused") else { return };
    run(&place, &["--permission-mode", "plan"]).expect_code(2).expect_said(&["plan", "acceptEdits"]);
    run(&place, &["--model", "--version"]).expect_code(2);
    run(&place, &["--model=--version"]).expect_code(2).expect_said(&["--version"]);
    assert!(!place.data().join("jobs").exists(), "nothing was queued");
    place.finish();
}

/// A model without a known price: the limit must hold all the same, or be refused.
#[test]
fn a_cost_limit_holds_for_a_model_that_nobody_knows() {
    let Some(mut place) = place("a_cost_limit_holds_for_a_model_that_nobody_knows") else { return };
    let dear = Usage { input_tokens: 0, output_tokens: 400_000, cache_read_tokens: 0, cache_write_tokens: 0 };
    let mut steps = Scenario::new();
    for number in 0..20 {
        steps = steps.shell(&format!("echo step {number}")).costing(dear);
    }
    let model = model(&mut place, steps.shell("echo 42 > answer").say("done"));
    let outcome = run(&place, &["--model", "claude-unheard-of-9", "--max-cost", "1.00"]);
    match outcome.code {
        Some(2) => assert!(outcome.stderr.contains("--max-cost"), "{}", outcome.stderr),
        _ => {
            outcome.expect_code(7);
            assert!(model.count() < 6, "{} answers of several dollars were paid", model.count());
            place.expect_reason("ended", "budget_cost");
        }
    }
    place.finish();
}

#[test]
fn the_cli_that_died_is_an_attempt_and_says_why() {
    let Some(mut place) = place("the_cli_that_died_is_an_attempt") else { return };
    let _model = model(&mut place, finish(Scenario::new().shell("kill -SEGV $PPID; sleep 1")));
    run(&place, &["--attempts", "2"]).expect_code(0);
    let failed = place.events_of("attempt_failed");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(place.events_of("turn_ended")[0]["result"]["outcome"], Value::from("crashed"));
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}
