//! The runs of the opencode CLI that are recorded. Those that it would never end are stopped.

use super::{Case, Shelf, Stop, commit, edit_and_failing_command, first_text, quota, refusal};
use crate::model::cli::{Login, Start, Vendor};
use crate::model::{Action, Scenario};
use serde_json::json;

/// Of the form that the CLI gives its ids; another form is refused for that alone.
const UNKNOWN_SESSION: &str = "ses_0000000000000000000000000a";

#[tokio::test]
#[ignore = "rewrites the recordings of overnight-agents"]
async fn record_opencode() {
    let mut shelf = Shelf::new(Vendor::Opencode, "opencode/1.18.33");
    record_work(&mut shelf).await;
    record_refusals(&mut shelf).await;
    shelf.resumed(|run| first_text(run, "sessionID"), UNKNOWN_SESSION).await;
    // It prints a call of a tool only when it is done.
    shelf.signals(&Start::default(), None).await;
    shelf.close();
}

async fn record_work(shelf: &mut Shelf) {
    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("success", commit(&cli))).await;

    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("edit_and_failing_command", edit_and_failing_command(&cli))).await;

    shelf.fresh(Case::new("loop", Scenario::new().then(Action::Loop)).until(5)).await;

    let unknown_tool = Scenario::new().tool("no_such_tool", json!({})).say("Done.");
    shelf.fresh(Case::new("unknown_tool", unknown_tool)).await;

    let outside = Scenario::new().tool("read", json!({"filePath": "/etc/hostname"})).say("Done.");
    shelf.fresh(Case::new("permission_denied", outside)).await;
}

async fn record_refusals(shelf: &mut Shelf) {
    let cases = [
        ("unauthorized", refusal(401)),
        ("forbidden", refusal(403)),
        ("bad_request", refusal(400)),
        ("no_credit", Scenario::new().then(Action::NoCredit)),
        ("payment_required", refusal(402)),
        ("rate_limited", Scenario::new().rate_limited(1)),
        ("rate_limited_then_success", Scenario::new().rate_limited(1).say("Done.")),
        ("cut_stream", Scenario::new().then(Action::Drop).say("Done.")),
    ];
    for (name, scenario) in cases {
        shelf.fresh(Case::new(name, scenario)).await;
    }
    // A long wait is waited for, the others are tried again for ever.
    for (name, scenario, requests) in
        [("quota", quota(), 1), ("overloaded", refusal(529), 3), ("server_error", refusal(500), 3)]
    {
        shelf.fresh(Case::new(name, scenario).until(requests)).await;
    }
    let nobody = Start { login: Login::Nothing, ..Start::default() };
    shelf.fresh(Case { start: nobody, ..Case::new("not_logged_in", refusal(401)) }).await;

    let refused = Start { base_url: "http://127.0.0.1:9".to_owned(), ..Start::default() };
    let case = Case::new("connection_refused", Scenario::new());
    shelf.fresh(Case { start: refused, stop: Stop::Seconds(15), ..case }).await;
}
