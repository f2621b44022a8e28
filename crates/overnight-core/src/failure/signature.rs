//! Makes two failures comparable: the same failure on another day, in another directory, in another order, is the same text.
//!
//! Pure; owns the compiled patterns.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::rules;
use crate::text::{cut_chars, without_escapes};
use crate::verdict::{CheckReport, CouldNotRun, Verdict};

/// Lines that a signature keeps: the first of a long list of errors tell failures apart well enough.
const MAX_LINES: usize = 20;

/// Longest line of a signature, in characters.
const MAX_LINE: usize = 200;

/// What varies between two runs of the same thing. Order matters: an error code is kept, so it is tried first.
static VARYING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<code>\b[A-Z]{1,6}\d{3,5}\b)",
        r"|(?P<path>(?:\b[A-Za-z]:)?[/\\]?(?:[\w.@+~-]+[/\\])+)",
        r"|(?P<noise>\b0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
        r"|\b(?:[0-9]+[a-f]|[a-f]+[0-9])[0-9a-f]{5,}\b|\d+(?:[.,:]\d+)*(?: ?(?:ns|µs|us|ms|s|sec|seconds?|m|min)\b)?)",
    ))
    .ok()
});

/// A normalised form of a failure for comparison, not for people: the verdict, the class, and the lines that decided,
/// without directories, numbers, hexadecimal ids and times, in alphabetical order and each once.
#[must_use]
pub fn signature(report: &CheckReport) -> String {
    let output = without_escapes(&report.output_tail);
    let class = super::classify(report).class;
    let mut lines: Vec<String> = match class {
        Some(class) => deciding_lines(class.id, &output),
        None => Vec::new(),
    };
    if lines.is_empty() {
        let last: Vec<&str> =
            output.lines().rev().filter(|line| !line.trim().is_empty()).take(MAX_LINES).collect();
        lines = last.into_iter().map(normal).collect();
    }
    lines.sort_unstable();
    lines.dedup();
    lines.insert(
        0,
        format!("{} {}", verdict_word(&report.verdict), class.map_or("unknown", |class| class.id)),
    );
    lines.join("\n")
}

fn deciding_lines(id: &str, output: &str) -> Vec<String> {
    let mut places: Vec<_> = rules::matches_of(id, output).collect();
    places.sort_unstable_by_key(|at| at.start);
    places.dedup();
    places.into_iter().take(MAX_LINES).map(|at| normal(&output[at])).collect()
}

fn normal(line: &str) -> String {
    let replace = |found: &Captures<'_>| match (found.name("code"), found.name("path")) {
        (Some(code), _) => code.as_str().to_owned(),
        (None, Some(_)) => String::new(),
        (None, None) => "#".to_owned(),
    };
    let text = match VARYING.as_ref() {
        Some(varying) => varying.replace_all(line, replace),
        None => Cow::Borrowed(line),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    cut_chars(&words.join(" "), MAX_LINE)
}

fn verdict_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail { .. } => "fail",
        Verdict::CouldNotRun { why } => match why {
            CouldNotRun::CommandMissing => "command-missing",
            CouldNotRun::NotExecutable => "not-executable",
            CouldNotRun::TimedOut => "timed-out",
            CouldNotRun::Killed(_) => "killed",
            CouldNotRun::NotStarted(_) => "not-started",
        },
    }
}
