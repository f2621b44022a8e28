//! How far an idea has come: from its documents and its newest job. The only place where that is decided.

use serde::{Deserialize, Serialize};

use super::super::item::IdeaBody;
use super::super::state::Run;
use super::next::{After, next};
use super::review::{Outcome, outcome};
use super::{DocumentFact, DocumentPart, newest, reviews};
use crate::job::EndReason;

/// How far an idea has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdeaState {
    Draft,
    Grilling,
    Grilled,
    GrillFailed,
    Planning,
    PlanReady,
    PlanFailed,
    Reviewing,
    PlanReviewed,
    PlanReviewFailed,
    /// It became an epic.
    Planned,
}

impl IdeaState {
    pub const ALL: [Self; 11] = [
        Self::Draft,
        Self::Grilling,
        Self::Grilled,
        Self::GrillFailed,
        Self::Planning,
        Self::PlanReady,
        Self::PlanFailed,
        Self::Reviewing,
        Self::PlanReviewed,
        Self::PlanReviewFailed,
        Self::Planned,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Grilling => "grilling",
            Self::Grilled => "grilled",
            Self::GrillFailed => "grill_failed",
            Self::Planning => "planning",
            Self::PlanReady => "plan_ready",
            Self::PlanFailed => "plan_failed",
            Self::Reviewing => "reviewing",
            Self::PlanReviewed => "plan_reviewed",
            Self::PlanReviewFailed => "plan_review_failed",
            Self::Planned => "planned",
        }
    }
}

/// The state of an idea with these documents, whose newest job is `run`.
#[must_use]
pub fn state(body: &IdeaBody, documents: &[DocumentFact], run: Option<&Run>) -> IdeaState {
    if body.epic.is_some() {
        return IdeaState::Planned;
    }
    run.and_then(|run| by_job(run, documents)).unwrap_or_else(|| by_documents(body, documents))
}

/// What the newest job makes of it; `None`: nothing that its documents do not say.
fn by_job(run: &Run, documents: &[DocumentFact]) -> Option<IdeaState> {
    let part = run.part?;
    let Some(end) = run.end else { return Some(at_work(part)) };
    // Somebody has written something since.
    if documents.iter().any(|fact| fact.at > end.at) {
        return None;
    }
    match end.reason {
        Some(EndReason::Delivered) if run.goes_on => {
            let after = After { part, through: true, rounds: None };
            next(after, documents).map(|(part, _)| at_work(part))
        }
        Some(
            EndReason::Delivered
            | EndReason::Cancelled
            | EndReason::Interrupted
            | EndReason::DependencyFailed
            | EndReason::Rejected,
        ) => None,
        Some(
            EndReason::Published
            | EndReason::AlreadyDone
            | EndReason::DocumentRefused
            | EndReason::ConfigInvalid
            | EndReason::RepositoryUnusable
            | EndReason::NoChecks
            | EndReason::AgentMissing
            | EndReason::VerificationFailed
            | EndReason::ChecksCouldNotRun
            | EndReason::AgentFailed
            | EndReason::NoChanges
            | EndReason::GateRefused
            | EndReason::AgentRefused
            | EndReason::NeedsInput
            | EndReason::AgentTimedOut
            | EndReason::BudgetCost
            | EndReason::BudgetTokens
            | EndReason::BudgetTurns
            | EndReason::BudgetTime
            | EndReason::BudgetSessions
            | EndReason::BranchConflict
            | EndReason::WorkerLost
            | EndReason::InternalError,
        )
        | None => Some(failed(part)),
    }
}

fn at_work(part: DocumentPart) -> IdeaState {
    match part {
        DocumentPart::Grill => IdeaState::Grilling,
        DocumentPart::Plan => IdeaState::Planning,
        DocumentPart::Review => IdeaState::Reviewing,
    }
}

fn failed(part: DocumentPart) -> IdeaState {
    match part {
        DocumentPart::Grill => IdeaState::GrillFailed,
        DocumentPart::Plan => IdeaState::PlanFailed,
        DocumentPart::Review => IdeaState::PlanReviewFailed,
    }
}

fn by_documents(body: &IdeaBody, documents: &[DocumentFact]) -> IdeaState {
    let plan = newest(documents, DocumentPart::Plan);
    if plan.is_none() && body.plan.is_none() {
        let asked = newest(documents, DocumentPart::Grill).is_some() || !body.notes.is_empty();
        return if asked { IdeaState::Grilled } else { IdeaState::Draft };
    }
    let rounds = reviews(documents);
    match outcome(&rounds) {
        Outcome::Approved => IdeaState::PlanReviewed,
        Outcome::Rejected => IdeaState::PlanReviewFailed,
        Outcome::Open if rounds.is_empty() => IdeaState::PlanReady,
        Outcome::Open => IdeaState::PlanReviewFailed,
    }
}
