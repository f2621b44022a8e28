//! What is looked at before a change goes out: secrets, files that do not belong into a repository, places that a person guards, and
//! tests that were made weaker. Pure: a change and a policy in, findings out.
//!
//! A finding names file, line and rule, and never the secret itself. What could not be read is a finding too: nothing passes unseen.

mod change;
mod files;
pub mod glob;
mod policy;
mod protected;
mod secrets;
mod tamper;
mod terms;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::policy::alignment::{self, AlignmentReport};
use crate::text::one_line;
use crate::units::Timestamp;

pub use change::{Change, Commit, FileChange, Hunk};
pub use glob::{BadGlob, Glob};
pub use policy::{Level, Preflight, Rule};
pub use terms::{ExceptionTerms, InvalidTerms, LONGEST_EXCEPTION, USUAL_EXCEPTION};

/// Findings that an inspection keeps; the rest is counted.
pub const MOST_FINDINGS: usize = 50;
/// Characters of a path, a line of evidence or a sentence in a finding.
const WORDS: usize = 200;

/// Something that was found in a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: Rule,
    pub level: Level,
    /// Readable; empty when it is about the change as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Of the new file, or of the old one where something was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The operator's exception that it falls under: it is told, and has no consequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excused: Option<String>,
}

impl Finding {
    fn new(rule: Rule, file: &str, detail: impl Into<String>) -> Self {
        Self {
            rule,
            level: Level::Off,
            file: one_line(file, WORDS),
            line: None,
            detail: one_line(&detail.into(), WORDS),
            before: None,
            after: None,
            excused: None,
        }
    }

    fn at(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    fn evidence(mut self, before: Option<&str>, after: Option<&str>) -> Self {
        let cut = |line: &str| one_line(line.trim(), WORDS);
        (self.before, self.after) = (before.map(cut), after.map(cut));
        self
    }

    /// The level that counts.
    #[must_use]
    pub fn weight(&self) -> Level {
        if self.excused.is_some() { Level::Off } else { self.level }
    }

    /// One line for people: what and where.
    #[must_use]
    pub fn line_of_text(&self) -> String {
        let place = match (self.file.is_empty(), self.line) {
            (true, _) => String::new(),
            (false, None) => format!("{}: ", self.file),
            (false, Some(line)) => format!("{}:{line}: ", self.file),
        };
        format!("{place}{} ({})", self.detail, self.rule.code())
    }
}

/// What was found in one commit. Bounded: it stands in an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The gravest first.
    pub findings: Vec<Finding>,
    /// Findings that are not listed; none of them is graver than those that are.
    #[serde(default)]
    pub more: u32,
    /// The change against its task's plan, where there is a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<AlignmentReport>,
}

impl Inspection {
    pub fn with(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.weight() == level)
    }
}

/// An operator's word that a rule does not hold for some files, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    pub id: String,
    pub rule: Rule,
    /// `None`: all files.
    pub path: Option<Glob>,
    pub until: Timestamp,
}

impl Exception {
    fn excuses(&self, finding: &Finding, path: &str, now: Timestamp) -> bool {
        // What was not read cannot be known to be excusable file by file.
        self.rule == finding.rule
            && self.until > now
            && self.path.as_ref().is_none_or(|glob| glob.matches(path))
    }
}

/// Whether the lines that a history adds, or what is written in any of its commits, hold a secret. What a later commit takes away again still goes out with
/// the history.
#[must_use]
pub fn has_secrets(history: &Change) -> bool {
    secrets::any(history)
}

/// What was asked for, as far as a change is held to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Whose name the commits bear: `Name <address>`.
    pub author: &'a str,
    /// The plan of the job's task: whoever started the task agreed to it.
    pub plan: Option<&'a str>,
    /// Paths that the job was told to merge, which no plan can name.
    pub merged: &'a [String],
}

/// Looks at a change.
#[must_use]
pub fn inspect(
    change: &Change,
    policy: &Preflight,
    exceptions: &[Exception],
    asked: Asked<'_>,
    now: Timestamp,
) -> Inspection {
    let mut found = files::findings(change, policy);
    found.extend(protected::findings(change, policy));
    found.extend(files::authors(change, asked.author));
    found.extend(outside_plan(change, policy, asked));
    let (secrets, values) = secrets::findings(change);
    found.extend(secrets);
    found.extend(tamper::findings(change));
    for finding in &mut found {
        finding.level = policy.level(finding.rule);
        let excuse = exceptions.iter().find(|exception| exception.excuses(finding, &finding.file, now));
        finding.excused = excuse.map(|exception| exception.id.clone());
        let lines = [&mut finding.before, &mut finding.after].into_iter().flatten();
        for shown in lines.chain([&mut finding.detail]) {
            if values.iter().any(|value| shown.contains(value.as_str())) {
                "[a line with a secret]".clone_into(shown);
            }
        }
    }
    found.retain(|finding| finding.level != Level::Off);
    found.sort_by(|a, b| (b.weight(), a.rule, &a.file, a.line).cmp(&(a.weight(), b.rule, &b.file, b.line)));
    let more = found.len().saturating_sub(MOST_FINDINGS);
    found.truncate(MOST_FINDINGS);
    Inspection { findings: found, more: u32::try_from(more).unwrap_or(u32::MAX), alignment: None }
}

/// Files that the plan does not name. A plan that names no path holds nothing.
fn outside_plan(change: &Change, policy: &Preflight, asked: Asked<'_>) -> Vec<Finding> {
    if policy.level(Rule::OutsidePlan) == Level::Off {
        return Vec::new();
    }
    let Some(plan) = asked.plan else { return Vec::new() };
    let may = |path: &String| {
        asked.merged.contains(path) || policy.beside_plan.iter().any(|glob| glob.matches(path))
    };
    let paths: Vec<String> = change.files.iter().map(FileChange::name).filter(|path| !may(path)).collect();
    let outside = alignment::outside(plan, &paths).unwrap_or_default();
    let tell =
        |path: &String| Finding::new(Rule::OutsidePlan, path, "the task's plan does not name this file");
    outside.iter().map(tell).collect()
}
