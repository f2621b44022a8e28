//! Whether what an agent wrote is taken.

use super::super::plan::{self, PlanError};
use super::super::words;
use super::{DocumentFacts, DocumentOrder, DocumentPart, NewDocument, RESULT_MAX, grill, review};

/// What was found where the agent was to write its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    Missing,
    /// Something is there that is no text of a file: what it is.
    Unusable(&'static str),
    Text(String),
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Kept, in this order.
    Taken(Vec<NewDocument>),
    /// Why not: each problem with its line, where it has one.
    Refused(Vec<String>),
}

/// Judges what an agent wrote by what it was to write.
#[must_use]
pub fn judge(order: &DocumentOrder, submission: &Submission) -> Judgement {
    let text = match submission {
        Submission::Missing => {
            return refused("there is no file: write the document to the file that you were told");
        }
        Submission::Unusable(what) => {
            return refused(&format!(
                "what stands there is {what}: write the document as a plain text file in UTF-8"
            ));
        }
        Submission::Text(text) => text.replace("\r\n", "\n"),
    };
    let characters = text.chars().count();
    if characters > RESULT_MAX {
        return refused(&format!("the document has {characters} characters; at most {RESULT_MAX} are taken"));
    }
    if text.trim().is_empty() {
        return refused("the file is empty");
    }
    if let Err(why) = words::text("document", &text, RESULT_MAX) {
        return refused(&format!("{why}; write plain characters"));
    }
    read(order, text).unwrap_or_else(Judgement::Refused)
}

fn refused(why: &str) -> Judgement {
    Judgement::Refused(vec![why.to_owned()])
}

fn read(order: &DocumentOrder, text: String) -> Result<Judgement, Vec<String>> {
    let new = |text: String, facts| NewDocument { item: order.item.clone(), text, facts };
    let taken = match order.part {
        DocumentPart::Grill => {
            let facts = grill::read(&text)?;
            vec![new(text, facts)]
        }
        DocumentPart::Plan => {
            let plan = plan::read_from_agent(&text).map_err(|error| line(&error))?;
            let facts = DocumentFacts::Plan { stories: plan.stories.len(), tasks: plan.tasks().count() };
            vec![new(text, facts)]
        }
        DocumentPart::Review => {
            let before = order.plan.as_deref().unwrap_or_default();
            let review =
                review::read(&text, before, (order.round, order.rounds)).map_err(|error| line(&error))?;
            let plan = new(review.plan.to_owned(), review.plan_facts);
            let facts = review.facts;
            vec![new(text, facts), plan]
        }
    };
    Ok(Judgement::Taken(taken))
}

fn line(error: &PlanError) -> Vec<String> {
    vec![format!("line {}: {}; {}", error.line, error.what, error.help)]
}
