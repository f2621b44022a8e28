//! The text of a pull request: pure functions from facts to Markdown.
//!
//! Owns the template and the marker. Whatever an agent, a task's author or a repository wrote is passed through
//! [`defuse`] and stands in a fence or a code span; only the template itself speaks Markdown.

mod cascade;
mod defuse;
mod facts;
mod line;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use overnight_core::git::CommitId;
use overnight_core::id::JobId;
use overnight_core::verdict::{CheckSource, CheckedPair, CouldNotRun, Standing, Verdict};

pub use cascade::{CascadeCause, cascade_comment, revert_body, revert_title};
pub use defuse::{defuse, defuse_for, one_line};
pub use facts::{CommitLine, PullRequestFacts};
pub use line::{LineFacts, TaskFacts, put_line, render_line};

/// Longest body, in characters. GitHub refuses more than 65,536; the rest is room for people to add something.
pub const MAX_BODY: usize = 60_000;
/// Longest title, in characters.
pub const MAX_TITLE: usize = 120;
const MAX_ASKED: usize = 10_000;
const MAX_FINAL_TEXT: usize = 20_000;
/// Rows of a table or list; the rest is counted.
const MAX_ROWS: usize = 40;
/// Characters of one code span.
const MAX_SPAN: usize = 160;

const MARKER: &str = "<!-- overnight:job=";
const MARKER_END: &str = " -->";
/// Longer than any run of backticks that [`defuse`] leaves, which is two.
const FENCE: &str = "`````";

/// The line by which a body tells whose pull request it is. Invisible on the forge's pages.
#[must_use]
pub fn marker(job: &JobId) -> String {
    format!("{MARKER}{job}{MARKER_END}")
}

/// The job of a body's last marker. Defused text cannot hold one; somebody who may edit the pull request can.
#[must_use]
pub fn job_in(body: &str) -> Option<JobId> {
    let id = |line: &str| JobId::parse(line.trim().strip_prefix(MARKER)?.strip_suffix(MARKER_END)?).ok();
    body.lines().rev().find_map(id)
}

/// A title: one defused line of at most [`MAX_TITLE`] characters, never empty.
#[must_use]
pub fn title(text: &str) -> String {
    let line = one_line(&cut(text, 4 * MAX_TITLE));
    let line = defuse(line.trim_start_matches(['#', '>', '-', '*', ' ']));
    if line.is_empty() { "Changes made overnight".to_owned() } else { cut(&line, MAX_TITLE) }
}

/// The whole body, at most [`MAX_BODY`] characters, with the job's marker as its last line.
#[must_use]
pub fn render(facts: &PullRequestFacts) -> String {
    let mut out = String::new();
    section(&mut out, "What was asked", &fenced(&facts.asked, MAX_ASKED, &facts.link_hosts));
    section(&mut out, "What changed", &changes(facts));
    section(&mut out, "What was checked", &checks(facts));
    if !facts.found.is_empty() {
        section(&mut out, "What was found", &findings(facts));
    }
    section(&mut out, "What it took", &effort(facts));
    if let Some(text) = facts.final_text.as_deref().filter(|text| !text.trim().is_empty()) {
        let note = "These are the agent's own words. Nothing in them was checked; the table above was.";
        let words = fenced(text, MAX_FINAL_TEXT, &facts.link_hosts);
        section(&mut out, "What the agent says", &format!("{note}\n\n{words}"));
    }
    let marker = marker(&facts.job);
    let room = MAX_BODY - marker.chars().count() - 1;
    if out.chars().count() > room {
        // Unreachable with the caps above; a cut body is better than one that the forge refuses.
        out = format!("{}\n{FENCE}\n", cut(&out, room - FENCE.len() - 2));
    }
    out.push_str(&marker);
    out.push('\n');
    out
}

fn section(out: &mut String, heading: &str, text: &str) {
    out.push_str("## ");
    out.push_str(heading);
    out.push_str("\n\n");
    out.push_str(text.trim_end());
    out.push_str("\n\n");
}

fn changes(facts: &PullRequestFacts) -> String {
    let diff = facts.diff;
    let mut out = format!(
        "{} in {}: {} and {}, from {} (`{}`) to `{}`.\n\n",
        counted(facts.commits.len() as u64, "commit"),
        counted(diff.files.into(), "file"),
        counted(diff.insertions, "line") + " added",
        counted(diff.deletions, "line") + " removed",
        span(&facts.base_branch),
        facts.base.short(),
        facts.tip.short(),
    );
    for commit in facts.commits.iter().take(MAX_ROWS) {
        row(&mut out, format_args!("- `{}` {}", commit.id.short(), span(&commit.subject)));
    }
    if facts.commits.len() > MAX_ROWS {
        row(&mut out, format_args!("- … and {} more", facts.commits.len() - MAX_ROWS));
    }
    out
}

