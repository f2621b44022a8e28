//! What stands between a verified commit and the outside: findings that are refused, plans that are not kept, and a person's word.
//!
//! An approval is of one commit. Whatever wakes a job that waits for one, it is not published without it: the state itself says so.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::desk::ReportedStatus;
use crate::git::CommitId;
use crate::policy::alignment::{self, Acceptance};
use crate::policy::preflight::{Finding, Inspection, Level};
use crate::text::one_line;

use super::end::EndReason;
use super::event::JobEvent;
use super::input::Order;
use super::publishing::reserving;
use super::state::{Feedback, JobState, Stage, Trail};
use super::step::Step;
use super::turns::{Retry, retry};

/// Reasons that an agent is told at once.
const TOLD: usize = 20;
/// Characters of a person's or an agent's words that are kept.
const WORDS: usize = 4_000;

/// Whether a person has to agree to a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Approval {
    #[default]
    NotNeeded,
    Needed {
        why: String,
    },
    Given {
        by: String,
    },
}

impl Approval {
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::Needed { .. } => true,
            Self::NotNeeded | Self::Given { .. } => false,
        }
    }
}

/// What an agent says of its work in a structured way. It decides nothing by itself: verdicts are measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    pub status: ReportedStatus,
    pub summary: String,
}

/// The commit that waits for a person's word, and why.
#[must_use]
pub(super) fn awaited(state: &JobState) -> Option<&CommitId> {
    match state {
        JobState::Publishing { tip, approval: Approval::Needed { .. }, pushed: false, .. } => Some(tip),
        JobState::Parked { then, .. } => awaited(then),
        JobState::Publishing { .. }
        | JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => None,
    }
}

/// Why a person has to agree to the commit that waits for their word.
pub(super) fn why_awaited(state: &JobState) -> Option<&str> {
    let JobState::Publishing { approval: Approval::Needed { why }, .. } = due(state) else { return None };
    Some(why)
}

/// What an agent said of its last turn: its report, or its last words.
fn summary(trail: &Trail) -> Option<&str> {
    trail.report.as_ref().map(|report| report.summary.as_str()).or(trail.final_text.as_deref())
}

/// Why a turn without a change is the end of the job, and none that failed.
pub(super) fn nothing_to_do(trail: &Trail, order: Order<'_>) -> Option<String> {
    let said = trail
        .report
        .as_ref()
        .filter(|report| report.status == ReportedStatus::Skipped)
        .map(|report| report.summary.trim());
    if let Some(why) = said.filter(|why| why.chars().count() >= alignment::SKIPPED) {
        return Some(format!("the agent says that nothing had to be done: {}", one_line(why, 500)));
    }
    let only_looks = order.spec.task.as_ref().is_some_and(|task| task.verify_only);
    only_looks.then(|| "the task only looks at something, and nothing had to be changed".to_owned())
}

/// The commit was looked at: on to its checks, or back to the agent.
pub(super) fn inspected(
    state: &JobState,
    inspection: Box<Inspection>,
    elapsed: Duration,
    order: Order<'_>,
) -> Option<Step> {
    let JobState::Verifying { trail, ground, tip, diff, inspected: None } = state else { return None };
    let event = JobEvent::Inspected { commit: tip.clone(), inspection: inspection.clone() };
    let Some((reasons, detail)) = refusal(&inspection, trail, order) else {
        let inspected = Some(inspection);
        let next = JobState::Verifying {
            trail: trail.clone(),
            ground: ground.clone(),
            tip: tip.clone(),
            diff: *diff,
            inspected,
        };
        return Some(Step::to(next).event(event));
    };
    let feedback = Feedback::Refused { reasons };
    let failure = Retry { feedback, last: EndReason::GateRefused, detail, class: None };
    let mut trail = trail.clone();
    trail.active = trail.active.saturating_add(elapsed);
    Some(retry(trail, ground, failure, order).before(event).after(Stage::Verify, elapsed))
}

/// Why a change may not go out as it is: what the agent is told, and one line for people.
fn refusal(inspection: &Inspection, trail: &Trail, order: Order<'_>) -> Option<(Vec<String>, String)> {
    let blocked: Vec<String> = inspection.with(Level::Block).map(Finding::line_of_text).collect();
    if let Some(first) = blocked.first() {
        let more =
            if blocked.len() > 1 { format!(", and {} more", blocked.len() - 1) } else { String::new() };
        let detail = format!("the change was refused: {first}{more}");
        return Some((blocked.into_iter().take(TOLD).collect(), detail));
    }
    let task = order.spec.task.as_ref()?;
    let report = inspection.alignment.as_ref()?;
    match alignment::accept(task.verify_required, task.verify_only, report, summary(trail)) {
        Acceptance::Accept => None,
        Acceptance::Refuse { feedback } => {
            let detail = format!("the change is {} to its plan: {}", report.alignment.code(), report.why);
            Some((vec![feedback], detail))
        }
    }
}

/// Whether a person has to agree to a commit in which this was found.
pub(super) fn wanted(inspection: &Inspection, tip: &CommitId, order: Order<'_>) -> Approval {
    let found: Vec<String> = inspection.with(Level::Approve).map(Finding::line_of_text).collect();
    let Some(first) = found.first() else { return Approval::NotNeeded };
    let more = if found.len() > 1 { format!(", and {} more", found.len() - 1) } else { String::new() };
    let (key, short) = (order.key, tip.short());
    Approval::Needed {
        why: format!("{first}{more}; to let it go out: overnight approve {key} --commit {short}"),
    }
}

/// A person agrees to publish this commit, and no other.
pub(super) fn approved(
    state: &JobState,
    by: &str,
    commit: &CommitId,
    message: Option<String>,
    order: Order<'_>,
) -> Option<Step> {
    if awaited(state)? != commit {
        return None;
    }
    let mut next = due(state).clone();
    let JobState::Publishing { approval, .. } = &mut next else { return None };
    *approval = Approval::Given { by: one_line(by, 200) };
    let message = message.map(|text| crate::text::cut_chars(text.trim(), WORDS));
    let event = JobEvent::Approved { by: one_line(by, 200), commit: commit.clone(), message };
    Some(reserving(next, order).event(event))
}

/// A person's no.
pub(super) struct Rejection {
    pub(super) by: String,
    pub(super) commit: CommitId,
    pub(super) message: String,
    pub(super) end: bool,
}

pub(super) fn rejected(state: &JobState, no: Rejection, order: Order<'_>) -> Option<Step> {
    if *awaited(state)? != no.commit {
        return None;
    }
    let JobState::Publishing { trail, ground, .. } = due(state) else { return None };
    let Rejection { by, commit, message, end } = no;
    let (by, why) = (one_line(&by, 200), crate::text::cut_chars(message.trim(), WORDS));
    let detail = format!("{by} rejected it: {}", one_line(&why, 500));
    let event = JobEvent::Rejected { by, commit, message: why.clone(), ended: end };
    if end {
        return Some(Step::ending(trail.clone(), EndReason::Rejected, detail).before(event));
    }
    let failure =
        Retry { feedback: Feedback::Rejected { why }, last: EndReason::Rejected, detail, class: None };
    Some(retry(trail.clone(), ground, failure, order).before(event))
}

/// What a parked job goes on with.
fn due(state: &JobState) -> &JobState {
    match state {
        JobState::Parked { then, .. } => due(then),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => state,
    }
}

impl JobState {
    /// The commit that waits for a person's word.
    #[must_use]
    pub fn awaits_approval(&self) -> Option<&CommitId> {
        awaited(self)
    }
}
