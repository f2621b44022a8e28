//! A person's word on a commit, and exceptions.

use overnight_core::git::CommitPrefix;
use overnight_core::job::{Approval, Asking, CancelledBy, ParkReason};
use overnight_core::policy::preflight::{ExceptionTerms, Finding, Glob, Inspection, Level, Rule};

use super::*;
use crate::{Answer, ExceptionFilter, Heard, JobFilter, NewException, Word, WordError};

on_both!(
    a_word_is_heard_once_and_only_on_the_commit_it_names,
    a_word_on_a_commit_that_is_named_is_of_that_commit,
    jobs_are_listed_by_what_they_wait_for,
    two_words_at_once_agree_on_one,
    a_word_and_a_cancel_at_once_agree,
    a_job_that_a_worker_looks_at_is_left_alone,
    exceptions_hold_for_their_repository_until_their_time,
);

fn commit(digit: &str) -> CommitId {
    CommitId::parse(&digit.repeat(40)).unwrap()
}

/// A job that waits for a word on the commit `bbb…`.
async fn waiting(f: &Fixture) -> Job {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    let finding = Finding {
        rule: Rule::CiFile,
        level: Level::Approve,
        file: "ci.yml".to_owned(),
        line: None,
        detail: "is run by the forge".to_owned(),
        before: None,
        after: None,
        excused: None,
    };
    let inspection = Box::new(Inspection { findings: vec![finding], more: 0, alignment: None });
    let report = overnight_core::agent::TurnReport {
        outcome: overnight_core::agent::TurnOutcome::Completed,
        session: None,
        usage: Usage::default(),
        final_text: None,
        asked: None,
        options: Vec::new(),
    };
    let diff = overnight_core::verdict::DiffStat { files: 1, insertions: 1, deletions: 0 };
    let done = |output| Input::Done { output, elapsed: Duration::ZERO };
    for input in [
        prepared(),
        announced(),
        done(StageOutput::Turn { report }),
        done(StageOutput::Collected {
            tip: Some(commit("b")),
            diff,
            asking: Asking::AsItSaid,
            talk: super::talk::nothing_asked(),
        }),
        Input::Inspected { inspection, elapsed: Duration::ZERO },
        done(StageOutput::Verified { pairs: Vec::new() }),
    ] {
        advance(&f.store, &lease, &mut job, input).await;
    }
    let job = f.store.job(&id).await.unwrap();
    assert_eq!(job.state.awaits_approval(), Some(&commit("b")), "{:?}", job.state);
    let taken = claim_next(&f.store, "w", 9).await;
    assert!(taken.iter().all(|claimed| claimed.job.id != id), "nobody takes it up");
    job
}

fn yes(digit: &str) -> Word {
    Word { by: "me".to_owned(), commit: commit(digit), answer: Answer::Approve { message: None } }
}

fn no(end: bool) -> Word {
    let message = "No".to_owned();
    Word { by: "me".to_owned(), commit: commit("b"), answer: Answer::Reject { message, end } }
}

async fn a_word_is_heard_once_and_only_on_the_commit_it_names(f: &Fixture) {
    let job = waiting(f).await;
    assert_eq!(f.store.job_word(&job.id, &yes("c")).await.unwrap(), Heard::OtherCommit(commit("b")));
    assert_eq!(f.store.job_word(&job.id, &yes("b")).await.unwrap(), Heard::Done);
    assert_eq!(f.store.job_word(&job.id, &no(true)).await.unwrap(), Heard::NotAsked);
    let effects = f.store.effects(&job.id).await.unwrap();
    assert_eq!(effects.iter().map(|effect| effect.name.as_str()).collect::<Vec<_>>(), ["push-branch"]);
    let claimed = claim_next(&f.store, "w", 9).await.pop().unwrap();
    assert!(matches!(claimed.job.state, JobState::Publishing { approval: Approval::Given { .. }, .. }));
    assert_gapless(&numbers(&f.store, &job.id).await);

    let job = waiting(f).await;
    assert_eq!(f.store.job_word(&job.id, &no(false)).await.unwrap(), Heard::Done);
    assert!(matches!(f.store.job(&job.id).await.unwrap().state, JobState::Working { .. }));
    let job = waiting(f).await;
    assert_eq!(f.store.job_word(&job.id, &no(true)).await.unwrap(), Heard::Done);
    assert_eq!(f.store.job(&job.id).await.unwrap().state.end().unwrap().reason, EndReason::Rejected);
}

async fn a_word_on_a_commit_that_is_named_is_of_that_commit(f: &Fixture) {
    let job = waiting(f).await;
    let named = |text: &str| CommitPrefix::parse(text).unwrap();
    let asked = f.store.awaited_approval(&job).await.unwrap().unwrap();
    assert!(asked.commit == commit("b") && asked.why.contains("ci.yml"), "{asked:?}");
    assert_eq!(asked.evidence.inspection.unwrap().findings[0].rule, Rule::CiFile);
    let yes = || Answer::Approve { message: Some(" Fine \u{202e}".to_owned()) };
    let other = f.store.job_say(&job, Some(&named("ccccccc")), "me", yes()).await;
    assert!(matches!(&other, Err(WordError::OtherCommit { tip, .. }) if *tip == commit("b")), "{other:?}");
    for message in ["", " \n", &"x".repeat(1 << 20)] {
        let no = Answer::Reject { message: message.to_owned(), end: true };
        assert!(matches!(f.store.job_say(&job, None, "me", no).await, Err(WordError::Words(_))));
    }
    let said = f.store.job_say(&job, Some(&named("BBBBBBB")), "me", yes()).await;
    assert_eq!(said.unwrap(), commit("b"));
    let events = f.store.events(&job.id, EventNumber(0), 99).await.unwrap();
    let approved = events.iter().find_map(|record| match record.event.as_ref().unwrap() {
        JobEvent::Approved { message, .. } => message.clone(),
        _ => None,
    });
    assert_eq!(approved.as_deref(), Some("Fine \\u{202e}"));
    let job_now = f.store.job(&job.id).await.unwrap();
    assert_eq!(f.store.awaited_approval(&job_now).await.unwrap(), None);
    // Told by what the job was when it was looked up, and by what it is now.
    for job in [job, job_now] {
        let late = f.store.job_say(&job, None, "me", yes()).await;
        assert!(matches!(late, Err(WordError::NotAsked { .. })), "{late:?}");
    }
}

