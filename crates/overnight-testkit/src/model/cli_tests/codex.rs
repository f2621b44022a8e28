//! The real Codex CLI.

use super::{
    Stored, does_the_work, first_text, resumed_after_a_kill, run_of, signalled,
    terminated_while_the_model_hangs,
};
use crate::model::cli::{Cli, Run, Start, Vendor};
use crate::model::{Action, Scenario};
use serde_json::{Value, json};

/// Quick about failing: one try of each kind.
const ONE_TRY: [&str; 4] = [
    "-c",
    "model_providers.scripted.request_max_retries=0",
    "-c",
    "model_providers.scripted.stream_max_retries=0",
];

fn end(run: &Run) -> Value {
    run.events().pop().unwrap_or_default()
}

async fn failure(scenario: Scenario) -> String {
    let run = run_of(Vendor::Codex, scenario, Start { arguments: &ONE_TRY, ..Start::default() }).await;
    assert_eq!(run.exit, Some(1), "{}", run.stdout);
    let end = end(&run);
    assert_eq!(end["type"], "turn.failed");
    end["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn writes_edits_and_commits() {
    let Some(cli) = Cli::or_skip(Vendor::Codex, "codex::writes_edits_and_commits").await else { return };
    let run = does_the_work(&cli, Start::default()).await;
    let expected = json!({"input_tokens": 407, "cached_input_tokens": 7, "cache_write_input_tokens": 0,
        "output_tokens": 80, "reasoning_output_tokens": 0});
    assert_eq!((&end(&run)["type"], &end(&run)["usage"]), (&json!("turn.completed"), &expected));
}

#[tokio::test]
async fn other_models_are_offered_other_tools() {
    let test = "codex::other_models_are_offered_other_tools";
    for (model, tool) in [("gpt-6-sol", "\"type\":\"custom_tool_call\""), ("unheard-of", "exec_command")] {
        let Some(cli) = Cli::or_skip(Vendor::Codex, test).await else { return };
        does_the_work(&cli, Start { model: Some(model), ..Start::default() }).await;
        cli.wait_for_transcript(tool).await;
    }
}

#[tokio::test]
async fn refusals_end_as_the_vendor_ends_them() {
    if Cli::is_missing(Vendor::Codex, "codex::refusals_end_as_the_vendor_ends_them") {
        return;
    }
    for status in [401, 403, 529] {
        let message = failure(Scenario::new().http(status)).await;
        assert!(message.starts_with(&format!("unexpected status {status} ")), "{message}");
    }
    let message = failure(Scenario::new().http(429)).await;
    assert_eq!(message, "exceeded retry limit, last status: 429 Too Many Requests");
    assert!(failure(Scenario::new().http(500)).await.contains("high demand"));
}

#[tokio::test]
async fn a_used_up_quota_says_when_it_is_renewed_but_only_in_words() {
    if Cli::is_missing(Vendor::Codex, "codex::a_used_up_quota_says_when_it_is_renewed_but_only_in_words") {
        return;
    }
    let quota = Action::Http { status: 429, retry_after: None, reset_at: Some(1_900_000_000), message: None };
    let message = failure(Scenario::new().then(quota)).await;
    assert!(message.contains("hit your usage limit"), "{message}");
    assert!(message.contains("try again at Mar 17th, 2030"), "{message}");
}

#[tokio::test]
async fn a_killed_session_can_be_resumed() {
    let Some(cli) = Cli::or_skip(Vendor::Codex, "codex::a_killed_session_can_be_resumed").await else {
        return;
    };
    let run = resumed_after_a_kill(&cli, |run| first_text(run, "thread_id"), Stored::AtOnce).await;
    assert_eq!(end(&run)["type"], "turn.completed");
}

#[tokio::test]
async fn signals_end_it_without_an_ending_and_its_commands_too() {
    if Cli::is_missing(Vendor::Codex, "codex::signals_end_it_without_an_ending_and_its_commands_too") {
        return;
    }
    assert_eq!(signalled(Vendor::Codex, "TERM").await, (None, false));
    assert_eq!(signalled(Vendor::Codex, "KILL").await, (None, false));
    let run = terminated_while_the_model_hangs(Vendor::Codex).await;
    assert_eq!((run.exit, end(&run)["type"].as_str()), (None, Some("turn.started")));
}
