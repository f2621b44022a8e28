//! The runs of Claude Code that are recorded.

use super::{Case, SESSION, Shelf, commit, commit_file, edit_and_failing_command, quota, refusal};
use crate::model::cli::{Cli, Login, Start, Vendor};
use crate::model::scenario::Usage;
use crate::model::{Action, Scenario};

const ALLOWED: [&str; 2] = ["--allowedTools", "Bash,Edit,Write"];
const ONE_RETRY: [(&str, &str); 1] = [("CLAUDE_CODE_MAX_RETRIES", "1")];
const NO_RETRY: [(&str, &str); 1] = [("CLAUDE_CODE_MAX_RETRIES", "0")];

/// A run with the permissions that Overnight gives, and what comes on top of them.
struct Recording {
    name: &'static str,
    scenario: Scenario,
    arguments: Vec<&'static str>,
    environment: &'static [(&'static str, &'static str)],
}

/// Without absolute paths, which streaming would cut into pieces that cannot be made neutral.
fn commit_by_shell() -> Scenario {
    Scenario::new()
        .shell(
            "printf 'hello\\n' > hello.txt && git add hello.txt && git commit --quiet --message='Add hello'",
        )
        .say("The file is written and committed; nothing else was changed.")
}

fn recordings(cli: &Cli) -> Vec<Recording> {
    let record = |name, scenario, arguments: &[&'static str], environment| Recording {
        name,
        scenario,
        arguments: [&ALLOWED, arguments].concat(),
        environment,
    };
    let dear = Usage { input_tokens: 900_000, output_tokens: 50_000, ..Usage::default() };
    vec![
        record("success", commit(cli), &[], &[]),
        record("success_partial", commit_by_shell(), &["--include-partial-messages"], &[]),
        record("edit_and_failing_command", edit_and_failing_command(cli), &[], &[]),
        record("max_turns", Scenario::new().then(Action::Loop), &["--max-turns", "3"], &[]),
        record("unauthorized", refusal(401), &[], &ONE_RETRY),
        record("forbidden", refusal(403), &[], &ONE_RETRY),
        record("bad_request", refusal(400), &[], &ONE_RETRY),
        record("no_credit", Scenario::new().then(Action::NoCredit), &[], &NO_RETRY),
        record("rate_limited", Scenario::new().rate_limited(3600), &[], &[]),
        record("rate_limited_then_success", Scenario::new().rate_limited(1).say("Done."), &[], &[]),
        record("overloaded", refusal(529), &[], &NO_RETRY),
        record("server_error", refusal(500), &[], &ONE_RETRY),
        record("cut_stream", Scenario::new().then(Action::Drop).say("Done."), &[], &ONE_RETRY),
        record("unknown_session", commit(cli), &["--resume", SESSION], &[]),
        record("budget", Scenario::new().shell("echo one").costing(dear), &["--max-budget-usd", "0.5"], &[]),
    ]
}

#[tokio::test]
#[ignore = "rewrites the recordings of overnight-agents"]
async fn record_claude() {
    let mut shelf = Shelf::new(Vendor::Claude, "claude/2.1.328");
    let count = recordings(&shelf.cli().await).len();
    for index in 0..count {
        let cli = shelf.cli().await;
        let recording = recordings(&cli).swap_remove(index);
        let start =
            Start { arguments: &recording.arguments, environment: recording.environment, ..Start::default() };
        shelf.record(&cli, Case { start, ..Case::new(recording.name, recording.scenario) }).await;
    }
    record_permissions_and_login(&mut shelf).await;
    record_resumed(&mut shelf).await;
    shelf.signals(&Start { arguments: &ALLOWED, ..Start::default() }, Some(".pid started")).await;
    shelf.close();
}

async fn record_permissions_and_login(shelf: &mut Shelf) {
    let cli = shelf.cli().await;
    shelf.record(&cli, Case::new("permission_denied", commit(&cli))).await;

    let cli = shelf.cli().await;
    let nobody = Start { login: Login::Nothing, ..Start::default() };
    shelf.record(&cli, Case { start: nobody, ..Case::new("not_logged_in", commit(&cli)) }).await;

    let base_url = "http://127.0.0.1:9".to_owned();
    let refused = Start { base_url, environment: &ONE_RETRY, ..Start::default() };
    shelf.fresh(Case { start: refused, ..Case::new("connection_refused", Scenario::new()) }).await;

    let subscription = Start { login: Login::Subscription, ..Start::default() };
    shelf.fresh(Case { start: subscription, ..Case::new("rate_limited_subscription", quota()) }).await;
}

async fn record_resumed(shelf: &mut Shelf) {
    let cli = shelf.cli().await;
    for (name, option) in [("resumed_first", "--session-id"), ("resumed", "--resume")] {
        let arguments = [&ALLOWED[..], &[option, SESSION]].concat();
        let start = Start { arguments: &arguments, ..Start::default() };
        shelf.record(&cli, Case { start, ..Case::new(name, commit_file(&cli, name)) }).await;
    }
}