async fn jobs_are_listed_by_what_they_wait_for(f: &Fixture) {
    let job = waiting(f).await;
    enqueue(&f.store).await;
    let waits = async |reason| {
        let filter = JobFilter { parked: Some(reason), ended: Some(false), ..JobFilter::default() };
        f.store.jobs(&filter).await.unwrap().jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(waits(ParkReason::Approval).await, vec![job.id.clone()]);
    assert!(waits(ParkReason::Answer).await.is_empty());
    let repository = Some(job.repository.clone());
    let filter = JobFilter {
        parked: Some(ParkReason::Approval),
        repository,
        states: vec!["parked".to_owned()],
        after: Some((job.created_at, job.id)),
        ..JobFilter::default()
    };
    assert!(f.store.jobs(&filter).await.unwrap().jobs.is_empty());
}

async fn two_words_at_once_agree_on_one(f: &Fixture) {
    for _ in 0..5 {
        let job = waiting(f).await;
        let other = f.other().await;
        let (yes, no) = (yes("b"), no(true));
        let (one, two) = tokio::join!(f.store.job_word(&job.id, &yes), other.job_word(&job.id, &no));
        let heard = [one.unwrap(), two.unwrap()];
        assert_eq!(heard.iter().filter(|heard| **heard == Heard::Done).count(), 1, "{heard:?}");
        assert_gapless(&numbers(&f.store, &job.id).await);
        end_of(f, &job).await;
    }
}

/// Ends it, so that the next job is looked at alone.
async fn end_of(f: &Fixture, job: &Job) {
    if !f.store.job(&job.id).await.unwrap().state.is_ended() {
        let mut claimed = claim(&f.store, &job.id, "w").await;
        let cancel = Input::Cancel { by: CancelledBy::Command };
        advance(&f.store, &claimed.lease, &mut claimed.job, cancel).await;
        advance(&f.store, &claimed.lease, &mut claimed.job, cleaned()).await;
    }
}

async fn a_word_and_a_cancel_at_once_agree(f: &Fixture) {
    let job = waiting(f).await;
    f.store.cancel_request(&job.id, CancelledBy::Command).await.unwrap();
    assert_eq!(f.store.job_word(&job.id, &yes("b")).await.unwrap(), Heard::Cancelled);
    assert!(f.store.effects(&job.id).await.unwrap().is_empty());
}

async fn a_job_that_a_worker_looks_at_is_left_alone(f: &Fixture) {
    let job = waiting(f).await;
    let _claimed = claim(&f.store, &job.id, "w").await;
    assert_eq!(f.store.job_word(&job.id, &yes("b")).await.unwrap(), Heard::Held);
}

async fn exceptions_hold_for_their_repository_until_their_time(f: &Fixture) {
    let (one, two) = (enqueue_in(&f.store, "app", "x").await, enqueue_in(&f.store, "lib", "x").await);
    let new = |length| {
        let path = Some(Glob::parse("*.yml").unwrap());
        let terms = ExceptionTerms { rule: Rule::CiFile, path, message: "known".to_owned(), length };
        NewException { repository: one.repository.clone(), terms, by: "me".to_owned() }
    };
    let id = f.store.exception_add(&new(MINUTE), Some("once")).await.unwrap().id;
    let again = f.store.exception_add(&new(MINUTE), Some("once")).await.unwrap();
    assert_eq!((&again.id, again.until.0 - again.made_at.0), (&id, 60_000));
    f.store.exception_add(&new(Duration::ZERO), None).await.unwrap();
    let hold = f.store.exceptions_of(&one.repository).await.unwrap();
    assert_eq!(hold.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&id));
    assert!(hold[0].path.as_ref().unwrap().matches("a/b.yml"));
    assert!(f.store.exceptions_of(&two.repository).await.unwrap().is_empty());
    let all = ExceptionFilter { all: true, ..ExceptionFilter::default() };
    let holding = f.store.exceptions(&ExceptionFilter::default()).await.unwrap();
    assert_eq!(holding, [again]);
    let both = f.store.exceptions(&all).await.unwrap();
    let first = f.store.exceptions(&ExceptionFilter { limit: Some(1), ..all.clone() }).await.unwrap();
    let after = Some((first[0].made_at, first[0].id.clone()));
    let second = f.store.exceptions(&ExceptionFilter { after, ..all }).await.unwrap();
    assert_eq!((both.len(), [first, second].concat()), (2, both));
    assert_eq!(
        (f.store.exception_end(&id).await.unwrap(), f.store.exception_end(&id).await.unwrap()),
        (1, 0)
    );
    assert!(f.store.exceptions_of(&one.repository).await.unwrap().is_empty());
}
