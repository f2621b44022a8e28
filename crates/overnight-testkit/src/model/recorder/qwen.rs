//! The runs of the Qwen Code CLI that are recorded. Two of them take more than a minute: the CLI's pauses between its
//! tries cannot be set.

use super::{Case, SESSION, Shelf, commit, edit_and_failing_command, first_text, quota, refusal};
use crate::model::cli::{Login, Start, Vendor};
use crate::model::{Action, Scenario};
use serde_json::json;

#[tokio::test]
#[ignore = "rewrites the recordings of overnight-agents"]
async fn record_qwen() {
    let mut shelf = Shelf::new(Vendor::Qwen, "qwen/0.24.4");
    record_work(&mut shelf).await;
    record_refusals(&mut shelf).await;
    shelf.resumed(|run| first_text(run, "session_id"), SESSION).await;
    shelf.signals(&Start::default(), Some(".pid started")).await;
    shelf.close();
}

async fn record_work(shelf: &mut Shelf) {
    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("success", commit(&cli))).await;

    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("edit_and_failing_command", edit_and_failing_command(&cli))).await;

    let endless = || Scenario::new().then(Action::Loop);
    for (name, arguments) in
        [("max_turns", ["--max-session-turns", "3"]), ("max_tool_calls", ["--max-tool-calls", "3"])]
    {
        let start = Start { arguments: &arguments, ..Start::default() };
        shelf.fresh(Case { start, ..Case::new(name, endless()) }).await;
    }

    let same = Scenario::new().tool("run_shell_command", json!({"command": "echo again"}));
    shelf.fresh(Case::new("loop", same)).await;

    let unknown_tool = Scenario::new().tool("no_such_tool", json!({})).say("Done.");
    shelf.fresh(Case::new("unknown_tool", unknown_tool)).await;
}

async fn record_refusals(shelf: &mut Shelf) {
    let cases = [
        ("unauthorized", refusal(401)),
        ("forbidden", refusal(403)),
        ("bad_request", refusal(400)),
        ("no_credit", Scenario::new().then(Action::NoCredit)),
        ("payment_required", refusal(402)),
        ("rate_limited", refusal(429)),
        ("rate_limited_then_success", Scenario::new().rate_limited(1).say("Done.")),
        ("overloaded", refusal(529)),
        ("server_error", refusal(500)),
        ("cut_stream", Scenario::new().then(Action::Drop).say("Done.")),
    ];
    for (name, scenario) in cases {
        shelf.fresh(Case::new(name, scenario)).await;
    }
    shelf.fresh(Case::new("quota", quota()).until(1)).await;

    let nobody = Start { login: Login::Nothing, ..Start::default() };
    shelf.fresh(Case { start: nobody, ..Case::new("not_logged_in", Scenario::new()) }).await;

    let refused = Start { base_url: "http://127.0.0.1:9".to_owned(), ..Start::default() };
    shelf.fresh(Case { start: refused, ..Case::new("connection_refused", Scenario::new()) }).await;
}
