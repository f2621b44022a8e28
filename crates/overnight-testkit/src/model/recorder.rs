//! Makes the recordings of the real CLI's output that the decoder in overnight-agents is tested with.
//!
//! Owns the folder `overnight-agents/recordings/claude/<version>`. Ignored by default, since it rewrites files
//! that are under version control: `cargo test -p overnight-testkit record_claude -- --ignored`.

use super::cli::{Cli, LONG_COMMAND, Login, Run, Start, finish};
use super::scenario::Usage;
use super::{Action, ModelServer, Scenario};
use crate::tools;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const ALLOWED: [&str; 2] = ["--allowedTools", "Bash,Edit,Write"];
const SESSION: &str = "7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11";
const ONE_RETRY: [(&str, &str); 1] = [("CLAUDE_CODE_MAX_RETRIES", "1")];
const NO_RETRY: [(&str, &str); 1] = [("CLAUDE_CODE_MAX_RETRIES", "0")];

/// A run to record, apart from those that need more than one start or a signal.
struct Recording {
    name: &'static str,
    scenario: Scenario,
    arguments: Vec<&'static str>,
    environment: &'static [(&'static str, &'static str)],
}

/// Writes a file and commits it.
fn commit(cli: &Cli) -> Scenario {
    Scenario::new()
        .write(&cli.file("hello.txt"), "hello\n")
        .shell("git add hello.txt && git commit --quiet --message='Add hello'")
        .say("The file is committed.")
}

/// Without absolute paths, which streaming would cut into pieces that cannot be made neutral.
fn commit_by_shell() -> Scenario {
    Scenario::new()
        .shell(
            "printf 'hello\\n' > hello.txt && git add hello.txt && git commit --quiet --message='Add hello'",
        )
        .say("The file is written and committed; nothing else was changed.")
}

fn refusal(status: u16) -> Scenario {
    Scenario::new().http(status)
}

fn recordings(cli: &Cli) -> Vec<Recording> {
    let record = |name, scenario, arguments: &[&'static str], environment| Recording {
        name,
        scenario,
        arguments: [&ALLOWED, arguments].concat(),
        environment,
    };
    let edit = Scenario::new()
        .write(&cli.file("notes.txt"), "one\ntwo\n")
        .edit(&cli.file("notes.txt"), "two", "three")
        .shell("cat missing.txt")
        .say("Edited.");
    let dear = Usage { input_tokens: 900_000, output_tokens: 50_000, ..Usage::default() };
    vec![
        record("success", commit(cli), &[], &[]),
        record("success_partial", commit_by_shell(), &["--include-partial-messages"], &[]),
        record("edit_and_failing_command", edit, &[], &[]),
        record("max_turns", Scenario::new().then(Action::Loop), &["--max-turns", "3"], &[]),
        record("unauthorized", refusal(401), &[], &ONE_RETRY),
        record("forbidden", refusal(403), &[], &ONE_RETRY),
        record("bad_request", refusal(400), &[], &ONE_RETRY),
        record("rate_limited", Scenario::new().rate_limited(3600), &[], &[]),
        record("rate_limited_then_success", Scenario::new().rate_limited(1).say("Done."), &[], &[]),
        record("overloaded", refusal(529), &[], &NO_RETRY),
        record("server_error", refusal(500), &[], &ONE_RETRY),
        record("cut_stream", Scenario::new().then(Action::Drop).say("Done."), &[], &ONE_RETRY),
        record("unknown_session", commit(cli), &["--resume", SESSION], &[]),
        record("budget", Scenario::new().shell("echo one").costing(dear), &["--max-budget-usd", "0.5"], &[]),
    ]
}

/// Where recordings go, and what is noted beside them.
struct Shelf {
    folder: PathBuf,
    exits: Value,
}

impl Shelf {
    fn put(&mut self, name: &str, cli: &Cli, run: &Run) {
        let neutral = |text: &str| neutral(text, cli.dir());
        std::fs::write(self.folder.join(format!("{name}.jsonl")), neutral(&run.stdout)).unwrap();
        self.exits[name] = json!({"exit": run.exit, "stderr": neutral(&run.stderr)});
    }
}

