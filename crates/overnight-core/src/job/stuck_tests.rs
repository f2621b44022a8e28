//! Turns after which the same session, the same settings or the same question would come again.

use super::*;
use crate::agent::{AgentSettings, BackendId};

#[test]
fn what_the_same_session_would_come_to_again_goes_on_in_another() {
    for outcome in [
        TurnOutcome::Looped { detail: "again".to_owned() },
        TurnOutcome::ContextFull { detail: "too long".to_owned() },
    ] {
        let walk = Walk::queued().prepared().turn(outcome).collected();
        let trail = walk.state.trail().unwrap();
        assert_eq!((trail.attempt, trail.session.clone()), (2, None));
        assert_eq!(trail.preserved, Some(commit('b')), "the work is kept");
    }
}

#[test]
fn settings_that_are_refused_end_the_job_at_once() {
    let refused = TurnOutcome::Misconfigured { detail: "no such model".to_owned() };
    let walk = Walk::queued().prepared().turn(refused).collected();
    assert_eq!(walk.ended(), EndReason::ConfigInvalid);
    assert_eq!(walk.state.end().unwrap().detail, "no such model");
}

#[test]
fn a_question_without_work_ends_the_job_and_one_beside_work_does_not() {
    let asked = |diff: DiffStat| {
        let report = TurnReport {
            outcome: TurnOutcome::Completed,
            session: None,
            usage: Usage::default(),
            final_text: None,
            asked: Some("Which one?".to_owned()),
            options: Vec::new(),
        };
        let walk = Walk::queued().prepared().announced().done(StageOutput::Turn { report });
        walk.done(StageOutput::Collected {
            tip: Some(commit('b')),
            diff,
            asking: Asking::AsItSaid,
            talk: no_talk(),
        })
    };
    let ended = asked(DiffStat::default());
    assert_eq!(
        (ended.ended(), ended.state.end().unwrap().detail.as_str()),
        (EndReason::NeedsInput, "Which one?")
    );
    let works = asked(DiffStat { files: 1, insertions: 1, deletions: 0 });
    assert!(matches!(works.state, JobState::Verifying { .. }));
}

#[test]
fn turns_of_yesterday_are_read() {
    let old: TurnOutcome = serde_json::from_str(r#"{"outcome":"timed_out","silent":true}"#).unwrap();
    assert_eq!(old, TurnOutcome::TimedOut { silent: true, idle: None });
    assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"outcome":"timed_out","silent":true}"#);
    let report = r#"{"outcome":{"outcome":"completed"},"session":null,"usage":{"input_tokens":0,"output_tokens":0,
        "cache_read_tokens":0,"cache_write_tokens":0,"turns":0,"cost_microdollars":null},"final_text":null}"#;
    assert_eq!(serde_json::from_str::<TurnReport>(report).unwrap().asked, None);
    let settings = AgentSettings::new(BackendId::Claude);
    let mut stored = serde_json::to_value(&settings).unwrap();
    for added in ["silence_busy_ms", "leave_ms"] {
        assert!(stored.as_object_mut().unwrap().remove(added).is_some(), "{added}");
    }
    assert_eq!(serde_json::from_value::<AgentSettings>(stored).unwrap(), settings);
}
