//! Runs the real agent CLIs against a scripted model, each in a throwaway home and git repository.
//!
//! Owns the temporary folder of one or more runs; [`vendor`] knows how each CLI wants to be started. Only for this
//! crate's own tests: other crates test with their own way of starting processes.

mod vendor;

pub(super) use vendor::Vendor;

use crate::tools::Program;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a test waits for a CLI to do something: far above the 5 s of processor time that the slowest needs to start,
/// since a machine that builds beside the tests leaves it a tenth of a processor.
const WAIT: Duration = Duration::from_secs(180);

/// A throwaway home folder and git repository.
pub(super) struct Cli {
    vendor: Vendor,
    program: Program,
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
#[derive(Default, Clone)]
pub(super) struct Start<'a> {
    pub(super) base_url: String,
    pub(super) login: Login,
    /// What the model is called, where the CLI acts upon it; `None` for the usual one.
    pub(super) model: Option<&'a str>,
    /// The session to go on with.
    pub(super) resume: Option<&'a str>,
    pub(super) arguments: &'a [&'a str],
    pub(super) environment: &'a [(&'a str, &'a str)],
}

/// What the CLI has to show for itself. All of it is made up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Login {
    #[default]
    ApiKey,
    /// Paid by subscription, with the vendor's quota windows.
    Subscription,
    Nothing,
}

/// A shell command that says in the file `started` which process it is, and then runs until there is a file `stop`, which
/// it answers with `stopped`, or until the repository is gone, or for ten minutes.
/// Without arithmetic, which one CLI takes for a hidden command and refuses.
pub(super) const LONG_COMMAND: &str = "timeout --foreground 600 sh -c 'echo $$ > .pid; mv .pid started; \
    while test -d .git -a ! -e stop; do sleep 0.1; done; touch stopped'";

impl Cli {
    /// A home and a repository with one commit for a CLI that is installed here. Otherwise says that the test is skipped.
    pub(super) async fn or_skip(vendor: Vendor, test: &str) -> Option<Self> {
        let program = vendor.program().inspect_err(|reason| println!("skipped: {test}: {reason}")).ok()?;
        Some(Self::new(vendor, program).await)
    }

    /// Whether a test that makes several [`Cli`]s has to be skipped, which it says.
    pub(super) fn is_missing(vendor: Vendor, test: &str) -> bool {
        vendor.program().inspect_err(|reason| println!("skipped: {test}: {reason}")).is_err()
    }

    /// Panics if the CLI is not installed.
    pub(super) async fn installed(vendor: Vendor) -> Self {
        Self::new(vendor, vendor.program().unwrap()).await
    }

    async fn new(vendor: Vendor, program: Program) -> Self {
        let cli = Self { vendor, program, dir: TempDir::new().unwrap() };
        let folders = vendor.folders().iter().map(|folder| cli.home().join(folder));
        for folder in folders.chain([cli.home().join("tmp"), cli.repository()]) {
            std::fs::create_dir_all(folder).unwrap();
        }
        if let Some((_, settings)) = vendor.settings() {
            cli.write_settings(&settings);
        }
        cli.git(&["init", "--quiet", "--initial-branch=main"]).await;
        cli.git(&["config", "user.name", "Tester"]).await;
        cli.git(&["config", "user.email", "tester@example.com"]).await;
        cli.git(&["commit", "--quiet", "--allow-empty", "--message=Start"]).await;
        cli
    }

    /// Changes one setting, for a CLI that has a settings file.
    pub(super) fn set(&self, pointer: &str, value: Value) {
        let (_, mut settings) = self.vendor.settings().unwrap();
        *settings.pointer_mut(pointer).unwrap() = value;
        self.write_settings(&settings);
    }

    fn write_settings(&self, settings: &Value) {
        let (path, _) = self.vendor.settings().unwrap();
        std::fs::write(self.home().join(path), settings.to_string()).unwrap();
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the CLI is installed, by the names that it may call it: as configured, and without symbolic links.
    pub(super) fn installed_in(&self) -> Vec<PathBuf> {
        let of_script = self.program.arguments.last().map_or(self.program.path.clone(), PathBuf::from);
        let folders = [of_script.canonicalize().unwrap(), of_script];
        folders
            .iter()
            .flat_map(|path| path.ancestors().find(|path| path.ends_with("node_modules")))
            .map(Path::to_owned)
            .collect()
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
    pub(super) async fn spawn(&self, start: &Start<'_>) -> Running {
        let mut command = self.program(&self.program.path);
        command.args(&self.program.arguments);
        self.vendor.prepare(&mut command, &self.home(), start);
        command.envs(start.environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The CLI may refuse its arguments and be gone before it reads the prompt.
        drop(stdin.write_all(b"Follow the script.\n").await);
        Running::watch(child)
    }

    pub(super) async fn run(&self, start: &Start<'_>) -> Run {
        self.spawn(start).await.finish().await
    }

    /// Waits until [`LONG_COMMAND`] runs.
    pub(super) async fn wait_for_long_command(&self) {
        wait_until("the long command to start", || self.repository().join("started").exists()).await;
    }

    /// Whether [`LONG_COMMAND`] outlived its CLI. It is ended in any case.
    pub(super) async fn outlived(&self) -> bool {
        let process = std::fs::read_to_string(self.repository().join("started")).unwrap();
        std::fs::write(self.repository().join("stop"), "").unwrap();
        let stopped = self.repository().join("stopped");
        wait_until("the long command to end", || stopped.exists() || !lives(process.trim())).await;
        stopped.exists()
    }

    /// Waits until what the CLI stores of its sessions holds this text.
    pub(super) async fn wait_for_transcript(&self, text: &str) {
        let sessions = vendor::sessions(self.vendor, &self.home());
        wait_until("the transcript to be written", || holds(&sessions, text.as_bytes())).await;
    }

    /// Sends a signal by name.
    pub(super) async fn signal(&self, running: &Running, signal: &str) {
        let pid = running.child.id().unwrap().to_string();
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
    let deadline = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process is there and not merely not yet waited for by its parent.
fn lives(process: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Whether a file in this folder, or below, holds these bytes.
fn holds(folder: &Path, text: &[u8]) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, text);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text))
    })
}

/// A started CLI, whose output is read while it runs.
pub(super) struct Running {
    child: Child,
    stdout: watch::Receiver<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

impl Running {
    fn watch(mut child: Child) -> Self {
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (seen, output) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = stdout.read(&mut buffer).await {
                seen.send_modify(|output| output.extend_from_slice(&buffer[..count]));
            }
        });
        let stderr = tokio::spawn(async move {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).await.unwrap();
            bytes
        });
        Self { child, stdout: output, stderr }
    }

    /// Waits until the CLI has printed this text.
    pub(super) async fn wait_for_output(&mut self, text: &str) {
        let printed = |output: &Vec<u8>| String::from_utf8_lossy(output).contains(text);
        let seen = tokio::time::timeout(WAIT, self.stdout.wait_for(printed)).await;
        assert!(matches!(seen, Ok(Ok(_))), "waited in vain for the CLI to print {text}");
    }

    /// Waits for the end of the CLI, and of all that holds its output open.
    pub(super) async fn finish(mut self) -> Run {
        let status = self.child.wait().await.unwrap();
        // Nothing is printed any more when the sender is gone.
        while self.stdout.changed().await.is_ok() {}
        let stdout = self.stdout.borrow().clone();
        Run {
            exit: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(self.stderr.await.unwrap()).unwrap(),
        }
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