/// The CLI also spells folder names with dashes for all that is not a letter or a digit.
fn neutral(text: &str, dir: &Path) -> String {
    let dir = dir.to_str().unwrap();
    let dashed = dir.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    text.replace(dir, "/workspace").replace(&dashed, "-workspace")
}

#[tokio::test]
#[ignore = "rewrites the recordings of overnight-agents"]
async fn record_claude() {
    let binary = tools::claude().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../overnight-agents/recordings/claude/2.1.328");
    std::fs::create_dir_all(&folder).unwrap();
    let mut shelf = Shelf { folder, exits: json!({}) };
    let count = recordings(&Cli::new(binary.clone()).await).len();
    for index in 0..count {
        let cli = Cli::new(binary.clone()).await;
        let recording = recordings(&cli).swap_remove(index);
        let server = ModelServer::start(recording.scenario).await.unwrap();
        let start = Start {
            base_url: server.base_url(),
            login: Login::ApiKey,
            arguments: &recording.arguments,
            environment: recording.environment,
        };
        shelf.put(recording.name, &cli, &cli.run(&start).await);
    }
    record_permissions_and_login(&mut shelf, &binary).await;
    record_resumed(&mut shelf, &binary).await;
    record_signals(&mut shelf, &binary).await;
    let exits = serde_json::to_string_pretty(&shelf.exits).unwrap() + "\n";
    std::fs::write(shelf.folder.join("exits.json"), exits).unwrap();
}

async fn record_permissions_and_login(shelf: &mut Shelf, binary: &Path) {
    let cli = Cli::new(binary.to_owned()).await;
    let server = ModelServer::start(commit(&cli)).await.unwrap();
    let no_permission = Start { base_url: server.base_url(), ..Start::default() };
    shelf.put("permission_denied", &cli, &cli.run(&no_permission).await);

    let cli = Cli::new(binary.to_owned()).await;
    let nobody = Start { base_url: server.base_url(), login: Login::Nothing, ..Start::default() };
    shelf.put("not_logged_in", &cli, &cli.run(&nobody).await);

    let cli = Cli::new(binary.to_owned()).await;
    let base_url = "http://127.0.0.1:9".to_owned();
    let refused = Start { base_url, environment: &ONE_RETRY, ..Start::default() };
    shelf.put("connection_refused", &cli, &cli.run(&refused).await);

    let cli = Cli::new(binary.to_owned()).await;
    let quota =
        Action::Http { status: 429, retry_after: Some(3600), reset_at: Some(1_900_000_000), message: None };
    let server = ModelServer::start(Scenario::new().then(quota)).await.unwrap();
    let quota = Start { base_url: server.base_url(), login: Login::Subscription, ..Start::default() };
    shelf.put("rate_limited_subscription", &cli, &cli.run(&quota).await);
}

async fn record_resumed(shelf: &mut Shelf, binary: &Path) {
    let cli = Cli::new(binary.to_owned()).await;
    for (name, option) in [("resumed_first", "--session-id"), ("resumed", "--resume")] {
        let server = ModelServer::start(commit_again(&cli, name)).await.unwrap();
        let arguments = [&ALLOWED[..], &[option, SESSION]].concat();
        let start = Start { base_url: server.base_url(), arguments: &arguments, ..Start::default() };
        shelf.put(name, &cli, &cli.run(&start).await);
    }
}

fn commit_again(cli: &Cli, name: &str) -> Scenario {
    Scenario::new()
        .write(&cli.file(name), "content\n")
        .shell("git add . && git commit --quiet --message='Add a file'")
        .say("The file is committed.")
}

async fn record_signals(shelf: &mut Shelf, binary: &Path) {
    for (name, signal) in [("terminated", "TERM"), ("interrupted", "INT"), ("killed", "KILL")] {
        let cli = Cli::new(binary.to_owned()).await;
        let server = ModelServer::start(Scenario::new().shell(LONG_COMMAND)).await.unwrap();
        let start = Start { base_url: server.base_url(), arguments: &ALLOWED, ..Start::default() };
        let child = cli.spawn(&start).await;
        cli.wait_for_long_command().await;
        cli.signal(&child, signal).await;
        shelf.put(name, &cli, &finish(child).await);
    }
}
