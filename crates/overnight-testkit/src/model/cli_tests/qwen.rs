//! The real Qwen Code CLI. Its tries after 429 and 5xx take more than a minute, so they are not waited for.

use super::{
    Stored, does_the_work, first_text, resumed_after_a_kill, run_of, signalled,
    terminated_while_the_model_hangs,
};
use crate::model::cli::{Cli, Start, Vendor};
use crate::model::{Action, ModelServer, Scenario};
use serde_json::{Value, json};

#[tokio::test]
async fn writes_edits_and_commits() {
    let Some(cli) = Cli::or_skip(Vendor::Qwen, "qwen::writes_edits_and_commits").await else { return };
    let result = does_the_work(&cli, Start::default()).await.result().unwrap();
    assert_eq!((&result["subtype"], &result["is_error"]), (&json!("success"), &json!(false)));
    let usage = ["input_tokens", "output_tokens", "cache_read_input_tokens"];
    assert_eq!(usage.map(|field| result["usage"][field].clone()), [json!(407), json!(80), json!(7)]);
    let message = cli.git(&["log", "-1", "--format=%B"]).await;
    assert_eq!(message.trim(), "Add hello", "the CLI does not name itself as an author");
}

async fn end_of(scenario: Scenario, arguments: &[&str]) -> (Option<i32>, Option<Value>) {
    let run = run_of(Vendor::Qwen, scenario, Start { arguments, ..Start::default() }).await;
    (run.exit, run.result().map(|result| result["error"]["message"].clone()))
}

#[tokio::test]
async fn refusals_end_as_the_vendor_ends_them() {
    if Cli::is_missing(Vendor::Qwen, "qwen::refusals_end_as_the_vendor_ends_them") {
        return;
    }
    let end = end_of(Scenario::new().http(401), &[]).await;
    assert_eq!(end, (Some(1), Some(json!("[API Error: 401 scripted 401]"))));
}

#[tokio::test]
async fn a_long_wait_is_waited_for_in_silence() {
    let Some(cli) = Cli::or_skip(Vendor::Qwen, "qwen::a_long_wait_is_waited_for_in_silence").await else {
        return;
    };
    let server = ModelServer::start(Scenario::new().rate_limited(1).rate_limited(3600)).await.unwrap();
    let running = cli.spawn(&Start { base_url: server.base_url(), ..Start::default() }).await;
    server.wait_for_requests(2).await.unwrap();
    cli.signal(&running, "TERM").await;
    let run = running.finish().await;
    assert_eq!((run.exit, run.result()), (Some(130), None));
    assert_eq!(server.main_requests(), 2, "the first wait was kept, the second not cut short");
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_turn_limit_without_a_result() {
    if Cli::is_missing(Vendor::Qwen, "qwen::an_endless_loop_ends_at_the_turn_limit_without_a_result") {
        return;
    }
    let end = end_of(Scenario::new().then(Action::Loop), &["--max-session-turns", "2"]).await;
    assert_eq!(end, (Some(53), None));
}

#[tokio::test]
async fn a_killed_session_can_be_resumed() {
    let Some(cli) = Cli::or_skip(Vendor::Qwen, "qwen::a_killed_session_can_be_resumed").await else { return };
    let run = resumed_after_a_kill(&cli, |run| first_text(run, "session_id"), Stored::AtOnce).await;
    assert_eq!(run.result().unwrap()["subtype"], "success");
}

#[tokio::test]
async fn a_signal_ends_it_and_its_commands() {
    if Cli::is_missing(Vendor::Qwen, "qwen::a_signal_ends_it_and_its_commands") {
        return;
    }
    assert_eq!(signalled(Vendor::Qwen, "TERM").await, (Some(130), false));
    let run = terminated_while_the_model_hangs(Vendor::Qwen).await;
    assert_eq!((run.exit, run.result()), (Some(130), None));
}
