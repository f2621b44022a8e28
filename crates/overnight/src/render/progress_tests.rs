//! What a person sees of whole jobs.

use overnight_core::agent::{AgentEvent, BackendId};
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::{EventNumber, Fence, SessionId, WorkerId};
use overnight_core::job::{CancelledBy, Notice, ParkReason};
use overnight_core::units::{MicroDollars, Timestamp};
use overnight_core::verdict::{CheckSource, DiffStat};

use super::*;

fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

fn event(event: JobEvent) -> Progress {
    Progress::Event { number: EventNumber(1), at: Timestamp(0), event }
}

fn started(stage: Stage) -> Progress {
    event(JobEvent::StageStarted { stage })
}

fn finished(stage: Stage, millis: u64) -> Progress {
    event(JobEvent::StageFinished { stage, elapsed: Duration::from_millis(millis) })
}

fn announced(attempt: u32, turn: u32, resumed: bool) -> Progress {
    let id = SessionId::parse("s").unwrap();
    let session = if resumed { SessionStart::Resume(id) } else { SessionStart::Fresh(id) };
    event(JobEvent::TurnAnnounced { attempt, turn, backend: BackendId::Claude, session, account: None })
}

fn ended(turn: u32, result: TurnOutcome) -> Progress {
    let usage =
        Usage { output_tokens: 52_300, turns: 14, cost: Some(MicroDollars(430_000)), ..Usage::default() };
    event(JobEvent::TurnEnded { turn, result, usage })
}

fn claimed(resumed: bool) -> Progress {
    event(JobEvent::Claimed { worker: WorkerId::parse("w").unwrap(), fence: Fence(1), resumed })
}

fn collected() -> Progress {
    let diff = DiffStat { files: 3, insertions: 40, deletions: 3 };
    event(JobEvent::Collected { tip: Some(commit('b')), diff })
}

fn grounded() -> Progress {
    event(JobEvent::Grounded {
        base: commit('a'),
        base_branch: Some("main".into()),
        check_source: CheckSource::Detected,
        checks: vec!["cargo test".into()],
    })
}

fn check(verdict: Verdict, on_base: bool) -> Progress {
    let elapsed = Duration::from_millis(31_200);
    Progress::CheckFinished { check: "cargo test".into(), on_base, verdict, elapsed }
}

fn judged(standing: Standing) -> Progress {
    event(JobEvent::Judged { check: "cargo test".into(), standing })
}

/// Every line that stays, and the live line after each step, a second apart and without colour.
fn shown(steps: &[Progress]) -> String {
    let mut view = View::new(TaskKey::parse("app-1").unwrap(), 3);
    let mut text = String::new();
    for (step, second) in steps.iter().zip(1..) {
        let now = Duration::from_secs(second);
        for line in view.on(step, now) {
            text.push_str(&anstream::adapter::strip_str(&line).to_string());
            text.push('\n');
        }
        if let Some(live) = view.live(now + Duration::from_millis(500), 80) {
            text += "    live: ";
            text += &live;
            text.push('\n');
        }
    }
    text
}

#[test]
fn two_attempts_and_a_branch() {
    let action = AgentEvent::ToolStarted { tool: "Edit".into(), summary: "src/lib.rs".into() };
    insta::assert_snapshot!(shown(&[
        claimed(false),
        started(Stage::Prepare),
        Progress::Waiting { what: "fetching".into() },
        finished(Stage::Prepare, 312),
        grounded(),
        started(Stage::Agent),
        announced(1, 1, false),
        Progress::Agent(action),
        Progress::Used(Usage { output_tokens: 1200, turns: 2, ..Usage::default() }),
        finished(Stage::Agent, 134_000),
        ended(1, TurnOutcome::Completed),
        started(Stage::Collect),
        event(JobEvent::Noticed { notice: Notice::LeftoversCommitted }),
        finished(Stage::Collect, 90),
        collected(),
        started(Stage::Verify),
        Progress::CheckStarted { check: "cargo test".into(), on_base: false },
        check(Verdict::Fail { status: 101 }, false),
        check(Verdict::Pass, true),
        finished(Stage::Verify, 62_400),
        judged(Standing::Broken),
        event(JobEvent::AttemptFailed { attempt: 1, class: None, reason: "cargo test failed".into() }),
        started(Stage::Agent),
        announced(2, 2, true),
        finished(Stage::Agent, 60_000),
        ended(2, TurnOutcome::Completed),
        started(Stage::Collect),
        finished(Stage::Collect, 90),
        collected(),
        started(Stage::Verify),
        check(Verdict::Pass, false),
        finished(Stage::Verify, 31_300),
        judged(Standing::Passed),
        started(Stage::Publish),
        finished(Stage::Publish, 51),
        event(JobEvent::BranchPushed {
            branch: BranchName::parse("overnight/app-1-x").unwrap(),
            commit: commit('b')
        }),
        started(Stage::Cleanup),
        finished(Stage::Cleanup, 12),
        event(JobEvent::Ended {
            end: overnight_core::job::End {
                reason: overnight_core::job::EndReason::Published,
                detail: String::new(),
                tip: None,
                published: None,
            },
        }),
    ]));
}

#[test]
fn a_crash_a_quota_and_a_cancel() {
    insta::assert_snapshot!(shown(&[
        claimed(true),
        started(Stage::Agent),
        event(JobEvent::TurnInterrupted { turn: 1, usage: Usage::default() }),
        announced(1, 2, true),
        finished(Stage::Agent, 1000),
        ended(2, TurnOutcome::RateLimited { reset: None, detail: "five hours".into() }),
        started(Stage::Collect),
        finished(Stage::Collect, 5),
        event(JobEvent::Collected { tip: None, diff: DiffStat::default() }),
        event(JobEvent::Parked { reason: ParkReason::RateLimited, detail: "five hours".into(), wake: None }),
        claimed(true),
        started(Stage::Agent),
        event(JobEvent::CancelAsked { by: CancelledBy::Interrupt }),
        started(Stage::Cleanup),
    ]));
}

#[test]
fn a_stage_that_did_not_finish_is_not_shown_as_done() {
    let cleanup = started(Stage::Cleanup);
    insta::assert_snapshot!(shown(&[started(Stage::Prepare), cleanup]), @r"
        live: … prepare       1s
    ✗ prepare       1s
        live: … cleanup       1s
    ");
}

#[test]
fn a_live_line_fits_and_cannot_break_out() {
    let mut view = View::new(TaskKey::parse("app-1").unwrap(), 3);
    let _ = view.on(&started(Stage::Agent), Duration::ZERO);
    let text = format!("a\nb\u{1b}[2J{}", "x".repeat(500));
    let _ = view.on(&Progress::Agent(AgentEvent::Message { text }), Duration::ZERO);
    let live = view.live(Duration::from_secs(1), 60).unwrap();
    assert!(live.chars().count() < 60, "{live}");
    assert!(!live.contains(['\n', '\u{1b}']));
}

#[test]
fn a_question_is_shown_with_the_command_that_answers_it() {
    let asked = |options: &[&str]| {
        event(JobEvent::QuestionAsked {
            id: overnight_core::id::QuestionId::parse("q").unwrap(),
            text: "Left\nor right?".to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            expires_at: overnight_core::units::Timestamp(0),
        })
    };
    let text = shown(&[asked(&["left", "right\u{1b}[2J"])]);
    for part in ["Left or right?", "1. left", "2. right", "overnight answer app-1 --option N, or TEXT"] {
        assert!(text.contains(part), "{part:?}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(shown(&[asked(&[])]).contains("overnight answer app-1 TEXT"));
}
