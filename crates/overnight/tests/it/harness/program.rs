//! The binary under test: run to its end, or alive with its events as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use super::eventually;

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn of(mut command: Command) -> Self {
        Self::from(command.stdin(Stdio::null()).output().unwrap())
    }

    /// With this on standard input. A program that does not read it all is none of the test's business.
    pub(crate) fn with_stdin(mut command: Command, input: &[u8]) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        drop(writer.join().unwrap());
        Self::from(output)
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Everything it said on stderr contains all of these.
    #[track_caller]
    pub(crate) fn expect_said(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
        self
    }

    /// Nothing in it controls a terminal or hides text from eyes.
    #[track_caller]
    pub(crate) fn expect_plain(self) -> Self {
        let bad = |c: &char| {
            (c.is_control() && !matches!(c, '\n' | '\t')) || "\u{202e}\u{200b}\u{2066}".contains(*c)
        };
        for text in [&self.stdout, &self.stderr] {
            assert!(!text.contains(|c| bad(&c)), "{text:?}");
        }
        self
    }

    /// The one JSON document of `--json`.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A run under way.
pub(crate) struct Live {
    child: Child,
    lines: BufReader<ChildStdout>,
    seen: Vec<Value>,
    /// What it has written to standard error so far.
    said: Arc<Mutex<String>>,
    listener: JoinHandle<()>,
}

impl Live {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let listener = listen(child.stderr.take().unwrap(), Arc::clone(&said));
        Self { child, lines, seen: Vec::new(), said, listener }
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub(crate) fn until_said(&self, text: &str) {
        eventually(text, || self.said.lock().unwrap().contains(text).then_some(()));
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next event, or `None` at the end of the stream.
    pub(crate) fn next_event(&mut self) -> Option<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.seen.push(event.clone());
        Some(event)
    }

    /// Reads on until an event of this type has come.
    #[track_caller]
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        while let Some(event) = self.next_event() {
            if event["event"]["type"] == kind {
                return event;
            }
        }
        panic!("no event {kind:?} among {:#?}\n{}", self.seen, self.said.lock().unwrap());
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn wait(mut self) -> Outcome {
        let mut stdout = String::new();
        self.lines.read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        self.listener.join().unwrap();
        let stderr = self.said.lock().unwrap().clone();
        Outcome { code: status.code(), stdout, stderr }
    }
}

fn listen(mut stderr: ChildStderr, said: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut buffer) {
            said.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    })
}
