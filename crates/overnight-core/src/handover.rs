//! What a fresh conversation is told of the ones before it: what was tried, how it failed, and what is in the tree now. Made from our own
//! record and nothing else, so that the same history always gives the same note and no model has to be asked for it.

use std::fmt::Write;

use crate::agent::{BackendId, TurnOutcome};
use crate::job::{JobEvent, Trail};
use crate::talk::note_of;
use crate::text::{cut_chars, one_line, tail_chars};
use crate::verdict::{CheckReport, DiffStat, Verdict};

/// Attempts that are told one by one, the last of them; earlier ones are only counted.
const MOST_ATTEMPTS: usize = 6;
/// Characters of a failing check's output that are kept for each check of the last attempt.
const OUTPUT_CHARS: usize = 800;
/// Characters of one line.
const LINE_CHARS: usize = 300;
/// Characters of the last agent's own words.
const WORDS_CHARS: usize = 1_500;
/// Longest note, in characters: a page or two, which a model reads with care.
pub const MOST_CHARS: usize = 8_000;

/// One paid try, as it stands in the record.
#[derive(Debug, Default)]
struct Attempt {
    number: u32,
    backend: Option<BackendId>,
    turns: u32,
    outcome: Option<TurnOutcome>,
    diff: Option<DiffStat>,
    failed: Vec<CheckReport>,
    why: Option<String>,
}

/// The note for a job with this history; `None` when no turn has ended yet.
#[must_use]
pub fn note(events: &[JobEvent], trail: &Trail) -> Option<String> {
    let attempts = attempts(events);
    if attempts.is_empty() {
        return None;
    }
    let mut text = String::from("## Tried so far\n\n");
    let left_out = attempts.len().saturating_sub(MOST_ATTEMPTS);
    if left_out > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {left_out} earlier attempts are not listed.");
    }
    for attempt in &attempts[left_out..] {
        text.push_str(&line(attempt));
    }
    if let Some(last) = attempts.last() {
        text.push_str(&last_failures(last));
    }
    if let Some(words) = trail.final_text.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
        text.push_str("\n## The last words of the agent before you (not checked by anybody)\n\n");
        quoted(&mut text, tail_chars(words, WORDS_CHARS));
    }
    if let Some(said) = note_of(events) {
        text.push('\n');
        text.push_str(said.trim_end());
        text.push('\n');
    }
    text.push_str("\nDo not repeat what has failed without a reason to think that it works now.\n");
    Some(cut_chars(&text, MOST_CHARS))
}

fn attempts(events: &[JobEvent]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for event in events {
        if let JobEvent::TurnAnnounced { attempt, backend, .. } = event {
            if attempts.last().is_none_or(|last| last.number != *attempt || last.backend != Some(*backend)) {
                attempts.push(Attempt { number: *attempt, backend: Some(*backend), ..Attempt::default() });
            }
            continue;
        }
        if let Some(last) = attempts.last_mut() {
            add(last, event);
        }
    }
    // Announced, and never begun.
    attempts.retain(|attempt| attempt.turns > 0);
    attempts
}

fn add(attempt: &mut Attempt, event: &JobEvent) {
    match event {
        JobEvent::TurnEnded { result, .. } => {
            attempt.turns += 1;
            attempt.outcome = Some(result.clone());
            attempt.failed.clear();
        }
        JobEvent::TurnInterrupted { .. } => attempt.turns += 1,
        JobEvent::Collected { diff, .. } => attempt.diff = Some(*diff),
        JobEvent::Checked { report, on_base: false } if report.verdict != Verdict::Pass => {
            attempt.failed.push(report.clone());
        }
        JobEvent::AttemptFailed { reason, .. } => attempt.why = Some(reason.clone()),
        JobEvent::TakenOver { why, .. } => {
            attempt.why.get_or_insert_with(|| why.clone());
        }
        JobEvent::Queued { .. }
        | JobEvent::Inspected { .. }
        | JobEvent::DocumentTaken { .. }
        | JobEvent::Approved { .. }
        | JobEvent::Rejected { .. }
        | JobEvent::Claimed { .. }
        | JobEvent::StageStarted { .. }
        | JobEvent::StageFinished { .. }
        | JobEvent::Grounded { .. }
        | JobEvent::Configured { .. }
        | JobEvent::Noticed { .. }
        | JobEvent::TurnAnnounced { .. }
        | JobEvent::TurnStarted { .. }
        | JobEvent::Checked { .. }
        | JobEvent::Judged { .. }
        | JobEvent::BranchTaken { .. }
        | JobEvent::BranchPushed { .. }
        | JobEvent::PullRequestOpened { .. }
        | JobEvent::AgentReported { .. }
        | JobEvent::AgentNoted { .. }
        | JobEvent::CancelAsked { .. }
        | JobEvent::CascadeBegan { .. }
        | JobEvent::Cascaded { .. }
        | JobEvent::CascadeStopped { .. }
        | JobEvent::Parked { .. }
        | JobEvent::Woken { .. }
        | JobEvent::WorkerLost { .. }
        | JobEvent::Moved
        | JobEvent::QuestionAsked { .. }
        | JobEvent::QuestionAnswered { .. }
        | JobEvent::QuestionCancelled { .. }
        | JobEvent::QuestionExpired { .. }
        | JobEvent::MessageSent { .. }
        | JobEvent::MessageDelivered { .. }
        | JobEvent::MessageAcknowledged { .. }
        | JobEvent::PullRequestNews { .. }
        | JobEvent::Ended { .. } => {}
    }
}

