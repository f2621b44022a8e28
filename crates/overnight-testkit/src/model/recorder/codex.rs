//! The runs of the Codex CLI that are recorded.

use super::{Case, SESSION, Shelf, Stop, commit, edit_and_failing_command, first_text, quota, refusal};
use crate::model::cli::{Login, Start, Vendor};
use crate::model::{Action, Scenario};
use serde_json::json;

#[tokio::test]
#[ignore = "rewrites the recordings of overnight-agents"]
async fn record_codex() {
    let mut shelf = Shelf::new(Vendor::Codex, "codex/0.169.0");
    record_work(&mut shelf).await;
    record_refusals(&mut shelf).await;
    shelf.resumed(|run| first_text(run, "thread_id"), SESSION).await;
    shelf.signals(&Start::default(), Some(".pid started")).await;
    shelf.close();
}

async fn record_work(shelf: &mut Shelf) {
    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("success", commit(&cli))).await;

    let cli = shelf.cli().await;
    let scripts = Start { model: Some("gpt-6-sol"), ..Start::default() };
    shelf.record(&cli, Case { start: scripts, ..Case::new("success_by_scripts", commit(&cli)) }).await;

    let cli = shelf.cli().await;
    let unknown = Start { model: Some("unheard-of"), ..Start::default() };
    shelf.record(&cli, Case { start: unknown, ..Case::new("success_unknown_model", commit(&cli)) }).await;

    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("edit_and_failing_command", edit_and_failing_command(&cli))).await;

    let unknown_tool = Scenario::new().tool("no_such_tool", json!({})).say("Done.");
    shelf.fresh(Case::new("unknown_tool", unknown_tool)).await;
    shelf.fresh(Case::new("loop", Scenario::new().then(Action::Loop)).until(5)).await;
}

async fn record_refusals(shelf: &mut Shelf) {
    let cases = [
        ("unauthorized", refusal(401)),
        ("forbidden", refusal(403)),
        ("bad_request", refusal(400)),
        ("no_credit", Scenario::new().then(Action::NoCredit)),
        ("payment_required", refusal(402)),
        ("rate_limited", refusal(429)),
        ("usage_limit", quota()),
        ("rate_limited_then_success", Scenario::new().rate_limited(1).say("Done.")),
        ("overloaded", refusal(529)),
        ("server_error", refusal(500)),
        ("cut_stream", Scenario::new().then(Action::Drop).say("Done.")),
    ];
    for (name, scenario) in cases {
        shelf.fresh(Case::new(name, scenario)).await;
    }
    shelf.fresh(Case::new("rate_limited_long", Scenario::new().rate_limited(3600)).until(1)).await;

    let nobody = Start { login: Login::Nothing, ..Start::default() };
    shelf.fresh(Case { start: nobody, ..Case::new("not_logged_in", Scenario::new()) }).await;

    let refused = Start { base_url: "http://127.0.0.1:9".to_owned(), ..Start::default() };
    let case = Case::new("connection_refused", Scenario::new());
    shelf.fresh(Case { start: refused, stop: Stop::Seconds(8), ..case }).await;
}
