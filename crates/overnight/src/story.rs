//! What became of a job, told from its events: attempts, verdicts, what it stood on, what reached the outside.
//!
//! A pure fold. Owns no second truth: everything here can be had again from the events.

use std::time::Duration;

use overnight_core::agent::adapter::AdapterName;
use overnight_core::agent::{BackendId, Usage};
use overnight_core::command::Containment;
use overnight_core::git::{BranchName, CommitId};
use overnight_core::job::{End, JobEvent, Label, Notice, ParkReason, PullRequestRef, Stage};
use overnight_core::policy::cascade::{CascadeResult, CascadeStep};
use overnight_core::policy::preflight::Inspection;
use overnight_core::verdict::{CheckReport, CheckSource, DiffStat, Standing, Verdict};
use serde::Serialize;

/// A job's way so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Story {
    pub base: Option<CommitId>,
    pub base_branch: Option<String>,
    pub check_source: Option<CheckSource>,
    /// Commands of the checks.
    pub checks: Vec<String>,
    pub attempts: Vec<AttemptStory>,
    pub notices: Vec<Notice>,
    /// How well the last turn was contained.
    pub containment: Option<Containment>,
    /// How often the job was claimed, and how often another worker had held it before.
    pub claims: u32,
    pub resumed: u32,
    pub interrupted_turns: u32,
    /// The last commit that was brought home.
    pub tip: Option<CommitId>,
    pub diff: Option<DiffStat>,
    pub branch: Option<BranchName>,
    pub pull_request: Option<PullRequestRef>,
    /// Why it waits, as long as it does.
    pub parked: Option<(ParkReason, String)>,
    /// The backup went on in place of the first agent.
    pub taken_over: Option<TakenOver>,
    /// What people said of its commits, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What its failure did to its epic's other work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cascade: Vec<CascadeStory>,
    /// Why that ended before everything had a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cascade_stopped: Option<String>,
    pub stages: Vec<StageStory>,
    pub end: Option<End>,
}

/// Which agent took over, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TakenOver {
    /// Its name.
    pub agent: String,
    pub backend: BackendId,
    pub model: Option<String>,
    pub why: String,
}

/// One paid try.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AttemptStory {
    pub number: u32,
    pub turns: Vec<TurnStory>,
    pub verdicts: Vec<VerdictStory>,
    /// Why it failed; `None`: it did not, or is not over.
    pub failed: Option<String>,
    /// What was found in its commit before the checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection: Option<Inspection>,
    /// Class of the failure, where one was recognised.
    pub class: Option<String>,
}

/// One start of the agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TurnStory {
    pub number: u32,
    pub backend: BackendId,
    /// The vendor's login; `None`: its only one.
    pub account: Option<Label>,
    /// How it ended, in words; `None`: it did not end.
    pub outcome: Option<String>,
    pub usage: Option<Usage>,
}

/// One check of one attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerdictStory {
    pub check: String,
    pub commit: CommitId,
    pub tip: Verdict,
    pub base: Option<Verdict>,
    pub standing: Option<Standing>,
    #[serde(rename = "elapsed_ms", with = "overnight_core::units::millis")]
    pub elapsed: Duration,
}

/// A step of the cascade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CascadeStory {
    pub step: CascadeStep,
    pub result: CascadeResult,
}

/// A finished stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StageStory {
    pub stage: Stage,
    #[serde(rename = "elapsed_ms", with = "overnight_core::units::millis")]
    pub elapsed: Duration,
}

