//! What kind of failure a check report shows, in words that help the next attempt.
//!
//! Pure; owns the public table of classes. The verdict decides first; only a check that ran and failed is read, and
//! only for the formats in which known tools report. Nothing here decides whether a check passed, and `hard` is said
//! only of what the machine lacks, never of what a test printed.

mod classes;
mod rules;
#[cfg(test)]
mod samples;
mod signature;
mod table;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::text::{cut_chars, for_terminal, tail_chars, without_escapes};
use crate::verdict::{CheckReport, CouldNotRun, Verdict};

pub use classes::classes;
pub use signature::signature;

/// Longest evidence, in characters.
const MAX_EVIDENCE: usize = 300;

/// Shown in front of a match in a line that is too long to be shown as a whole, in bytes.
const BEFORE: usize = 80;

/// A kind of failure.
#[derive(Debug, PartialEq, Eq)]
pub struct FailureClass {
    /// Stable name: family, dot, kind (`rust.compile_error`).
    pub id: &'static str,
    /// One sentence on what usually helps.
    pub hint: &'static str,
    /// Trying again cannot help: the machine or its network lacks something that no change to the code brings.
    pub hard: bool,
}

/// A report and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// `None`: passed, or no known tool's format was recognised.
    pub class: Option<&'static FailureClass>,
    /// The lines that decided, or else the last ones; at most 300 characters, safe to show. Empty for a pass.
    pub evidence: String,
}

/// What a check report shows.
#[must_use]
pub fn classify(report: &CheckReport) -> Classified {
    let output = without_escapes(&report.output_tail);
    match &report.verdict {
        Verdict::Pass => Classified { class: None, evidence: String::new() },
        Verdict::CouldNotRun { why } => could_not_run(why, &output),
        Verdict::Fail { status } => failed(*status, &output),
    }
}

fn could_not_run(why: &CouldNotRun, output: &str) -> Classified {
    let last = last_lines(output);
    let or_last = |otherwise: String| if last.is_empty() { otherwise } else { last.clone() };
    let (id, evidence) = match why {
        CouldNotRun::CommandMissing => {
            ("shell.command_missing", or_last("the shell ended with status 127".to_owned()))
        }
        CouldNotRun::NotExecutable => {
            ("shell.permission_denied", or_last("the shell ended with status 126".to_owned()))
        }
        CouldNotRun::TimedOut => ("check.timeout", or_last("no output before the time was up".to_owned())),
        CouldNotRun::Killed(9) => ("machine.out_of_memory", or_last("ended by signal 9".to_owned())),
        CouldNotRun::Killed(signal) => ("process.crashed", or_last(format!("ended by signal {signal}"))),
        CouldNotRun::NotStarted(detail) => {
            ("check.not_started", cut_chars(&for_terminal(detail), MAX_EVIDENCE))
        }
    };
    // Whatever the shell says of a missing command is better evidence than the end of other output.
    let evidence = rules::matches_of(id, output).next().map_or(evidence, |at| evidence_at(output, &at));
    Classified { class: classes::by_id(id), evidence }
}

fn failed(status: i32, output: &str) -> Classified {
    if let Some((class, at)) = rules::first_match(output) {
        return Classified { class: Some(class), evidence: evidence_at(output, &at) };
    }
    // A shell that ran a program which a signal ended reports 128 + the signal; `timeout` reports 124.
    let by_status = match status {
        124 => classes::by_id("check.timeout"),
        137 => classes::by_id("machine.out_of_memory"),
        132 | 134 | 135 | 136 | 139 => classes::by_id("process.crashed"),
        _ => None,
    };
    Classified { class: by_status, evidence: last_lines(output) }
}

/// The lines of a match and the two after it, where they fit.
fn evidence_at(output: &str, at: &Range<usize>) -> String {
    let line_start = output[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let too_long = at.end - line_start > MAX_EVIDENCE;
    let start = if too_long {
        floor_char(output, at.start.saturating_sub(BEFORE).max(line_start))
    } else {
        line_start
    };
    let lines: Vec<&str> = output[start..].lines().collect();
    let matched = output[start..at.end].lines().count().max(1);
    let most = (matched + 2).min(lines.len());
    let shown = (matched..=most)
        .rev()
        .map(|count| for_terminal(lines[..count.min(lines.len())].join("\n").trim_end()));
    let fitting = shown.into_iter().find(|text| text.chars().count() <= MAX_EVIDENCE);
    fitting.unwrap_or_else(|| cut_chars(&for_terminal(&output[start..]), MAX_EVIDENCE))
}

/// The end of the output, from the start of a line where one fits.
fn last_lines(output: &str) -> String {
    let shown = for_terminal(output.trim_end());
    let tail = tail_chars(&shown, MAX_EVIDENCE);
    match tail.split_once('\n') {
        Some((_, whole)) if tail.len() < shown.len() => whole.to_owned(),
        Some(_) | None => tail.to_owned(),
    }
}

fn floor_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
