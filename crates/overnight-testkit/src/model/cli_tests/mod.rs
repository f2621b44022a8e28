//! The real agent CLIs against the scripted model: what Overnight relies on, and what the server must get right.
//!
//! Owns what is asked of every vendor's CLI; each has a file for how it ends and what it leaves behind.

mod claude;
mod codex;
mod gemini;
mod opencode;
mod qwen;

use super::cli::{Cli, LONG_COMMAND, Run, Start, Vendor};
use super::{Action, ModelServer, RequestKind, Scenario, Usage};

/// Writes a file, changes it and commits it, in four answers.
fn commit(cli: &Cli) -> Scenario {
    Scenario::new()
        .write(&cli.file("hello.txt"), "hello\n")
        .edit(&cli.file("hello.txt"), "hello", "good night")
        .shell("git add hello.txt && git commit --quiet --message='Add hello'")
        .say("The file is committed.")
}

/// A CLI's whole work: a file written, changed and committed, each answer asked for once, and the usage reported.
async fn does_the_work(cli: &Cli, start: Start<'_>) -> Run {
    let cached = Usage { input_tokens: 100, output_tokens: 20, cache_read_tokens: 7, cache_write_tokens: 0 };
    let server = ModelServer::start(commit(cli).costing(cached)).await.unwrap();
    let run = cli.run(&Start { base_url: server.base_url(), ..start }).await;
    assert_eq!(run.exit, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(cli.git(&["show", "--format=%s", "HEAD:hello.txt"]).await, "good night\n");
    assert_eq!(cli.git(&["rev-list", "--count", "HEAD"]).await, "2\n");
    assert_eq!(server.main_requests(), 4, "{:?}", paths(&server));
    run
}

fn paths(server: &ModelServer) -> Vec<(RequestKind, String)> {
    server.requests().into_iter().map(|request| (request.kind, request.path)).collect()
}

/// A run in a new home and repository.
async fn run_of(vendor: Vendor, scenario: Scenario, start: Start<'_>) -> Run {
    let cli = Cli::installed(vendor).await;
    let server = ModelServer::start(scenario).await.unwrap();
    cli.run(&Start { base_url: server.base_url(), ..start }).await
}

/// When a CLI stores a call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// Before the tool runs.
    AtOnce,
    /// Together with its result: a killed call is forgotten.
    WithItsResult,
}

/// Resumes a session whose second turn was killed in a command: what the third turn printed. The model must know of the first
/// turn, and of the killed command if the CLI stored it.
async fn resumed_after_a_kill(cli: &Cli, session_of: fn(&Run) -> String, stored: Stored) -> Run {
    let server = ModelServer::start(Scenario::new().say("noted in the first turn")).await.unwrap();
    let session = session_of(&cli.run(&Start { base_url: server.base_url(), ..Start::default() }).await);

    let server = ModelServer::start(Scenario::new().shell(LONG_COMMAND)).await.unwrap();
    let resumed = Start { base_url: server.base_url(), resume: Some(&session), ..Start::default() };
    let running = cli.spawn(&resumed).await;
    cli.wait_for_long_command().await;
    if stored == Stored::AtOnce {
        cli.wait_for_transcript("timeout --foreground").await;
    }
    cli.signal(&running, "KILL").await;
    assert_eq!(running.finish().await.exit, None);
    cli.outlived().await;

    let server = ModelServer::start(Scenario::new().say("resumed")).await.unwrap();
    let run = cli.run(&Start { base_url: server.base_url(), ..resumed }).await;
    assert_eq!(session_of(&run), session);
    let asked = server.requests().iter().map(|request| request.body.to_string()).collect::<String>();
    assert!(asked.contains("noted in the first turn"), "{asked}");
    assert!(stored == Stored::WithItsResult || asked.contains("timeout --foreground"), "{asked}");
    run
}

/// How a CLI ends on a signal while a command runs: its exit code, and whether the command outlived it.
async fn signalled(vendor: Vendor, signal: &str) -> (Option<i32>, bool) {
    let cli = Cli::installed(vendor).await;
    let server = ModelServer::start(Scenario::new().shell(LONG_COMMAND)).await.unwrap();
    let running = cli.spawn(&Start { base_url: server.base_url(), ..Start::default() }).await;
    cli.wait_for_long_command().await;
    cli.signal(&running, signal).await;
    let run = running.finish().await;
    (run.exit, cli.outlived().await)
}

/// How a CLI ends on SIGTERM while the model is silent.
async fn terminated_while_the_model_hangs(vendor: Vendor) -> Run {
    let cli = Cli::installed(vendor).await;
    let server = ModelServer::start(Scenario::new().then(Action::Hang)).await.unwrap();
    let running = cli.spawn(&Start { base_url: server.base_url(), ..Start::default() }).await;
    server.wait_for_main_requests(1).await.unwrap();
    cli.signal(&running, "TERM").await;
    running.finish().await
}

/// The first text that a line of the output has under this name.
fn first_text(run: &Run, field: &str) -> String {
    let events = run.events();
    let found = events.iter().find_map(|event| event[field].as_str());
    found.unwrap_or_else(|| panic!("no {field} in: {}{}", run.stdout, run.stderr)).to_owned()
}
