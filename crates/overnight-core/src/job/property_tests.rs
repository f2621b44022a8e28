//! Every input in every order: what must hold on each way that a job can go.

use proptest::prelude::*;

use super::*;
use crate::id::{MessageId, QuestionId};
use crate::talk::{Given, OnQuestion, QuestionPolicy, Talk};

const LATER: Timestamp = Timestamp(NOW.0 + 1_000);

fn any_outcome() -> impl Strategy<Value = TurnOutcome> {
    let detail = || "x".to_owned();
    prop_oneof![
        4 => Just(TurnOutcome::Completed),
        1 => Just(TurnOutcome::MaxTurns),
        1 => Just(TurnOutcome::RateLimited { reset: None, detail: detail() }),
        1 => Just(TurnOutcome::SessionLost),
        1 => Just(TurnOutcome::Crashed { detail: detail() }),
        1 => Just(TurnOutcome::TimedOut { silent: true, idle: None }),
        1 => Just(TurnOutcome::Looped { detail: detail() }),
        1 => Just(TurnOutcome::ContextFull { detail: detail() }),
        1 => Just(TurnOutcome::Misconfigured { detail: detail() }),
        1 => Just(TurnOutcome::Stopped),
        2 => Just(TurnOutcome::NeedsInput { detail: detail() }),
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let elapsed = SECOND;
    let output = prop_oneof![
        Just(StageOutput::Prepared { ground: ground() }),
        (any_outcome(), any::<bool>()).prop_map(|(outcome, keeps)| StageOutput::Turn {
            report: TurnReport {
                outcome,
                session: keeps.then(|| SessionId::parse("s-1").unwrap()),
                usage: Usage::default(),
                final_text: None,
                asked: None,
                options: Vec::new(),
            }
        }),
        (any::<bool>(), 0_u32..2, any_questions()).prop_map(|(tip, files, talk)| StageOutput::Collected {
            tip: tip.then(|| commit('b')),
            diff: DiffStat { files, insertions: 0, deletions: 0 },
            asking: Asking::AsItSaid,
            talk,
        }),
        any::<(bool, bool)>().prop_map(|(tip, base)| {
            let verdict = |good| if good { Verdict::Pass } else { fail() };
            StageOutput::Verified { pairs: vec![pair(verdict(tip), Some(verdict(base)))] }
        }),
        Just(StageOutput::PullRequest {
            pull_request: PullRequestRef { number: 1, url: "u".to_owned() },
            adopted: true,
            open: None,
        }),
        Just(StageOutput::Cleaned),
    ];
    let worker = WorkerId::parse("w").unwrap();
    let session = SessionStart::Fresh(SessionId::parse("s-2").unwrap());
    prop_oneof![
        8 => output.prop_map(move |output| Input::Done { output, elapsed }),
        2 => (any::<bool>(), Just(worker.clone())).prop_map(|(moved, worker)| {
            Input::Claimed { worker, fence: Fence(2), resumed: true, moved }
        }),
        1 => Just(Input::WorkerLost { worker, times: 1, last: false }),
        1 => Just(Input::Woken),
        4 => Just(Input::TurnAnnounced { session, account: None }),
        2 => Just(Input::Compact),
        2 => Just(Input::NotAsked {
            reason: ParkReason::RateLimited,
            detail: String::new(),
            since: NOW,
            until: None,
        }),
        1 => Just(interrupted(None)),
        1 => Just(Input::BranchTaken),
        2 => Just(Input::BranchPushed { elapsed: SECOND }),
        1 => Just(Input::LeaseLost),
        4 => prop_oneof![Just(Level::Warn), Just(Level::Approve), Just(Level::Block)].prop_map(move |level| {
            let findings = vec![approval::finding(level)];
            Input::Inspected { inspection: Box::new(Inspection { findings, more: 0, alignment: None }), elapsed }
        }),
        2 => prop_oneof![Just('b'), Just('c')].prop_map(|digit| {
            Input::Approved { by: "me".to_owned(), commit: commit(digit), message: None }
        }),
        1 => any::<bool>().prop_map(|end| {
            Input::Rejected { by: "me".to_owned(), commit: commit('b'), message: "no".to_owned(), end }
        }),
        1 => Just(Input::Failed {
            trouble: Trouble::Wait { reason: ParkReason::DiskFull, wake: None },
            detail: "full".to_owned(),
            elapsed
        }),
        1 => Just(Input::Cancel { by: CancelledBy::Command }),
        4 => any_talk(),
    ]
}

/// What a job is told of questions and messages.
fn any_talk() -> impl Strategy<Value = Input> {
    let one = || QuestionId::parse("q-1").unwrap();
    let given = move |(answered, gone_on, expired, messages): (bool, bool, bool, bool)| Input::Given {
        given: Given {
            questions: (answered || gone_on).then(one).into_iter().collect(),
            messages: messages.then(|| MessageId::parse("m-1").unwrap()).into_iter().collect(),
        },
        gone_on: gone_on.then(one).into_iter().collect(),
        expired: expired.then(one).into_iter().collect(),
    };
    prop_oneof![
        3 => any::<(bool, bool, bool, bool)>().prop_map(given),
        1 => Just(Input::Awaits { until: LATER }),
        1 => Just(Input::Unanswered { question: "Which one?".to_owned() }),
        1 => (0_u32..3).prop_map(|count| Input::MessagesLeft { count }),
    ]
}

/// What is known of questions when a turn has ended.
fn any_questions() -> impl Strategy<Value = Talk> {
    (any::<(bool, bool, bool)>(), 0_u32..8).prop_map(|((parks, open, settled), asked)| {
        let on_question = if parks { OnQuestion::Park } else { OnQuestion::End };
        let policy = QuestionPolicy { on_question, ..QuestionPolicy::default() };
        Talk { policy, asked, open_until: open.then_some(LATER), settled, ..no_talk() }
    })
}

proptest! {
    /// Whatever happens in whatever order: an end stays, attempts only grow and stay within the limit, questions and messages are none,
    /// nothing is published that was not collected and verified, and each effect is done at most once.
    #[test]
    fn invariants_hold_on_every_walk(inputs in prop::collection::vec(any_input(), 0..120), backup: bool) {
        let mut walk = if backup { failover::with_backup() } else { Walk::queued() };
        let most = if backup { 6 } else { 3 };
        let mut attempt = 0;
        for input in inputs {
            let before = walk.state.clone();
            let lost = input == Input::LeaseLost;
            let talk = matches!(input, Input::Given { .. } | Input::Awaits { .. } | Input::MessagesLeft { .. });
            let accepted = walk.try_input(input).is_ok();
            if before.is_ended() {
                prop_assert_eq!(&walk.state, &before);
                prop_assert!(!accepted || lost);
            }
            let now = walk.state.trail().map_or(0, |trail| trail.attempt);
            prop_assert!(now >= attempt && now <= most, "attempt {now} after {attempt}");
            prop_assert!(!talk || now == attempt, "what people say is no attempt");
            attempt = now;
        }
        let done = |wanted: EffectName| {
            walk.effects.iter().filter(|e| matches!(e, EffectChange::Done { name, .. } if *name == wanted)).count()
        };
        prop_assert!(done(EffectName::PushBranch) <= 1);
        if walk.events.iter().any(|event| matches!(event, JobEvent::BranchPushed { .. })) {
            let judged = walk.events.iter().any(|event| matches!(event, JobEvent::Judged { .. }));
            prop_assert!(judged, "pushed without a verdict");
            let last = walk.events.iter().rev().find_map(|event| match event {
                JobEvent::Inspected { inspection, .. } => Some(inspection),
                _ => None,
            });
            let wanted = last.is_some_and(|inspection| inspection.with(Level::Approve).next().is_some());
            let given = walk.events.iter().any(|event| matches!(event, JobEvent::Approved { .. }));
            prop_assert!(last.is_some() && (given || !wanted), "pushed without a word");
        }
    }
}
