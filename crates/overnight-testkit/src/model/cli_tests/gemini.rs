//! The real Gemini CLI.

use super::{
    Stored, does_the_work, first_text, resumed_after_a_kill, run_of, signalled,
    terminated_while_the_model_hangs,
};
use crate::model::cli::{Cli, Start, Vendor};
use crate::model::{Action, ModelServer, Scenario};
use serde_json::json;

#[tokio::test]
async fn writes_edits_and_commits() {
    let Some(cli) = Cli::or_skip(Vendor::Gemini, "gemini::writes_edits_and_commits").await else { return };
    let run = does_the_work(&cli, Start::default()).await;
    let result = run.result().unwrap();
    assert_eq!(result["status"], "success");
    let stats = ["input_tokens", "output_tokens", "cached"].map(|field| result["stats"][field].clone());
    assert_eq!(stats, [json!(407), json!(80), json!(7)]);
}

async fn failure(scenario: Scenario) -> (Option<i32>, String) {
    let run = run_of(Vendor::Gemini, scenario, Start::default()).await;
    let result = run.result().unwrap();
    assert_eq!(result["status"], "error");
    (run.exit, result["error"]["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn refusals_end_as_the_vendor_ends_them() {
    if Cli::is_missing(Vendor::Gemini, "gemini::refusals_end_as_the_vendor_ends_them") {
        return;
    }
    for (status, exit) in [(401, 145), (500, 244)] {
        let (code, message) = failure(Scenario::new().http(status)).await;
        assert_eq!(code, Some(exit));
        assert!(message.contains(&format!("scripted {status}")), "{message}");
    }
    let (code, message) = failure(Scenario::new().rate_limited(3600)).await;
    assert_eq!(code, Some(173));
    assert!(message.contains("Suggested retry after 3600s."), "{message}");
}

#[tokio::test]
async fn a_quota_of_the_day_is_told_apart() {
    if Cli::is_missing(Vendor::Gemini, "gemini::a_quota_of_the_day_is_told_apart") {
        return;
    }
    let quota = Action::Http { status: 429, retry_after: None, reset_at: Some(1_900_000_000), message: None };
    let (code, message) = failure(Scenario::new().then(quota)).await;
    assert_eq!(code, Some(173));
    assert!(message.contains("exhausted your daily quota"), "{message}");
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_turn_limit_of_the_settings() {
    let test = "gemini::an_endless_loop_ends_at_the_turn_limit_of_the_settings";
    let Some(cli) = Cli::or_skip(Vendor::Gemini, test).await else { return };
    cli.set("/model/maxSessionTurns", json!(2));
    let server = ModelServer::start(Scenario::new().then(Action::Loop)).await.unwrap();
    let run = cli.run(&Start { base_url: server.base_url(), ..Start::default() }).await;
    let kind = run.result().unwrap()["error"]["type"].clone();
    assert_eq!((run.exit, kind), (Some(53), json!("FatalTurnLimitedError")));
}

#[tokio::test]
async fn a_killed_session_can_be_resumed() {
    let Some(cli) = Cli::or_skip(Vendor::Gemini, "gemini::a_killed_session_can_be_resumed").await else {
        return;
    };
    let run = resumed_after_a_kill(&cli, |run| first_text(run, "session_id"), Stored::WithItsResult).await;
    assert_eq!(run.result().unwrap()["status"], "success");
}

#[tokio::test]
async fn a_signal_ends_it_as_if_all_were_well_and_leaves_its_commands() {
    if Cli::is_missing(Vendor::Gemini, "gemini::a_signal_ends_it_as_if_all_were_well_and_leaves_its_commands")
    {
        return;
    }
    assert_eq!(signalled(Vendor::Gemini, "TERM").await, (Some(0), true));
    let run = terminated_while_the_model_hangs(Vendor::Gemini).await;
    assert_eq!((run.exit, run.result()), (Some(0), None));
}