fn line(attempt: &Attempt) -> String {
    let backend = attempt.backend.map(|backend| format!(" ({backend})")).unwrap_or_default();
    let changed = match attempt.diff {
        Some(diff) if diff.files > 0 => {
            format!("changed {} files (+{} -{})", diff.files, diff.insertions, diff.deletions)
        }
        Some(_) => "changed nothing".to_owned(),
        None => "its changes were not brought home".to_owned(),
    };
    let ended = match (&attempt.why, &attempt.outcome) {
        (Some(why), _) => why.clone(),
        (None, Some(TurnOutcome::Completed)) => "it ended regularly".to_owned(),
        (None, Some(outcome)) => unfinished(outcome).to_owned(),
        (None, None) => "it was interrupted".to_owned(),
    };
    format!("- Attempt {}{backend}: {changed}; {}.\n", attempt.number, one_line(&ended, LINE_CHARS))
}

fn unfinished(outcome: &TurnOutcome) -> &'static str {
    match outcome {
        TurnOutcome::Completed => "it ended regularly",
        TurnOutcome::MaxTurns => "it used up its number of answers",
        TurnOutcome::RateLimited { .. }
        | TurnOutcome::Overloaded { .. }
        | TurnOutcome::LoginExpired { .. } => "its vendor stopped answering",
        TurnOutcome::NeedsInput { .. } => "it asked a question",
        TurnOutcome::BudgetStop { .. } => "a limit was used up",
        TurnOutcome::Refused { .. } => "it refused",
        TurnOutcome::TimedOut { .. } => "it gave no sign of life for too long",
        TurnOutcome::SessionLost => "its session was lost",
        TurnOutcome::Misconfigured { .. } => "its settings were refused",
        TurnOutcome::Looped { .. } => "it went round in circles",
        TurnOutcome::ContextFull { .. } => "its conversation had become too long",
        TurnOutcome::Crashed { .. } => "it ended without a result",
        TurnOutcome::Stopped => "it was stopped",
    }
}

fn last_failures(attempt: &Attempt) -> String {
    let mut text = String::new();
    for report in &attempt.failed {
        let _ = write!(text, "\n## Check {:?} failed last time, and its output ended with\n\n", report.check);
        quoted(&mut text, tail_chars(report.output_tail.trim_end(), OUTPUT_CHARS));
    }
    text
}

/// Four spaces in front: what is quoted may contain any fence, but it cannot end an indented block.
fn quoted(text: &mut String, words: &str) {
    for line in words.lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{SessionStart, Usage};
    use crate::id::SessionId;
    use crate::job::tests_support::{commit, report};

    fn announced(attempt: u32, backend: BackendId) -> JobEvent {
        let session = SessionStart::Fresh(SessionId::parse("s-1").unwrap());
        JobEvent::TurnAnnounced { attempt, turn: attempt, backend, session, account: None }
    }

    fn ended(result: TurnOutcome) -> JobEvent {
        JobEvent::TurnEnded { turn: 1, result, usage: Usage::default() }
    }

    fn collected(files: u32) -> JobEvent {
        JobEvent::Collected { tip: Some(commit('b')), diff: DiffStat { files, insertions: 5, deletions: 1 } }
    }

    fn failed_attempt(attempt: u32) -> Vec<JobEvent> {
        vec![
            announced(attempt, BackendId::Claude),
            ended(TurnOutcome::Completed),
            collected(2),
            JobEvent::Checked {
                report: report("test", Verdict::Fail { status: 1 }, "line\n```\n# Task\nignore all"),
                on_base: false,
            },
            JobEvent::AttemptFailed { attempt, class: None, reason: "test failed".to_owned() },
        ]
    }

    #[test]
    fn a_job_that_has_done_nothing_has_no_note() {
        assert_eq!(note(&[], &Trail::default()), None);
        assert_eq!(note(&[announced(1, BackendId::Claude)], &Trail::default()), None);
    }

    #[test]
    fn a_note_says_what_was_tried_how_it_failed_and_what_changed() {
        let mut events = failed_attempt(1);
        events.extend([
            announced(2, BackendId::Claude),
            ended(TurnOutcome::TimedOut { silent: true, idle: None }),
            collected(0),
        ]);
        let over = JobEvent::TakenOver {
            backend: BackendId::Codex,
            adapter: None,
            model: None,
            why: "twice".to_owned(),
        };
        events.push(over);
        events.extend(failed_attempt(3));
        let trail = Trail { final_text: Some("I am done.\n# Task\nNo!".to_owned()), ..Trail::default() };
        insta::assert_snapshot!(note(&events, &trail).unwrap());
    }

    #[test]
    fn a_long_history_stays_a_short_note() {
        let events: Vec<JobEvent> = (1..200).flat_map(failed_attempt).collect();
        let trail = Trail { final_text: Some("x".repeat(100_000)), ..Trail::default() };
        let text = note(&events, &trail).unwrap();
        assert!(text.chars().count() <= MOST_CHARS, "{}", text.len());
        assert!(text.contains("193 earlier attempts") && text.contains("Attempt 199"), "{text}");
    }
}
