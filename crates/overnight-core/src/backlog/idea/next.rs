//! What comes after a document that was taken, and what the job of it is asked for.

use std::fmt::Write as _;

use super::super::item::{IdeaBody, Item, ItemBody};
use super::review::{Outcome, outcome};
use super::{DocumentFact, DocumentOrder, DocumentPart, RESULT_MAX, reviews};
use crate::job::{Choice, JobSpec, Publication};

/// A document that was taken, and how far its job was to lead.
#[derive(Debug, Clone, Copy)]
pub struct After {
    pub part: DocumentPart,
    /// Whether another part may follow, or only another round.
    pub through: bool,
    /// Most rounds; `None`: as the last one was ordered with.
    pub rounds: Option<u32>,
}

/// The part that comes next, with its round; `None`: nothing more is to be done without a person.
#[must_use]
pub fn next(after: After, documents: &[DocumentFact]) -> Option<(DocumentPart, u32)> {
    match after.part {
        DocumentPart::Grill => after.through.then_some((DocumentPart::Plan, 1)),
        DocumentPart::Plan => after.through.then_some((DocumentPart::Review, 1)),
        DocumentPart::Review => {
            let rounds = reviews(documents);
            let last = rounds.last()?;
            let most = after.rounds.unwrap_or(last.rounds);
            let goes_on = outcome(&rounds) == Outcome::Open && last.round < most;
            goes_on.then(|| (DocumentPart::Review, last.round.saturating_add(1)))
        }
    }
}

/// The order that follows this one; `plan`: the newest plan.
#[must_use]
pub fn next_order(
    order: &DocumentOrder,
    documents: &[DocumentFact],
    plan: Option<&str>,
) -> Option<DocumentOrder> {
    let after = After { part: order.part, through: order.through, rounds: Some(order.rounds) };
    let (part, round) = next(after, documents)?;
    let plan = match (part, plan) {
        // A person may have given a longer one in between.
        (DocumentPart::Review, Some(plan)) if plan.chars().count() <= RESULT_MAX => Some(plan.to_owned()),
        (DocumentPart::Review, Some(_) | None) => return None,
        (DocumentPart::Grill | DocumentPart::Plan, _) => None,
    };
    Some(DocumentOrder { part, round, plan, ..order.clone() })
}

/// What a job of this part is asked for: everything that is known of the idea.
#[must_use]
pub fn wish(idea: &Item, body: &IdeaBody, part: DocumentPart, grill: Option<&str>) -> String {
    let mut text = format!("{}\n", idea.title);
    let mut paragraph = |head: Option<&str>, body: &str| {
        if !body.trim().is_empty() {
            let head = head.map(|head| format!("## {head}\n\n")).unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{head}{}\n", body.trim());
        }
    };
    paragraph(None, &body.wish);
    paragraph(Some("What people found out about it"), &body.notes);
    match part {
        DocumentPart::Grill => paragraph(
            Some("What was found out in an earlier round of questions (correct it where it is wrong)"),
            grill.unwrap_or_default(),
        ),
        DocumentPart::Plan | DocumentPart::Review => {
            paragraph(Some("What the idea was found to come to"), grill.unwrap_or_default());
        }
    }
    text
}

/// The order of the job that follows one that was done by `before`; `texts`: of the newest grill and plan. Which agent does it, and with
/// which limits, is decided anew where nobody asked for it: another kind of job has other settings.
#[must_use]
pub fn next_spec(
    before: &JobSpec,
    idea: &Item,
    documents: &[DocumentFact],
    (grill, plan): (Option<&str>, Option<&str>),
) -> Option<JobSpec> {
    let ItemBody::Idea(body) = &idea.body else { return None };
    if body.epic.is_some() {
        return None;
    }
    let order = next_order(before.document()?, documents, plan)?;
    let title = job_title(&order, &idea.title);
    let prompt = wish(idea, body, order.part, grill);
    let choice = Choice { kind: order.part.kind(), frozen: false, ..before.choice.clone() };
    let publication = Publication::Document { document: Box::new(order) };
    let base = before.clone();
    Some(JobSpec { title, prompt, choice, publication, follows: None, ..base })
}

/// What a job is called in lists.
#[must_use]
pub fn job_title(order: &DocumentOrder, idea: &str) -> String {
    match order.part {
        DocumentPart::Grill => format!("Grill: {idea}"),
        DocumentPart::Plan => format!("Plan: {idea}"),
        DocumentPart::Review => format!("Review {}: {idea}", order.round.max(1)),
    }
}
