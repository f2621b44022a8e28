//! Makes the recordings of the real CLIs' output that the decoders in overnight-agents are tested with.
//!
//! Owns the folders `overnight-agents/recordings/<vendor>/<version>`. Ignored by default, since it rewrites files that
//! are under version control: `cargo xtask record [vendor]`.

mod claude;
mod codex;
mod gemini;
mod opencode;
mod qwen;

use super::cli::{Cli, LONG_COMMAND, Run, Start, Vendor};
use super::{Action, ModelServer, Scenario};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A session id that the caller chooses, where the CLI lets it.
const SESSION: &str = "7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11";

/// A run to record: one start of the CLI against one scenario.
struct Case<'a> {
    name: &'static str,
    scenario: Scenario,
    start: Start<'a>,
    stop: Stop,
}

/// What ends a run that would not end by itself, by SIGTERM.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Never,
    /// That many main requests have arrived.
    Requests(usize),
    /// So much time has passed, where nothing arrives.
    Seconds(u64),
}

impl Case<'_> {
    fn new(name: &'static str, scenario: Scenario) -> Self {
        Self { name, scenario, start: Start::default(), stop: Stop::Never }
    }

    fn until(self, requests: usize) -> Self {
        Self { stop: Stop::Requests(requests), ..self }
    }
}

/// Writes a file and commits it.
fn commit(cli: &Cli) -> Scenario {
    Scenario::new()
        .write(&cli.file("hello.txt"), "hello\n")
        .shell("git add hello.txt && git commit --quiet --message='Add hello'")
        .say("The file is committed.")
}

/// Changes a file, runs a command that fails, and goes on.
fn edit_and_failing_command(cli: &Cli) -> Scenario {
    Scenario::new()
        .write(&cli.file("notes.txt"), "one\ntwo\n")
        .edit(&cli.file("notes.txt"), "two", "three")
        .shell("cat missing.txt")
        .say("Edited.")
}

fn refusal(status: u16) -> Scenario {
    Scenario::new().http(status)
}

/// A used-up quota that is renewed at a known time.
fn quota() -> Scenario {
    Scenario::new().then(Action::Http {
        status: 429,
        retry_after: Some(3600),
        reset_at: Some(1_900_000_000),
        message: None,
    })
}

/// Where recordings go, and what is noted beside them.
struct Shelf {
    vendor: Vendor,
    folder: PathBuf,
    exits: Value,
}

impl Shelf {
    /// `folder` is below the recordings: vendor and version.
    fn new(vendor: Vendor, folder: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../overnight-agents/recordings").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self { vendor, folder, exits: json!({}) }
    }

    async fn cli(&self) -> Cli {
        Cli::installed(self.vendor).await
    }

    fn put(&mut self, name: &str, cli: &Cli, base_url: &str, run: &Run) {
        let neutral = |text: &str| neutral(&text.replace(base_url, "http://127.0.0.1:8080"), cli);
        std::fs::write(self.folder.join(format!("{name}.jsonl")), neutral(&run.stdout)).unwrap();
        self.exits[name] = json!({"exit": run.exit, "stderr": neutral(&run.stderr)});
    }

    /// Records one run, and gives it back for what follows it.
    async fn record(&mut self, cli: &Cli, case: Case<'_>) -> Run {
        let server = ModelServer::start(case.scenario).await.unwrap();
        let asked = if case.start.base_url.is_empty() { server.base_url() } else { case.start.base_url };
        let child = cli.spawn(&Start { base_url: asked.clone(), ..case.start }).await;
        match case.stop {
            Stop::Never => {}
            Stop::Requests(count) => server.wait_for_main_requests(count).await.unwrap(),
            Stop::Seconds(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        }
        if !matches!(case.stop, Stop::Never) {
            cli.signal(&child, "TERM").await;
        }
        let run = child.finish().await;
        self.put(case.name, cli, &asked, &run);
        run
    }

    /// Records a run in a new home and repository.
    async fn fresh(&mut self, case: Case<'_>) {
        let cli = self.cli().await;
        self.record(&cli, case).await;
    }

    /// A run and the one that resumes its session; and one that resumes a session that never was.
    async fn resumed(&mut self, session_of: fn(&Run) -> String, unknown: &str) {
        let cli = self.cli().await;
        let first = self.record(&cli, Case::new("resumed_first", commit_file(&cli, "first.txt"))).await;
        let session = session_of(&first);
        let start = Start { resume: Some(&session), ..Start::default() };
        let case = Case::new("resumed", commit_file(&cli, "second.txt"));
        self.record(&cli, Case { start, ..case }).await;

        let cli = self.cli().await;
        let start = Start { resume: Some(unknown), ..Start::default() };
        self.record(&cli, Case { start, ..Case::new("unknown_session", commit(&cli)) }).await;
    }

    /// Runs ended by signals while a command runs, and one ended while the model is silent. `printed` is what the CLI
    /// prints before the end of the command, if it does.
    async fn signals(&mut self, start: &Start<'_>, printed: Option<&str>) {
        for (name, signal) in [("terminated", "TERM"), ("interrupted", "INT"), ("killed", "KILL")] {
            let cli = self.cli().await;
            let server = ModelServer::start(Scenario::new().shell(LONG_COMMAND)).await.unwrap();
            let mut running = cli.spawn(&Start { base_url: server.base_url(), ..start.clone() }).await;
            cli.wait_for_long_command().await;
            if let Some(text) = printed {
                running.wait_for_output(text).await;
            }
            cli.signal(&running, signal).await;
            let run = running.finish().await;
            self.put(name, &cli, &server.base_url(), &run);
            println!("{name}: the command outlived the CLI: {}", cli.outlived().await);
        }
        let hung = Case::new("hung", Scenario::new().then(Action::HangMid));
        self.fresh(Case { start: start.clone(), ..hung.until(1) }).await;
    }

    /// Writes what is noted beside the recordings.
    fn close(self) {
        let exits = serde_json::to_string_pretty(&self.exits).unwrap() + "\n";
        std::fs::write(self.folder.join("exits.json"), exits).unwrap();
    }
}

fn commit_file(cli: &Cli, name: &str) -> Scenario {
    Scenario::new()
        .write(&cli.file(name), "content\n")
        .shell("git add . && git commit --quiet --message='Add a file'")
        .say("The file is committed.")
}

/// The first text that a line of the output has under this name.
fn first_text(run: &Run, field: &str) -> String {
    let events = run.events();
    let found = events.iter().find_map(|event| event[field].as_str());
    found.unwrap_or_else(|| panic!("no {field} in: {}{}", run.stdout, run.stderr)).to_owned()
}

/// Without the names of folders that differ from machine to machine. A CLI also spells its folder's name with dashes for all
/// that is not a letter or a digit.
fn neutral(text: &str, cli: &Cli) -> String {
    let dir = cli.dir().to_str().unwrap();
    let dashed = dir.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let mut text = text.replace(dir, "/workspace").replace(&dashed, "-workspace");
    for folder in cli.installed_in() {
        text = text.replace(folder.to_str().unwrap(), "/tools");
    }
    text
}