impl Story {
    /// The story of these events, which begin with the first.
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a JobEvent>) -> Self {
        let mut story = Self::default();
        events.into_iter().for_each(|event| story.add(event));
        story
    }

    /// Goes on with one more event.
    pub fn add(&mut self, event: &JobEvent) {
        match event {
            JobEvent::Queued { .. } | JobEvent::StageStarted { .. } | JobEvent::BranchTaken { .. } => {}
            JobEvent::Configured { .. } | JobEvent::CancelAsked { .. } => {}
            // What an agent says of its work is no part of what came of it.
            JobEvent::AgentReported { .. } | JobEvent::AgentNoted { .. } => {}
            JobEvent::WorkerLost { .. }
            | JobEvent::Moved
            | JobEvent::DocumentTaken { .. }
            | JobEvent::CascadeBegan { .. } => {}
            JobEvent::QuestionAsked { .. }
            | JobEvent::QuestionAnswered { .. }
            | JobEvent::QuestionCancelled { .. }
            | JobEvent::QuestionExpired { .. }
            | JobEvent::MessageSent { .. }
            | JobEvent::MessageDelivered { .. }
            | JobEvent::MessageAcknowledged { .. }
            // What happens after its end is the pull request's story.
            | JobEvent::PullRequestNews { .. } => {}
            JobEvent::Woken { .. } => self.parked = None,
            JobEvent::Claimed { resumed, .. } => {
                self.claims += 1;
                self.resumed += u32::from(*resumed);
                self.parked = None;
            }
            JobEvent::StageFinished { stage, elapsed } => {
                self.stages.push(StageStory { stage: *stage, elapsed: *elapsed });
            }
            JobEvent::Grounded { base, base_branch, check_source, checks } => {
                self.base = Some(base.clone());
                self.base_branch.clone_from(base_branch);
                self.check_source = Some(*check_source);
                self.checks.clone_from(checks);
            }
            JobEvent::Noticed { notice } => {
                if !self.notices.contains(notice) {
                    self.notices.push(notice.clone());
                }
            }
            JobEvent::TurnAnnounced { attempt, turn, backend, account, .. } => {
                let (backend, account) = (*backend, account.clone());
                let turn = TurnStory { number: *turn, backend, account, outcome: None, usage: None };
                self.attempt(*attempt).turns.push(turn);
            }
            JobEvent::TurnStarted { process, .. } => self.containment = Some(process.containment),
            JobEvent::TurnEnded { result, usage, .. } => {
                let outcome = crate::render::words::outcome(result);
                self.turn_over(outcome.unwrap_or_else(|| "completed".to_owned()), *usage);
            }
            JobEvent::TurnInterrupted { usage, .. } => {
                self.interrupted_turns += 1;
                self.turn_over("interrupted".to_owned(), *usage);
            }
            JobEvent::Collected { tip, diff } => {
                if tip.is_some() {
                    self.tip.clone_from(tip);
                    self.diff = Some(*diff);
                }
            }
            JobEvent::Checked { report, on_base } => self.checked(report, *on_base),
            JobEvent::Inspected { inspection, .. } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.inspection = Some((**inspection).clone());
                }
            }
            JobEvent::Approved { by, commit, message } => {
                let said = message.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                self.words.push(format!("{} approved by {by}{said}", commit.short()));
            }
            JobEvent::Rejected { by, commit, message, .. } => {
                self.words.push(format!("{} rejected by {by}: {message}", commit.short()));
            }
            JobEvent::Judged { check, standing } => {
                if let Some(verdict) = self.verdict(check) {
                    verdict.standing = Some(*standing);
                }
            }
            JobEvent::AttemptFailed { attempt, class, reason } => {
                let attempt = self.attempt(*attempt);
                attempt.failed = Some(reason.clone());
                attempt.class.clone_from(class);
            }
            JobEvent::TakenOver { backend, adapter, model, why } => {
                let agent = adapter.as_ref().map_or(backend.as_str(), AdapterName::as_str).to_owned();
                self.taken_over =
                    Some(TakenOver { agent, backend: *backend, model: model.clone(), why: why.clone() });
            }
            JobEvent::BranchPushed { branch, .. } => self.branch = Some(branch.clone()),
            JobEvent::PullRequestOpened { pull_request, .. } => {
                self.pull_request = Some(pull_request.clone())
            }
            JobEvent::Cascaded { step, result } => {
                self.cascade.push(CascadeStory { step: step.clone(), result: result.clone() });
            }
            JobEvent::CascadeStopped { why } => self.cascade_stopped = Some(why.clone()),
            JobEvent::Parked { reason, detail, .. } => self.parked = Some((*reason, detail.clone())),
            JobEvent::Ended { end } => self.end = Some(end.clone()),
        }
    }

    fn turn_over(&mut self, outcome: String, usage: Usage) {
        if let Some(turn) = self.last_turn() {
            (turn.outcome, turn.usage) = (Some(outcome), Some(usage));
        }
    }

    fn attempt(&mut self, number: u32) -> &mut AttemptStory {
        let at = match self.attempts.iter().position(|attempt| attempt.number == number) {
            Some(at) => at,
            None => {
                self.attempts.push(AttemptStory { number, ..AttemptStory::default() });
                self.attempts.len() - 1
            }
        };
        &mut self.attempts[at]
    }

    fn last_turn(&mut self) -> Option<&mut TurnStory> {
        self.attempts.last_mut()?.turns.last_mut()
    }

    fn verdict(&mut self, check: &str) -> Option<&mut VerdictStory> {
        self.attempts.last_mut()?.verdicts.iter_mut().rev().find(|verdict| verdict.check == check)
    }

    fn checked(&mut self, report: &CheckReport, on_base: bool) {
        if on_base {
            if let Some(verdict) = self.verdict(&report.check) {
                verdict.base = Some(report.verdict.clone());
            }
            return;
        }
        let number = self.attempts.last().map_or(1, |attempt| attempt.number);
        let verdict = VerdictStory {
            check: report.check.clone(),
            commit: report.commit.clone(),
            tip: report.verdict.clone(),
            base: None,
            standing: None,
            elapsed: report.elapsed,
        };
        self.attempt(number).verdicts.push(verdict);
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::agent::{BackendId, SessionStart, TurnOutcome};
    use overnight_core::id::SessionId;

    use super::*;

    fn commit(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    fn announced(attempt: u32, turn: u32) -> JobEvent {
        let session = SessionStart::Fresh(SessionId::parse("s").unwrap());
        JobEvent::TurnAnnounced { attempt, turn, backend: BackendId::Claude, session, account: None }
    }

    fn checked(verdict: Verdict, on_base: bool) -> JobEvent {
        let report = CheckReport {
            check: "test".into(),
            commit: commit('b'),
            verdict,
            output_tail: String::new(),
            elapsed: Duration::from_secs(1),
        };
        JobEvent::Checked { report, on_base }
    }

    #[test]
    fn verdicts_belong_to_their_attempt() {
        let judged = |standing| JobEvent::Judged { check: "test".into(), standing };
        let ended =
            || JobEvent::TurnEnded { turn: 1, result: TurnOutcome::Completed, usage: Usage::default() };
        let story = Story::of(&[
            announced(1, 1),
            ended(),
            checked(Verdict::Fail { status: 1 }, false),
            checked(Verdict::Pass, true),
            judged(Standing::Broken),
            JobEvent::AttemptFailed { attempt: 1, class: None, reason: "test failed".into() },
            announced(2, 2),
            JobEvent::TurnInterrupted { turn: 2, usage: Usage::default() },
            announced(2, 3),
            ended(),
            checked(Verdict::Pass, false),
            judged(Standing::Passed),
        ]);
        let standings: Vec<_> = story.attempts.iter().map(|attempt| attempt.verdicts[0].standing).collect();
        assert_eq!(standings, [Some(Standing::Broken), Some(Standing::Passed)]);
        assert_eq!(story.attempts[0].verdicts[0].base, Some(Verdict::Pass));
        assert_eq!(story.attempts[0].failed.as_deref(), Some("test failed"));
        let outcomes: Vec<_> = story.attempts[1].turns.iter().map(|turn| turn.outcome.as_deref()).collect();
        assert_eq!(outcomes, [Some("interrupted"), Some("completed")]);
        assert_eq!(story.interrupted_turns, 1);
    }

    #[test]
    fn a_job_that_goes_on_does_not_wait_any_more() {
        let parked = JobEvent::Parked { reason: ParkReason::Overloaded, detail: "x".into(), wake: None };
        let claimed = JobEvent::Claimed {
            worker: overnight_core::id::WorkerId::parse("w").unwrap(),
            fence: overnight_core::id::Fence(2),
            resumed: true,
        };
        assert!(Story::of([&parked]).parked.is_some());
        assert!(Story::of(&[parked, claimed]).parked.is_none());
    }
}
