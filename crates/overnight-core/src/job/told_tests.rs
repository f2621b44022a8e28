//! What an agent says through its tools: recorded while its turn runs, and never a reason to move.

use crate::command::{Containment, ProcessIdentity};
use crate::desk::{ReportedStatus, Word};
use crate::job::StatusReport;

use super::*;

pub(super) fn process() -> ProcessIdentity {
    ProcessIdentity { pid: 7, start_ticks: 1, boot_id: "b".to_owned(), containment: Containment::Subreaper }
}

#[test]
fn whatever_an_agent_says_the_job_stays_where_it_is() {
    for status in ReportedStatus::ALL {
        let mut walk = Walk::queued().prepared().announced().input(Input::TurnStarted { process: process() });
        let before = walk.state.clone();
        let word = Word::Report { status, summary: "x".to_owned() };
        walk.try_input(Input::Told { word }).unwrap();
        let mut kept = before;
        if let JobState::Working { trail, .. } = &mut kept {
            trail.report = Some(StatusReport { status, summary: "x".to_owned() });
        }
        assert_eq!(walk.state, kept);
        let recorded = JobEvent::AgentReported { turn: 1, status, summary: "x".to_owned() };
        assert_eq!(walk.events.last(), Some(&recorded));
        walk.try_input(Input::Told { word: Word::Note { text: "y".to_owned() } }).unwrap();
        assert_eq!(walk.events.last(), Some(&JobEvent::AgentNoted { turn: 1, text: "y".to_owned() }));
        assert_eq!(walk.state, kept);
    }
}

#[test]
fn outside_of_a_running_turn_nobody_listens() {
    let told = || Input::Told { word: Word::Note { text: "y".to_owned() } };
    for mut walk in [
        Walk::queued(),
        Walk::queued().claimed(),
        Walk::queued().prepared(),
        Walk::queued().prepared().announced(),
        Walk::queued().prepared().worked(),
    ] {
        let count = walk.events.len();
        assert!(walk.try_input(told()).is_err(), "{}", walk.state.name());
        assert_eq!(walk.events.len(), count);
    }
}
