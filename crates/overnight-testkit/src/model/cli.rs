//! Runs the real Claude Code CLI against a scripted model, in a throwaway home and git repository.
//!
//! Owns the temporary folder of one or more runs. Only for this crate's own tests: other crates test with
//! their own way of starting processes.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// A throwaway home folder and git repository.
pub(super) struct Cli {
    binary: PathBuf,
    dir: TempDir,
}

/// A finished run.
pub(super) struct Run {
    /// `None` if a signal ended the CLI.
    pub(super) exit: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// One start of the CLI.
#[derive(Default)]
pub(super) struct Start<'a> {
    pub(super) base_url: String,
    pub(super) login: Login,
    pub(super) arguments: &'a [&'a str],
    pub(super) environment: &'a [(&'a str, &'a str)],
}

/// What the CLI has to show for itself. All of it is made up.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Login {
    #[default]
    ApiKey,
    /// Paid by subscription, with the vendor's quota windows.
    Subscription,
    Nothing,
}

/// A shell command that runs until the CLI that started it is gone, after making a file that says it runs.
/// It outlives a killed CLI only by a moment, so that no test leaves a process behind.
pub(super) const LONG_COMMAND: &str = "touch started; while kill -0 $PPID 2>/dev/null; do sleep 0.1; done";

impl Cli {
    pub(super) async fn new(binary: PathBuf) -> Self {
        let dir = TempDir::new().unwrap();
        let cli = Self { binary, dir };
        for folder in [cli.home().join("tmp"), cli.repository()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        cli.git(&["init", "--quiet", "--initial-branch=main"]).await;
        cli.git(&["config", "user.name", "Tester"]).await;
        cli.git(&["config", "user.email", "tester@example.com"]).await;
        cli.git(&["commit", "--quiet", "--allow-empty", "--message=Start"]).await;
        cli
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dir().join("home")
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.dir().join("repo")
    }

    /// A path inside the repository, as text for a scenario.
    pub(super) fn file(&self, name: &str) -> String {
        self.repository().join(name).to_str().unwrap().to_owned()
    }

    pub(super) async fn git(&self, arguments: &[&str]) -> String {
        let output = self.program("git").args(arguments).output().await.unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the CLI and gives it a prompt on its standard input.
    pub(super) async fn spawn(&self, start: &Start<'_>) -> Child {
        let mut command = self.program(&self.binary);
        command.args(["-p", "--output-format", "stream-json", "--verbose", "--model", "claude-sonnet-4-5"]);
        command.args(start.arguments);
        command.env("ANTHROPIC_BASE_URL", &start.base_url);
        match start.login {
            Login::ApiKey => command.env("ANTHROPIC_API_KEY", "test-key"),
            Login::Subscription => command.env("CLAUDE_CODE_OAUTH_TOKEN", "test-token"),
            Login::Nothing => &mut command,
        };
        for variable in [
            "DISABLE_TELEMETRY",
            "DISABLE_AUTOUPDATER",
            "DISABLE_ERROR_REPORTING",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        ] {
            command.env(variable, "1");
        }
        command.envs(start.environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The CLI may refuse its arguments and be gone before it reads the prompt.
        drop(stdin.write_all(b"Follow the script.\n").await);
        child
    }

    pub(super) async fn run(&self, start: &Start<'_>) -> Run {
        finish(self.spawn(start).await).await
    }

    /// Waits until [`LONG_COMMAND`] runs.
    pub(super) async fn wait_for_long_command(&self) {
        wait_until("the long command to start", || self.repository().join("started").exists()).await;
    }

    /// Waits until what the CLI stores for a later `--resume` holds this text.
    pub(super) async fn wait_for_transcript(&self, session: &str, text: &str) {
        wait_until("the transcript to be written", || {
            let Ok(projects) = std::fs::read_dir(self.home().join(".claude/projects")) else { return false };
            let transcripts =
                projects.map(|project| project.unwrap().path().join(format!("{session}.jsonl")));
            transcripts
                .filter_map(|path| std::fs::read_to_string(path).ok())
                .any(|stored| stored.contains(text))
        })
        .await;
    }

    /// Sends a signal by name to a child that has not been waited for.
    pub(super) async fn signal(&self, child: &Child, signal: &str) {
        let pid = child.id().unwrap().to_string();
        assert!(self.program("kill").args(["-s", signal, &pid]).status().await.unwrap().success());
    }

    #[expect(clippy::disallowed_methods, reason = "the testkit does not depend on overnight-proc")]
    fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TMPDIR", self.home().join("tmp"))
            .env("TERM", "dumb")
            .current_dir(self.repository())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited a minute for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn finish(child: Child) -> Run {
    let Output { status, stdout, stderr } = child.wait_with_output().await.unwrap();
    Run {
        exit: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Run {
    /// The event lines.
    pub(super) fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last line, if it is the result.
    pub(super) fn result(&self) -> Option<Value> {
        self.events().pop().filter(|event| event["type"] == "result")
    }
}
