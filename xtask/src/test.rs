//! `cargo xtask test`: installs the tools, runs every test of the workspace, and says what was skipped.
//!
//! Owns `target/test-output.txt`, the whole output of the last run. Must not decide what a test needs: tests find
//! their tools themselves and print `skipped: <test>: <reason>` when they cannot run.
//!
//! The last line is always `N passed, N failed, N skipped`, for programs to read.

use crate::{tools, workspace};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The line shown by `cargo xtask --help`.
pub const HELP: &str = "install the tools, run all tests (arguments go to cargo test), list what was skipped";

/// Lines on their way from cargo to the reader: enough that cargo never waits for the terminal.
const QUEUED_LINES: usize = 1024;

/// What the lines of a test run add up to.
#[derive(Debug, Default)]
struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// The tests that said they could not run here, without the leading word.
    skipped: Vec<String>,
    /// Whether the lines come from a list of failures, which is shown as it is.
    in_failures: bool,
}

/// Runs the tests. The exit code is cargo's.
pub fn run(arguments: &[String]) -> Result<ExitCode, String> {
    tools::install_missing()?;
    let path = workspace::target_dir().join("test-output.txt");
    let (mut summary, status) = run_cargo(arguments, &path)?;
    if !status.success() && summary.failed == 0 {
        println!("\ncargo failed without a failed test, as when something does not compile: {status}");
        summary.failed = 1;
    }
    report(&summary, &path);
    Ok(exit_code(status))
}

fn run_cargo(arguments: &[String], path: &Path) -> Result<(Summary, ExitStatus), String> {
    let cannot_write = |error: io::Error| format!("failed to write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cannot_write)?;
    }
    let mut file = File::create(path).map_err(cannot_write)?;
    let mut child = spawn(arguments)?;
    let mut summary = Summary::default();
    for line in lines_of(&mut child) {
        writeln!(file, "{line}").map_err(cannot_write)?;
        if summary.take(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("failed to wait for cargo: {error}"))?;
    Ok((summary, status))
}

/// `--show-output` makes the test harness print what passing tests wrote, and with it their `skipped:` lines.
fn spawn(arguments: &[String]) -> Result<Child, String> {
    let (cargo_arguments, test_arguments) = split(arguments);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(cargo)
        .current_dir(workspace::root())
        .args(["test", "--no-fail-fast"])
        .args(whole_workspace(cargo_arguments))
        .args(cargo_arguments)
        .args(["--", "--show-output"])
        .args(test_arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start cargo test: {error}"))
}

/// Arguments before `--` are for cargo, those after it for the test binaries.
fn split(arguments: &[String]) -> (&[String], &[String]) {
    match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[]),
    }
}

/// Cargo lets `--workspace` win over `-p`, so it is left out when packages are named.
fn whole_workspace(arguments: &[String]) -> Option<&'static str> {
    let names_packages =
        arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package"));
    (!names_packages).then_some("--workspace")
}

/// The lines of both outputs, as they come.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = sync_channel(QUEUED_LINES);
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    receiver
}

/// Tests may print bytes that are no text, so lines are read as bytes.
fn forward(output: impl Read + Send + 'static, lines: SyncSender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}

impl Summary {
    /// Adds one line, and says whether it belongs on the terminal: cargo's own lines, results and failures do.
    fn take(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.add_result(result);
            self.in_failures = false;
            return true;
        }
        if let Some(skip) = line.strip_prefix("skipped: ") {
            self.add_skip(skip);
            return false;
        }
        if line == "failures:" {
            self.in_failures = true;
        }
        self.in_failures || is_cargo_line(line) || is_failed_test(line)
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; …`
    fn add_result(&mut self, result: &str) {
        let counts = result.split_once(". ").map_or(result, |(_, counts)| counts);
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                Some((number, "ignored")) => self.ignored += number.parse().unwrap_or(0),
                Some(_) | None => {}
            }
        }
    }

    /// A test that runs in several binaries, or prints twice, counts once.
    fn add_skip(&mut self, skip: &str) {
        if !self.skipped.iter().any(|known| known == skip) {
            self.skipped.push(skip.to_owned());
        }
    }

    /// The harness counts a test that skipped itself as passed; here it is counted as skipped only.
    fn closing_line(&self) -> String {
        let skipped = self.skipped.len() as u64;
        let passed = self.passed.saturating_sub(skipped);
        format!("{passed} passed, {} failed, {} skipped", self.failed, skipped + self.ignored)
    }
}

/// Cargo right-aligns its verbs in 12 columns; compiler messages start with their level, a path arrow or a gutter.
fn is_cargo_line(line: &str) -> bool {
    let verb = line.trim_start().split(' ').next().unwrap_or_default();
    let verbs = ["Compiling", "Finished", "Running", "Doc-tests", "Downloaded", "Blocking", "Updating"];
    let levels = ["error", "warning"];
    let gutters = ["-->", "|", "="];
    (line.starts_with("   ") && verbs.contains(&verb))
        || levels.iter().any(|level| line.starts_with(level))
        || (line.starts_with(' ') && gutters.contains(&verb))
        || line.split_once(" |").is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok())
}

fn is_failed_test(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with("FAILED")
}

fn report(summary: &Summary, path: &Path) {
    println!("\nwhole output: {}", path.display());
    if !summary.skipped.is_empty() {
        println!("tests that could not run here: {}", summary.skipped.len());
        for skip in &summary.skipped {
            println!("  skipped: {skip}");
        }
    }
    if summary.ignored > 0 {
        println!("tests that are ignored unless asked for: {}", summary.ignored);
    }
    println!("{}", summary.closing_line());
}

/// A cargo that a signal ended is a failure as well.
fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(lines: &[&str]) -> (Summary, Vec<String>) {
        let mut summary = Summary::default();
        let shown = lines.iter().filter(|line| summary.take(line)).map(|&line| line.to_owned()).collect();
        (summary, shown)
    }

    #[test]
    fn counts_are_added_over_binaries_and_skips_are_not_passes() {
        let (summary, _) = summary(&[
            "skipped: a: no npm",
            "skipped: a: no npm",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        ]);
        assert_eq!(summary.closing_line(), "4 passed, 4 failed, 2 skipped");
        assert_eq!(summary.skipped, ["a: no npm"]);
    }

    #[test]
    fn failures_are_shown_and_output_of_passing_tests_is_not() {
        let (_, shown) = summary(&[
            "   Compiling xtask v0.1.0",
            "test a ... ok",
            "test b ... FAILED",
            "successes:",
            "---- a stdout ----",
            "chatter",
            "failures:",
            "---- b stdout ----",
            "panicked",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured",
            "more chatter",
            "error: test failed",
        ]);
        let expected = [
            "   Compiling xtask v0.1.0",
            "test b ... FAILED",
            "failures:",
            "---- b stdout ----",
            "panicked",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured",
            "error: test failed",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn arguments_after_two_dashes_are_for_the_test_binaries() {
        let arguments = ["-p", "xtask", "--", "name"].map(str::to_owned);
        let (cargo, tests) = split(&arguments);
        assert_eq!((cargo, tests), (&arguments[..2], &arguments[3..]));
        assert_eq!(whole_workspace(cargo), None);
        assert_eq!(whole_workspace(tests), Some("--workspace"));
    }
}