fn checks(facts: &PullRequestFacts) -> String {
    check_table(&facts.checks, &facts.tip, facts.check_source)
}

fn check_table(checks: &[CheckedPair], tip: &CommitId, from: CheckSource) -> String {
    if checks.is_empty() {
        return match from {
            CheckSource::None => "Nothing: checks were switched off for this job.".to_owned(),
            CheckSource::CommandLine | CheckSource::Repository | CheckSource::Detected => {
                "Nothing: no check was run.".to_owned()
            }
        };
    }
    let mut out = format!(
        "Measured by the runner on a clean checkout of exactly `{}`, with checks {}.\n\n",
        tip.short(),
        source(from)
    );
    out.push_str("| check | this commit | base | result | time |\n|---|---|---|---|---|\n");
    for pair in checks.iter().take(MAX_ROWS) {
        check_row(&mut out, pair);
    }
    if checks.len() > MAX_ROWS {
        row(&mut out, format_args!("\n… and {} more checks", checks.len() - MAX_ROWS));
    }
    out
}

fn findings(facts: &PullRequestFacts) -> String {
    let mut out = String::from("By the runner, in the change itself:\n\n");
    for found in facts.found.iter().take(MAX_ROWS) {
        row(&mut out, format_args!("- {}", span(found)));
    }
    if facts.found.len() > MAX_ROWS {
        row(&mut out, format_args!("- … and {} more", facts.found.len() - MAX_ROWS));
    }
    if let Some(who) = &facts.approved {
        row(&mut out, format_args!("\nApproved for publication by {}", span(who)));
    }
    out
}

fn check_row(out: &mut String, pair: &CheckedPair) {
    let base = pair.base.as_ref().map_or_else(|| "not measured".to_owned(), |base| verdict(&base.verdict));
    row(
        out,
        format_args!(
            "| {} | {} | {base} | {} | {} |",
            span(&pair.tip.check),
            verdict(&pair.tip.verdict),
            standing(pair.standing()),
            duration(pair.tip.elapsed)
        ),
    );
}

fn effort(facts: &PullRequestFacts) -> String {
    let tokens = facts.tokens.map_or_else(|| "unknown".to_owned(), thousands);
    let cost = facts.cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
    let mut out = String::from("| agent | attempts | time | tokens | cost |\n|---|---|---|---|---|\n");
    let time = duration(facts.elapsed);
    row(
        &mut out,
        format_args!("| {} | {} | {time} | {tokens} | {cost} |", span(&facts.agent), facts.attempts),
    );
    row(&mut out, format_args!("\nTask `{}`, job `{}`.", facts.task, facts.job));
    out
}

/// `text` in a fence that it cannot leave.
fn fenced(text: &str, max: usize, link_hosts: &[String]) -> String {
    // Cut again afterwards: defusing may lengthen a text.
    let text = cut(&defuse_for(&cut(text, max), link_hosts), max);
    format!("{FENCE}text\n{}\n{FENCE}", text.trim_matches('\n'))
}

/// One line as a code span that neither ends early nor breaks a table.
fn span(text: &str) -> String {
    let line = defuse(&one_line(&cut(text, 4 * MAX_SPAN))).replace('`', "'").replace('|', "¦");
    let line = cut(line.trim(), MAX_SPAN);
    if line.is_empty() { "`–`".to_owned() } else { format!("`{line}`") }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Fail { status } => format!("fail (status {status})"),
        Verdict::CouldNotRun { why } => match why {
            CouldNotRun::CommandMissing => "could not run (command missing)".to_owned(),
            CouldNotRun::NotExecutable => "could not run (not executable)".to_owned(),
            CouldNotRun::TimedOut => "could not run (timed out)".to_owned(),
            CouldNotRun::Killed(signal) => format!("could not run (ended by signal {signal})"),
            CouldNotRun::NotStarted(why) => format!("could not run ({})", span(why)),
        },
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Passed => "passed",
        Standing::Broken => "**broken by this change**",
        Standing::FailedBefore => "failed before as well",
        Standing::FailedBaseUnknown => "**fails; base unknown**",
        Standing::CouldNotRun => "**could not run**",
    }
}

fn source(source: CheckSource) -> &'static str {
    match source {
        CheckSource::CommandLine => "given on the command line",
        CheckSource::Repository => "configured in the base commit",
        CheckSource::Detected => "found from the files of the base commit",
        CheckSource::None => "switched off",
    }
}

fn row(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(line);
    out.push('\n');
}

fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let lead = digits.len() % 3;
    let mut out = digits[..lead].to_owned();
    for chunk in digits.as_bytes()[lead..].chunks(3) {
        if !out.is_empty() {
            out.push(',');
        }
        out.extend(chunk.iter().map(|digit| char::from(*digit)));
    }
    out
}

fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// At most `max` characters, an ellipsis included where something was cut off.
fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}
