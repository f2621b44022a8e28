//! How a change stands to the plan that it was made by: pure, without a model, and from two lists of paths only.
//!
//! What a plan names is read by [`paths`]. What a person writes is prose: whatever is not certainly a path counts for the change
//! and never against it.

mod paths;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::text::one_line;

pub use paths::{Planned, planned};

/// Changed lines up to which a change is taken for aligned with a plan that names no path.
pub const FEW_LINES: u64 = 50;
/// Changed files for each path of the plan from which on a change goes beyond it.
pub const BEYOND: usize = 3;
/// Characters of a summary that excuses a change which is not what was planned.
pub const SUMMARY: usize = 20;
/// Characters that say why nothing had to be done.
pub const SKIPPED: usize = 10;
/// Paths that a report names of each kind.
const NAMED: usize = 40;
/// Characters of a path in a report.
const NAME: usize = 200;

/// How a change stands to its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// Nothing was changed.
    Empty,
    /// All paths of the plan were changed, and little else.
    Aligned,
    /// Some paths of the plan were not changed.
    Partial,
    /// Much was changed that the plan does not name.
    Divergent,
}

impl Alignment {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Aligned => "aligned",
            Self::Partial => "partial",
            Self::Divergent => "divergent",
        }
    }
}

/// Which alignments a task accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyRequired {
    Aligned,
    /// Also others, if the agent says why in at least 20 characters.
    #[default]
    AlignedOrPartial,
    Any,
}

/// A file that differs between base and tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    pub path: String,
    /// Added and deleted lines together.
    pub lines: u64,
}

/// What was compared, and what came of it. Bounded: it stands in an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlignmentReport {
    pub alignment: Alignment,
    /// Paths that the plan names.
    pub plan_paths: Vec<String>,
    /// Those that were not changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Changed files that no path of the plan names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplanned: Vec<String>,
    /// One sentence for people.
    pub why: String,
}

/// Compares a change with its plan.
#[must_use]
pub fn compare(plan: Option<&str>, changed: &[ChangedFile]) -> AlignmentReport {
    if changed.is_empty() {
        return report(Alignment::Empty, Vec::new(), "nothing was changed".to_owned());
    }
    let files: Vec<Vec<&str>> = changed.iter().map(|file| components(&file.path)).collect();
    let named = plan.map(planned).unwrap_or_default();
    // What only may be a path counts where it fits.
    let paths: Vec<&Planned> =
        named.iter().filter(|path| path.is_certain() || files.iter().any(|file| path.names(file))).collect();
    if paths.is_empty() {
        return without_paths(changed);
    }
    let missing: Vec<&Planned> =
        paths.iter().copied().filter(|path| !files.iter().any(|file| path.names(file))).collect();
    let unplanned: Vec<&str> = changed
        .iter()
        .zip(&files)
        .filter(|(_, file)| !paths.iter().any(|path| path.names(file)))
        .map(|(file, _)| file.path.as_str())
        .collect();
    let (alignment, why) = if !missing.is_empty() {
        let why = format!("{} of {} paths of the plan were not changed", missing.len(), paths.len());
        (Alignment::Partial, why)
    } else if !unplanned.is_empty() && changed.len() >= BEYOND.saturating_mul(paths.len()) {
        let why = format!("{} files were changed, and the plan names {}", changed.len(), paths.len());
        (Alignment::Divergent, why)
    } else {
        (Alignment::Aligned, "every path of the plan was changed".to_owned())
    };
    let mut report = report(alignment, bounded(paths.iter().map(|path| path.text())), why);
    report.missing = bounded(missing.iter().map(|path| path.text()));
    report.unplanned = bounded(unplanned.into_iter());
    report
}

/// Which of these paths a plan does not name; `None` where it names none at all, so that it says nothing of any.
///
/// What only may be a path ("`origin/main`") lets a file through that it names, but is no reason to hold a change to the plan.
#[must_use]
pub fn outside(plan: &str, changed: &[String]) -> Option<Vec<String>> {
    let named = planned(plan);
    if !named.iter().any(|path| path.is_certain() || path.is_directory()) {
        return None;
    }
    let is_outside = |file: &&String| {
        let file = components(file);
        !named.iter().any(|path| path.names(&file))
    };
    Some(changed.iter().filter(is_outside).cloned().collect())
}

fn without_paths(changed: &[ChangedFile]) -> AlignmentReport {
    let lines = changed.iter().fold(0_u64, |sum, file| sum.saturating_add(file.lines));
    let (alignment, why) = if lines <= FEW_LINES {
        (Alignment::Aligned, format!("the plan names no path, and {lines} lines were changed"))
    } else {
        let why = format!(
            "the plan names no path, and {lines} lines were changed: more than {FEW_LINES} cannot be compared with it"
        );
        (Alignment::Divergent, why)
    };
    let mut report = report(alignment, Vec::new(), why);
    report.unplanned = bounded(changed.iter().map(|file| file.path.as_str()));
    report
}

fn report(alignment: Alignment, plan_paths: Vec<String>, why: String) -> AlignmentReport {
    AlignmentReport { alignment, plan_paths, missing: Vec::new(), unplanned: Vec::new(), why }
}

fn bounded<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let all: BTreeSet<&str> = paths.collect();
    all.into_iter().take(NAMED).map(|path| one_line(path, NAME)).collect()
}

fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// What follows from an alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    Accept,
    /// What the agent is told.
    Refuse {
        feedback: String,
    },
}

/// Whether a task accepts a change. `summary`: what the agent says of it, in a report or in its last message.
#[must_use]
pub fn accept(
    required: VerifyRequired,
    verify_only: bool,
    report: &AlignmentReport,
    summary: Option<&str>,
) -> Acceptance {
    let said = summary.map_or(0, |text| text.trim().chars().count());
    let accepted = match (report.alignment, required) {
        (Alignment::Empty, _) => verify_only,
        (_, VerifyRequired::Any) | (Alignment::Aligned, _) => true,
        (Alignment::Partial | Alignment::Divergent, VerifyRequired::AlignedOrPartial) => said >= SUMMARY,
        (Alignment::Partial | Alignment::Divergent, VerifyRequired::Aligned) => false,
    };
    if accepted {
        return Acceptance::Accept;
    }
    Acceptance::Refuse { feedback: refusal(required, report) }
}

fn refusal(required: VerifyRequired, report: &AlignmentReport) -> String {
    let mut text =
        format!("Your change is not what the plan says ({}): {}.", report.alignment.code(), report.why);
    for (what, paths) in [
        ("The plan names these, and they were not changed", &report.missing),
        ("These were changed, and the plan does not name them", &report.unplanned),
    ] {
        if !paths.is_empty() {
            text.push('\n');
            text.push_str(what);
            text.push_str(": ");
            text.push_str(&paths.join(", "));
            text.push('.');
        }
    }
    text.push_str(match (report.alignment, required) {
        (Alignment::Empty, _) => "\nDo the task, and commit.",
        (Alignment::Aligned, _) | (_, VerifyRequired::Any | VerifyRequired::Aligned) => {
            "\nDo what is missing, take back what does not belong to the task, and commit."
        }
        (Alignment::Partial | Alignment::Divergent, VerifyRequired::AlignedOrPartial) => {
            "\nDo what is missing and take back what does not belong to the task; where the plan is wrong, say in your \
             last message what you did differently and why."
        }
    });
    text
}
