//! From a rough wish to a plan that people can accept: an idea is questioned (*grill*), planned, and its plan reviewed in rounds.
//!
//! Each of these is a job whose result is a document and no commit. A document that was taken is a revision and never changes.
//! Whether it is taken is decided by [`judge`], how far the idea is by [`state`], and what comes next by [`next`]: nothing is
//! concluded from an agent's word alone, and approval that is missing is no approval.

mod change;
mod grill;
mod judge;
mod next;
mod prompt;
mod review;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use change::{Changed, changed};
pub use judge::{Judgement, Submission, judge};
pub use next::{After, job_title, next, next_order, next_spec, wish};
pub(crate) use prompt::task;
pub use review::{Outcome, REVIEW_ROUNDS, Verdict, outcome};
pub use state::{IdeaState, state};

use crate::id::{ItemId, JobId, TaskKey};
use crate::job::JobKind;
use crate::units::Timestamp;

/// Characters of a document that an agent writes: a plan of some hundred tasks. A longer one is not read with care by anybody.
pub const RESULT_MAX: usize = 64_000;

/// What is written about an idea.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentPart {
    /// What the wish comes to: scope, acceptance points, risks, open ends.
    Grill,
    /// A plan document, as it is imported.
    Plan,
    /// A round of the review: a verdict, what is wrong, and the plan rewritten.
    Review,
}

impl DocumentPart {
    pub const ALL: [Self; 3] = [Self::Grill, Self::Plan, Self::Review];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grill => "grill",
            Self::Plan => "plan",
            Self::Review => "review",
        }
    }

    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.as_str() == name)
    }

    /// The kind of the job that writes it.
    #[must_use]
    pub fn kind(self) -> JobKind {
        match self {
            Self::Grill => JobKind::Grill,
            Self::Plan => JobKind::Plan,
            Self::Review => JobKind::Review,
        }
    }

    /// The file that the agent writes it to.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Grill => "grill.md",
            Self::Plan => "plan.md",
            Self::Review => "review.md",
        }
    }
}

impl std::fmt::Display for DocumentPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a job of an idea is to write, frozen when the job is enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentOrder {
    pub item: ItemId,
    pub key: TaskKey,
    pub part: DocumentPart,
    /// Of the review, from 1.
    #[serde(default)]
    pub round: u32,
    /// Most rounds of the review.
    #[serde(default)]
    pub rounds: u32,
    /// Whether the next part is begun when this one is there. The rounds of a review follow each other in any case.
    #[serde(default)]
    pub through: bool,
    /// The plan that is reviewed, as it was before this round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl DocumentOrder {
    /// Whether another job may follow when the document is there.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.through || self.part == DocumentPart::Review
    }
}

/// What was found in a document when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "part")]
pub enum DocumentFacts {
    Grill {
        /// Acceptance points, risks and open ends.
        acceptance: usize,
        risks: usize,
        open: usize,
    },
    /// Without stories: one that a person gave and that cannot be read as a plan.
    Plan {
        stories: usize,
        tasks: usize,
    },
    Review(ReviewFacts),
}

/// What a round of the review came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewFacts {
    pub round: u32,
    /// Most rounds, as it was ordered.
    pub rounds: u32,
    pub verdict: Verdict,
    /// Issues that are open, by their severity.
    pub errors: usize,
    pub warnings: usize,
    pub notes: usize,
    /// How much of the plan this round rewrote.
    pub changed: Changed,
}

impl DocumentFacts {
    #[must_use]
    pub fn part(&self) -> DocumentPart {
        match self {
            Self::Grill { .. } => DocumentPart::Grill,
            Self::Plan { .. } => DocumentPart::Plan,
            Self::Review(_) => DocumentPart::Review,
        }
    }

    /// Of a plan that a person gives: it is kept as it is, also when it is none.
    #[must_use]
    pub fn of_plan(text: &str) -> Self {
        match super::plan::read(text) {
            Ok(plan) => Self::Plan { stories: plan.stories.len(), tasks: plan.tasks().count() },
            Err(_) => Self::Plan { stories: 0, tasks: 0 },
        }
    }
}

/// What is known of a document without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentFact {
    /// Of its part, from 1.
    pub revision: u32,
    pub facts: DocumentFacts,
    /// `None`: a person gave it.
    pub job: Option<JobId>,
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}

/// A document that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    pub item: ItemId,
    pub text: String,
    pub facts: DocumentFacts,
}

/// The newest document of a part.
#[must_use]
pub fn newest(documents: &[DocumentFact], part: DocumentPart) -> Option<&DocumentFact> {
    documents.iter().filter(|fact| fact.facts.part() == part).max_by_key(|fact| fact.revision)
}

/// The rounds of the review that the newest plan came out of, in order; none where it was written after them.
#[must_use]
pub fn reviews(documents: &[DocumentFact]) -> Vec<ReviewFacts> {
    let Some(plan) = newest(documents, DocumentPart::Plan).filter(|plan| plan.job.is_some()) else {
        return Vec::new();
    };
    let review = |fact: &DocumentFact| match fact.facts {
        DocumentFacts::Review(facts) => Some((fact.revision, fact.job.clone(), facts)),
        DocumentFacts::Grill { .. } | DocumentFacts::Plan { .. } => None,
    };
    let mut all: Vec<_> = documents.iter().filter_map(review).collect();
    all.sort_by_key(|(revision, ..)| *revision);
    if all.last().is_none_or(|(_, job, _)| *job != plan.job) {
        return Vec::new();
    }
    // Back to where this review began.
    let first = all.iter().rposition(|(_, _, facts)| facts.round <= 1).unwrap_or(0);
    all.drain(..first);
    all.into_iter().map(|(_, _, facts)| facts).collect()
}
