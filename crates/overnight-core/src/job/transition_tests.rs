use crate::id::{Fence, WorkerId};

use super::*;
use crate::agent::{SessionStart, TurnOutcome, TurnReport, Usage};
use crate::command::ProcessIdentity;
use crate::id::SessionId;
use crate::job::tests_support::{commit, ground, key, no_talk, report, spec};
use crate::job::{
    Asking, EndReason, Feedback, JobLimits, JobSpec, Notice, ParkReason, Publication, PullRequestRef, Stage,
};
use crate::job::{EffectChange, EffectName};
use crate::policy::preflight::{Finding, Inspection, Level, Rule};
use crate::units::MicroDollars;
use crate::verdict::{CheckedPair, CouldNotRun, DiffStat, Verdict};

#[path = "approval_tests.rs"]
mod approval;
#[path = "document_tests.rs"]
mod documents;
#[path = "failover_tests.rs"]
mod failover;
#[path = "property_tests.rs"]
mod property;
#[path = "stuck_tests.rs"]
mod stuck;
#[path = "talking_tests.rs"]
mod talking;
#[path = "told_tests.rs"]
mod told;

const NOW: Timestamp = Timestamp(1_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// A job on its way through the states, so that tests read as what happens.
struct Walk {
    state: JobState,
    spec: JobSpec,
    events: Vec<JobEvent>,
    effects: Vec<EffectChange>,
    talk: Vec<crate::talk::TalkChange>,
}

impl Walk {
    fn queued() -> Self {
        Self::with(spec())
    }

    fn with(spec: JobSpec) -> Self {
        Self { state: JobState::Queued, spec, events: Vec::new(), effects: Vec::new(), talk: Vec::new() }
    }

    fn try_input(&mut self, input: Input) -> Result<(), IllegalTransition> {
        let key = key();
        let step = transition(&self.state, input, NOW, Order { key: &key, spec: &self.spec })?;
        self.state = step.next;
        self.events.extend(step.events);
        self.effects.extend(step.effects);
        self.talk.extend(step.talk);
        Ok(())
    }

    fn input(mut self, input: Input) -> Self {
        let told = format!("{input:?} in {}", self.state.name());
        self.try_input(input).unwrap_or_else(|error| panic!("{error}: {told}"));
        self
    }

    fn done(self, output: StageOutput) -> Self {
        let unseen = matches!(self.state, JobState::Verifying { inspected: None, .. });
        if unseen && matches!(output, StageOutput::Verified { .. }) {
            return self.inspected(Vec::new()).done(output);
        }
        self.input(Input::Done { output, elapsed: SECOND })
    }

    fn claimed(self) -> Self {
        let worker = WorkerId::parse("host:1").unwrap();
        self.input(Input::Claimed { worker, fence: Fence(1), resumed: false, moved: false })
    }

    fn prepared(self) -> Self {
        self.claimed().done(StageOutput::Prepared { ground: ground() })
    }

    fn announced(self) -> Self {
        let known = self.state.trail().and_then(|trail| trail.session.clone());
        let fresh = || SessionStart::Fresh(SessionId::parse("s-1").unwrap());
        let session = known.map_or_else(fresh, SessionStart::Resume);
        self.input(Input::TurnAnnounced { session, account: None })
    }

    fn started(self) -> Self {
        self.input(Input::TurnStarted { process: told::process() })
    }

    fn turn(self, outcome: TurnOutcome) -> Self {
        let session = Some(SessionId::parse("s-1").unwrap());
        let usage = Usage { output_tokens: 10, turns: 1, cost: Some(MicroDollars(1000)), ..Usage::default() };
        self.announced().done(StageOutput::Turn {
            report: TurnReport {
                outcome,
                session,
                usage,
                final_text: None,
                asked: None,
                options: Vec::new(),
            },
        })
    }

    fn collected(self) -> Self {
        let diff = DiffStat { files: 1, insertions: 2, deletions: 0 };
        self.done(StageOutput::Collected {
            tip: Some(commit('b')),
            diff,
            asking: Asking::AsItSaid,
            talk: no_talk(),
        })
    }

    fn worked(self) -> Self {
        self.turn(TurnOutcome::Completed).collected()
    }

    fn inspected(self, findings: Vec<Finding>) -> Self {
        self.inspection(Inspection { findings, more: 0, alignment: None })
    }

    fn inspection(self, inspection: Inspection) -> Self {
        self.input(Input::Inspected { inspection: Box::new(inspection), elapsed: SECOND })
    }

    fn verified(self, tip: Verdict, base: Option<Verdict>) -> Self {
        self.done(StageOutput::Verified { pairs: vec![pair(tip, base)] })
    }

    fn ended(&self) -> EndReason {
        self.state.end().unwrap_or_else(|| panic!("not ended: {:?}", self.state)).reason
    }

    fn stages(&self) -> Vec<Stage> {
        let finished = |event: &JobEvent| match event {
            JobEvent::StageFinished { stage, .. } => Some(*stage),
            _ => None,
        };
        self.events.iter().filter_map(finished).collect()
    }
}

fn pair(tip: Verdict, base: Option<Verdict>) -> CheckedPair {
    CheckedPair {
        tip: report("test", tip, "boom"),
        base: base.map(|verdict| report("test", verdict, "boom")),
    }
}

fn interrupted(session: Option<&str>) -> Input {
    let session = session.map(|id| SessionId::parse(id).unwrap());
    Input::TurnInterrupted { session, used: Usage { output_tokens: 5, ..Usage::default() } }
}

fn fail() -> Verdict {
    Verdict::Fail { status: 1 }
}

#[test]
fn a_good_job_goes_through_every_stage_once_and_ends_with_a_branch() {
    let walk = Walk::queued().prepared().worked().verified(Verdict::Pass, None);
    assert!(matches!(walk.state, JobState::Publishing { pushed: false, .. }));
    let walk = walk.input(Input::BranchPushed { elapsed: SECOND }).done(StageOutput::Cleaned);
    assert_eq!(walk.ended(), EndReason::Published);
    assert!(walk.state.is_ended());
    use Stage::{Agent, Cleanup, Collect, Prepare, Publish, Verify};
    assert_eq!(walk.stages(), [Prepare, Agent, Collect, Verify, Publish, Cleanup]);
    assert_eq!(walk.effects.len(), 2, "the push is reserved before it is done: {:?}", walk.effects);
}

#[test]
fn a_pull_request_follows_the_push_and_both_are_reserved_first() {
    let mut order = spec();
    order.publication =
        Publication::PullRequest { remote: "https://example.org/a/b".to_owned(), draft: false };
    let walk = Walk::with(order)
        .prepared()
        .worked()
        .verified(Verdict::Pass, None)
        .input(Input::BranchPushed { elapsed: SECOND });
    assert!(matches!(walk.state, JobState::Publishing { pushed: true, .. }));
    let pull_request = PullRequestRef { number: 7, url: "https://example.org/a/b/pulls/7".to_owned() };
    let walk = walk.done(StageOutput::PullRequest {
        pull_request: pull_request.clone(),
        adopted: false,
        open: None,
    });
    let end = walk.state.end().unwrap().clone();
    assert_eq!(end.published.unwrap().pull_request, Some(pull_request));
    let names: Vec<_> = walk
        .effects
        .iter()
        .map(|effect| match effect {
            EffectChange::Reserve { name, .. } => (name.clone(), "reserve"),
            EffectChange::Done { name, .. } => (name.clone(), "done"),
        })
        .collect();
    use EffectName::{OpenPullRequest, PushBranch};
    assert_eq!(
        names,
        [
            (PushBranch, "reserve"),
            (OpenPullRequest, "reserve"),
            (PushBranch, "done"),
            (OpenPullRequest, "done")
        ]
    );
}

#[test]
fn a_failed_check_gives_feedback_and_a_second_attempt() {
    let walk = Walk::queued().prepared().worked().verified(fail(), Some(Verdict::Pass));
    let JobState::Working { trail, turn: None, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!(trail.attempt, 2);
    assert!(matches!(trail.feedback, Some(Feedback::ChecksFailed { .. })));
    assert_eq!(trail.preserved, Some(commit('b')));
}

#[test]
fn attempts_run_out() {
    let mut walk = Walk::queued().prepared();
    for _ in 0..3 {
        walk = walk.worked().verified(fail(), Some(Verdict::Pass));
    }
    assert_eq!(walk.ended(), EndReason::VerificationFailed);
    assert_eq!(walk.state.end().unwrap().tip, Some(commit('b')), "the work is kept");
}

#[test]
fn no_change_is_never_a_success() {
    let mut walk = Walk::queued().prepared();
    for _ in 0..3 {
        walk = walk.turn(TurnOutcome::Completed).done(StageOutput::Collected {
            tip: Some(commit('b')),
            diff: DiffStat::default(),
            asking: Asking::AsItSaid,
            talk: no_talk(),
        });
    }
    assert_eq!(walk.ended(), EndReason::NoChanges);
}

#[test]
fn trouble_that_is_not_the_jobs_fault_uses_up_no_attempt() {
    let outcomes = [
        (
            TurnOutcome::RateLimited { reset: Some(Timestamp(99)), detail: "later".to_owned() },
            ParkReason::RateLimited,
        ),
        (TurnOutcome::Overloaded { detail: "busy".to_owned() }, ParkReason::Overloaded),
        (TurnOutcome::LoginExpired { detail: "log in".to_owned() }, ParkReason::AgentLogin),
    ];
    for (outcome, expected) in outcomes {
        let walk = Walk::queued().prepared().turn(outcome).done(StageOutput::Collected {
            tip: None,
            diff: DiffStat::default(),
            asking: Asking::AsItSaid,
            talk: no_talk(),
        });
        let JobState::Parked { reason, then, .. } = &walk.state else { panic!("{:?}", walk.state) };
        assert_eq!(*reason, expected);
        assert_eq!(then.trail().unwrap().attempt, 1);
        assert_eq!(then.trail().unwrap().session, Some(SessionId::parse("s-1").unwrap()));
        let walk = walk.claimed();
        assert!(matches!(walk.state, JobState::Working { turn: None, .. }), "it goes on where it was");
    }
}

#[test]
fn a_parked_stage_goes_on_at_the_same_stage() {
    let wait = Trouble::Wait { reason: ParkReason::Unavailable, wake: None };
    let failed = Input::Failed { trouble: wait, detail: "no route".to_owned(), elapsed: SECOND };
    let walk = Walk::queued().prepared().worked().verified(Verdict::Pass, None).input(failed).claimed();
    assert!(matches!(walk.state, JobState::Publishing { .. }));
}

#[test]
fn a_cancel_after_the_push_says_so() {
    let mut order = spec();
    order.publication =
        Publication::PullRequest { remote: "https://example.org/a/b".to_owned(), draft: false };
    let walk = Walk::with(order)
        .prepared()
        .worked()
        .verified(Verdict::Pass, None)
        .input(Input::BranchPushed { elapsed: SECOND })
        .input(Input::Cancel { by: CancelledBy::Command });
    let end = walk.state.end().unwrap();
    assert_eq!(end.reason, EndReason::Cancelled);
    assert!(end.published.is_some());
    assert!(end.detail.contains("had been pushed"), "{}", end.detail);
}

#[test]
fn a_cancel_never_undoes_an_end() {
    let walk = Walk::queued()
        .prepared()
        .worked()
        .verified(Verdict::Pass, None)
        .input(Input::BranchPushed { elapsed: SECOND });
    let walk = walk.input(Input::Cancel { by: CancelledBy::Interrupt });
    assert_eq!(walk.ended(), EndReason::Published);
}

#[test]
fn an_interrupted_turn_that_ran_is_resumed_and_one_that_never_started_is_not() {
    let never = Walk::queued().prepared().announced().input(interrupted(None));
    let trail = never.state.trail().unwrap();
    assert_eq!((trail.session.clone(), trail.attempt, trail.turns), (None, 1, 1));

    let process = ProcessIdentity {
        pid: 1,
        start_ticks: 2,
        boot_id: "b".to_owned(),
        containment: crate::command::Containment::PidNamespace,
    };
    let ran = Walk::queued()
        .prepared()
        .announced()
        .input(Input::TurnStarted { process })
        .input(interrupted(Some("s-1")));
    let trail = ran.state.trail().unwrap();
    assert_eq!(trail.session, Some(SessionId::parse("s-1").unwrap()));
    assert_eq!(trail.feedback, Some(Feedback::Interrupted));
    assert_eq!(trail.attempt, 1, "an interruption is not an attempt");
    assert_eq!(trail.used.output_tokens, 5, "what it used is not forgotten");
}

#[test]
fn a_taken_branch_name_gets_a_number_and_is_reserved_again() {
    let walk = Walk::queued().prepared().worked().verified(Verdict::Pass, None).input(Input::BranchTaken);
    let JobState::Publishing { branch, taken: 1, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!(branch.as_str(), "overnight/app-12-fix-the-door-2");
    let mut walk = walk;
    while walk.state.end().is_none() {
        walk = walk.input(Input::BranchTaken);
    }
    assert_eq!(walk.ended(), EndReason::BranchConflict);
}

#[test]
fn a_used_up_limit_ends_the_job_before_the_next_turn_and_keeps_the_work() {
    let mut order = spec();
    order.limits = JobLimits { cost: Some(MicroDollars(1000)), ..JobLimits::default() };
    let walk = Walk::with(order).prepared().worked().verified(fail(), Some(Verdict::Pass));
    assert_eq!(walk.ended(), EndReason::BudgetCost);
    assert_eq!(walk.state.end().unwrap().tip, Some(commit('b')));
}

#[test]
fn a_limit_that_is_used_up_by_good_work_does_not_stop_its_publication() {
    let mut order = spec();
    order.limits = JobLimits { cost: Some(MicroDollars(1000)), ..JobLimits::default() };
    let walk = Walk::with(order).prepared().worked().verified(Verdict::Pass, None);
    assert!(matches!(walk.state, JobState::Publishing { .. }));
}

#[test]
fn a_check_that_cannot_run_anywhere_ends_the_job_without_blaming_the_agent() {
    let missing = Verdict::CouldNotRun { why: CouldNotRun::CommandMissing };
    let walk = Walk::queued().prepared().worked().verified(missing.clone(), Some(missing));
    assert_eq!(walk.ended(), EndReason::ChecksCouldNotRun);
}

#[test]
fn a_job_without_checks_is_published_as_not_verified() {
    let mut order = spec();
    order.verify = crate::job::VerifyRequest::Nothing;
    let walk = Walk::with(order).prepared().worked().done(StageOutput::Verified { pairs: Vec::new() });
    assert!(matches!(walk.state, JobState::Publishing { .. }));
    assert!(walk.events.contains(&JobEvent::Noticed { notice: Notice::NotVerified }));
}

#[test]
fn states_survive_their_own_json() {
    let walk = Walk::queued().prepared().worked().verified(Verdict::Pass, Some(fail()));
    let text = serde_json::to_string(&walk.state).unwrap();
    assert_eq!(serde_json::from_str::<JobState>(&text).unwrap(), walk.state);
    for event in &walk.events {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<JobEvent>(&text).unwrap(), event, "{text}");
    }
}
