//! A round of the review as its agent writes it: front matter with a verdict and issues, and behind it the plan, rewritten. And
//! what the rounds together come to.

use serde::{Deserialize, Serialize};

use super::super::plan;
use super::super::plan::PlanError;
use super::super::plan::read::Fields;
use super::super::plan::tree::{At, Node, Parts, Value, parse, parts};
use super::super::words;
use super::change::changed;
use super::{DocumentFacts, ReviewFacts};
use crate::text::one_line;

/// Rounds of a review, where nothing else is said: one for each thing that is looked at.
pub const REVIEW_ROUNDS: u32 = 3;
/// Issues of one round: more are not read by anybody.
const ISSUES_MAX: usize = 100;

/// What a reviewer says of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approved,
    ChangesRequested,
    /// It is not to be done in any form.
    Rejected,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::Approved, Self::ChangesRequested, Self::Rejected];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::ChangesRequested => "changes_requested",
            Self::Rejected => "rejected",
        }
    }
}

/// What the rounds of a review come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The last two rounds left the plan as good as unchanged, and the last one found nothing wrong and said so.
    Approved,
    Rejected,
    Open,
}

/// The rounds stand in order, from the first one of this review on.
#[must_use]
pub fn outcome(rounds: &[ReviewFacts]) -> Outcome {
    let Some(last) = rounds.last() else { return Outcome::Open };
    let converged = match rounds {
        [.., before, last] => before.changed.is_settled() && last.changed.is_settled(),
        [_] | [] => false,
    };
    match last.verdict {
        Verdict::Rejected => Outcome::Rejected,
        Verdict::Approved if converged && last.errors == 0 => Outcome::Approved,
        Verdict::Approved | Verdict::ChangesRequested => Outcome::Open,
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Issues {
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// A review, and the plan behind it.
pub(super) struct Review<'a> {
    pub(super) facts: DocumentFacts,
    pub(super) plan: &'a str,
    pub(super) plan_facts: DocumentFacts,
}

/// Reads a round; `before`: the plan that was reviewed.
///
/// # Errors
/// The first mistake, with its line.
pub(super) fn read<'a>(
    text: &'a str,
    before: &str,
    (round, rounds): (u32, u32),
) -> Result<Review<'a>, PlanError> {
    let parts = parts(text)?;
    if parts.before == 0 {
        let help = "first `---`, `verdict: …`, `issues:` and `---`; then the whole plan";
        return Err(At { line: 1, column: 1 }.error("a review begins with its front matter", help));
    }
    let (verdict, issues) = front(&parts)?;
    let plan = parts.markdown;
    let skipped = plan.lines().take_while(|line| line.trim().is_empty()).count();
    if skipped == plan.lines().count() {
        let at = At { line: parts.markdown_line, column: 1 };
        return Err(at.error("there is no plan behind the front matter", "write the whole plan there"));
    }
    let above = parts.markdown_line.saturating_sub(1);
    let body = after_lines(plan, skipped);
    let read = plan::read_from_agent(body)
        .map_err(|error| PlanError { line: error.line + above + skipped, ..error })?;
    let Issues { errors, warnings, notes } = issues;
    let changed = changed(before, body);
    let facts =
        DocumentFacts::Review(ReviewFacts { round, rounds, verdict, errors, warnings, notes, changed });
    let plan_facts = DocumentFacts::Plan { stories: read.stories.len(), tasks: read.tasks().count() };
    Ok(Review { facts, plan: body, plan_facts })
}

fn after_lines(text: &str, count: usize) -> &str {
    let skipped: usize = text.split_inclusive('\n').take(count).map(str::len).sum();
    text.get(skipped..).unwrap_or_default()
}

fn front(parts: &Parts<'_>) -> Result<(Verdict, Issues), PlanError> {
    let mut fields =
        Fields::of(parse(&parts.yaml, parts.before)?, "a review", &["verdict", "issues", "summary"])?;
    let names = Verdict::ALL.map(Verdict::as_str).join(", ");
    let at = fields.at;
    let Some(word) = fields.word("verdict")? else {
        return Err(at.error("the review has no verdict", format!("write `verdict:` with one of: {names}")));
    };
    let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word);
    let verdict = verdict.ok_or_else(|| {
        at.error(format!("{:?} is no verdict", one_line(&word, 60)), format!("write one of: {names}"))
    })?;
    fields.text("summary")?;
    let mut issues = Issues::default();
    let nodes = fields.list("issues")?;
    if let Some(node) = nodes.get(ISSUES_MAX) {
        let what = format!("the review has more than {ISSUES_MAX} issues");
        return Err(node.at.error(what, "keep those that matter"));
    }
    for node in nodes {
        issue(node, &mut issues)?;
    }
    Ok((verdict, issues))
}

fn issue(node: Node, issues: &mut Issues) -> Result<(), PlanError> {
    if let Value::Text { .. } | Value::List(_) | Value::Nothing = node.value {
        let help = "write `- severity: error` and below it `text: …`";
        return Err(node.at.error("an issue has a severity and a text", help));
    }
    let mut fields = Fields::of(node, "an issue", &["severity", "text"])?;
    let at = fields.at;
    let severity = fields.word("severity")?.unwrap_or_default();
    let text = fields.text("text")?;
    words::text("text", &text, words::LINE_MAX)
        .map_err(|why| at.error(why.to_string(), "say it in a few sentences, in plain characters"))?;
    if text.trim().is_empty() {
        return Err(at.error("this issue has no text", "say what is wrong: `text: …`"));
    }
    match severity.as_str() {
        "error" => issues.errors += 1,
        "warning" => issues.warnings += 1,
        "note" => issues.notes += 1,
        other => {
            let what = format!("{:?} is no severity", one_line(other, 60));
            return Err(at.error(what, "write error, warning or note"));
        }
    }
    Ok(())
}
