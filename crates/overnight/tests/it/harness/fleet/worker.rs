//! A worker's process, and the end of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::{Outcome, Place, eventually};

/// Killed when it is dropped alive: a test that fails leaves nothing behind.
pub(crate) struct Worker {
    child: Child,
    /// What it has written, in files: a pipe that nobody reads would hold it up.
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Worker {
    pub(crate) fn start(mut command: Command, place: &Place) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| place.write(&format!("said/{number}.{name}"), "");
        let (stdout, stderr) = (file("out"), file("err"));
        command.stdin(Stdio::null()).stdout(File::create(&stdout).unwrap());
        let child = command.stderr(File::create(&stderr).unwrap()).spawn().unwrap();
        Self { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Stops the process where it keeps nobody else from writing, as one does that is stopped within a transaction of SQLite's.
    #[track_caller]
    pub(crate) fn stand_still(&self, place: &Place) {
        let tables = place.tables();
        eventually("a moment between two transactions", || {
            self.signal("STOP");
            if tables.can_be_written() {
                return Some(());
            }
            self.signal("CONT");
            None
        });
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it has said on standard error so far.
    pub(crate) fn said(&self) -> String {
        text(&self.stderr)
    }

    #[track_caller]
    pub(crate) fn until_said(&self, words: &str) {
        eventually(words, || self.said().contains(words).then_some(()));
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Outcome {
        let status = eventually("the end of a worker", || self.ended());
        Outcome { code: status.code(), stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }

    /// Drains it, once it listens.
    #[track_caller]
    pub(crate) fn stop(self) -> Outcome {
        self.until_said(" takes ");
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // A stopped process is killed all the same.
            self.kill();
        }
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(sent.success(), "{name} to {pid}");
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
