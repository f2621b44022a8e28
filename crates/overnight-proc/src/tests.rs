//! Tests with real processes, run with every kind of containment that the machine allows. The tools are here.
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts outside processes and itself again, and marks them by environment"
)]

mod basics;
mod converse;
mod crash;
mod guard;
mod limits;
mod trees;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use overnight_core::command::{CommandSpec, Containment, ExitReport, FileGuard, Isolation, Stdin, Stream};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::probe::NamespaceMode;
use crate::spawn::spawn_in;
use crate::{Capture, Line, LineHandler, NoRedaction, Reply, Running, SpawnError};

/// Longest that a test waits for a fact before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The kinds of containment that this machine allows; what is missing is said.
fn modes(test: &str) -> Vec<Option<NamespaceMode>> {
    let mut modes = vec![None];
    for kind in [NamespaceMode::Direct, NamespaceMode::UserNamespace] {
        match crate::probe::try_namespace(kind) {
            Ok(()) => modes.push(Some(kind)),
            Err(refusal) => println!("skipped: {test} in {kind:?}: {refusal}"),
        }
    }
    modes
}

/// A directory for one command: scratch space, logs, exit record.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn capture(&self) -> Capture {
        Capture {
            stdout: self.path("stdout.log"),
            stderr: self.path("stderr.log"),
            exit_record: Some(self.path("exit")),
        }
    }

    fn sh(&self, script: &str) -> CommandSpec {
        let mut spec = CommandSpec::new("sh", self.dir.path())
            .args(["-c", script])
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        spec.limits.grace = Duration::from_secs(5);
        spec
    }

    fn spawn(&self, mode: Option<NamespaceMode>, spec: &CommandSpec) -> Result<Running, SpawnError> {
        spawn_in(mode, spec, &self.capture(), Arc::new(NoRedaction))
    }

    async fn run(&self, mode: Option<NamespaceMode>, spec: &CommandSpec) -> Ran {
        self.run_with(mode, spec, |_: &Line<'_>| Reply::default()).await
    }

    async fn run_with(
        &self,
        mode: Option<NamespaceMode>,
        spec: &CommandSpec,
        reply: impl FnMut(&Line<'_>) -> Reply,
    ) -> Ran {
        let running = self.spawn(mode, spec).unwrap();
        let expected = if mode.is_some() { Containment::PidNamespace } else { Containment::Subreaper };
        assert_eq!(running.identity().containment, expected);
        drive(running, &CancellationToken::new(), reply).await
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(self.path("stdout.log")).unwrap()
    }
}

/// A finished run.
#[derive(Debug)]
struct Ran {
    report: ExitReport,
    lines: Vec<(Stream, Vec<u8>, bool)>,
}

impl Ran {
    fn stdout(&self) -> String {
        let lines = self.lines.iter().filter(|(stream, ..)| *stream == Stream::Stdout);
        lines.map(|(_, bytes, _)| String::from_utf8_lossy(bytes).into_owned() + "\n").collect()
    }
}

struct Recorder<F> {
    lines: Vec<(Stream, Vec<u8>, bool)>,
    reply: F,
}

impl<F: FnMut(&Line<'_>) -> Reply> LineHandler for Recorder<F> {
    fn on_line(&mut self, line: Line<'_>) -> Reply {
        self.lines.push((line.stream, line.bytes.to_vec(), line.cut));
        (self.reply)(&line)
    }
}

async fn drive(running: Running, stop: &CancellationToken, reply: impl FnMut(&Line<'_>) -> Reply) -> Ran {
    let mut recorder = Recorder { lines: Vec::new(), reply };
    let report = tokio::time::timeout(2 * PATIENCE, Box::pin(running.drive(&mut recorder, stop)))
        .await
        .expect("the command came to an end");
    Ran { report, lines: recorder.lines }
}

/// A fifo whose write end is inherited by every process of a tree: its end of file means that the whole tree is gone.
struct Leash {
    path: PathBuf,
    reader: File,
}

impl Leash {
    fn new(bench: &Bench) -> Self {
        let path = bench.path("leash");
        let made = Command::new("mkfifo").arg("-m").arg("666").arg(&path).status().unwrap();
        assert!(made.success());
        let reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        Self { path, reader }
    }

    /// Shell words that put the leash on everything that follows.
    fn on(&self) -> String {
        format!("exec 7>{}; echo held >&7; ", self.path.display())
    }

    fn held_by_nobody_within(mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let (say, hear) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 256];
            let mut was_held = false;
            // End of file means that there is no writer: not yet, or no more. A held fifo without data says "would block".
            loop {
                match self.reader.read(&mut buffer) {
                    Ok(0) if was_held => break,
                    Ok(count) if count > 0 => was_held = true,
                    Ok(_) | Err(_) => std::thread::yield_now(),
                }
            }
            let _ = say.send(());
        });
        hear.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// A process outside of any tree of ours, which nothing here may touch.
struct Canary(std::process::Child);

impl Canary {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap())
    }

    fn assert_alive(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "a foreign process was killed");
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a file is there and not empty.
fn await_file(path: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < deadline, "{} does not appear", path.display()),
        }
        std::thread::yield_now();
    }
}

fn contained(guard: FileGuard) -> Isolation {
    Isolation::Contained(guard)
}

/// Runs tests of this binary whose name contains `filter` as another user.
fn again_as_nobody(filter: &str) {
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&exe)
        .args([filter, "--nocapture", "--test-threads=2"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "as nobody: {text}{}", String::from_utf8_lossy(&output.stderr));
            assert!(!text.contains("running 0 tests"), "{text}");
        }
        Err(error) => println!("skipped: {filter} as nobody: setpriv: {error}"),
    }
}

#[test]
fn everything_about_containment_holds_for_an_ordinary_user_too() {
    let (uid, _) = crate::probe::own_ids();
    if uid != 0 {
        println!("skipped: as another user: this is not root");
        return;
    }
    again_as_nobody("tests::trees");
    again_as_nobody("tests::guard");
    again_as_nobody("tests::crash");
}

fn driven(mut spec: CommandSpec) -> CommandSpec {
    spec.stdin = Stdin::Driven;
    spec
}
