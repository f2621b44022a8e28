//! What all drivers share about the end of a turn: the tail of standard error, and the outcome when no result was seen.
//!
//! Must not look at anything the model wrote.

use std::collections::VecDeque;

use overnight_core::agent::{AgentEvent, BackendId, LimitKind, RemainingLimits, TurnOutcome, Usage};
use overnight_core::command::{Exit, StopReason};
use overnight_core::text;

use crate::catalogue::how_to_install;

/// Longest text of one event, in characters: enough for a long answer, and a bound on what an event costs.
pub(crate) const EVENT_CHARS: usize = 20_000;
/// Longest raw line kept in an event, in characters.
const RAW_CHARS: usize = 2_000;
/// Longest explanation of an outcome, in characters.
const DETAIL_CHARS: usize = 600;
/// Lines kept of the end of standard error.
const TAIL_LINES: usize = 12;
/// Lines of standard error that become warnings; the rest is only in the log.
const WARNINGS: u32 = 20;

/// Lines kept of its beginning.
const HEAD_LINES: usize = 4;

/// How the CLIs begin when they do not know a flag, or a value of one, that they are started with: claude, codex, gemini and qwen
/// (both from the library yargs), and opencode, which prints nothing but its usage.
const MISUSED: &[&str] = &[
    "error: unknown option '",
    "error: option '",
    "error: unexpected argument '",
    "error: invalid value '",
    "Unknown argument: ",
    "Unknown arguments: ",
    "Invalid values:",
    "opencode run [message..]",
];

/// The end of standard error, bounded however much there is, and its first lines.
#[derive(Debug, Default)]
pub(crate) struct ErrorTail {
    head: Vec<String>,
    lines: VecDeque<String>,
    seen: u32,
}

impl ErrorTail {
    /// Takes one line; gives a warning for the first of them.
    pub(crate) fn push(&mut self, line: &[u8]) -> Option<AgentEvent> {
        let line = text::cut_chars(&text::lossy_line(line), DETAIL_CHARS);
        if line.trim().is_empty() {
            return None;
        }
        if self.head.len() < HEAD_LINES {
            self.head.push(line.clone());
        }
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.clone());
        self.seen = self.seen.saturating_add(1);
        (self.seen <= WARNINGS).then_some(AgentEvent::Warning { text: line })
    }

    /// The last lines, oldest first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Whether the program refused its own command line, as one that is older than its driver does. To be asked only where it
    /// had opened no session: afterwards other words than its own may stand there.
    pub(crate) fn misused(&self, backend: BackendId, exit: Exit) -> Option<TurnOutcome> {
        let Exit::Code(1..) = exit else { return None };
        let said = self.head.iter().find(|line| MISUSED.iter().any(|start| line.starts_with(start)))?;
        let what = text::one_line(said, DETAIL_CHARS / 2);
        let how = how_to_install(backend);
        Some(TurnOutcome::Misconfigured {
            detail: format!(
                "the {backend} CLI does not know what it is started with ({what}); it may be too old: overnight agent doctor; {how}"
            ),
        })
    }

    /// How the program ended, with the last it said on standard error.
    pub(crate) fn explain(&self, exit: Exit) -> String {
        let how = match exit {
            Exit::Code(code) => format!("ended with status {code}"),
            Exit::Signal(signal) => format!("ended by signal {signal}"),
            Exit::Unknown => "ended unseen".to_owned(),
        };
        let tail = self.text();
        if tail.is_empty() {
            how
        } else {
            detail(&format!("{how}: {}", text::tail_chars(&tail, DETAIL_CHARS - 40)))
        }
    }
}

/// An explanation of bounded length.
pub(crate) fn detail(text: &str) -> String {
    text::cut_chars(text.trim(), DETAIL_CHARS)
}

/// A line that a driver does not know, as an event.
pub(crate) fn raw(line: &[u8]) -> AgentEvent {
    // Four bytes per character at most: cutting first keeps a line of many megabytes cheap.
    let start = &line[..line.len().min(RAW_CHARS * 4 + 4)];
    AgentEvent::Raw { line: text::cut_chars(&text::lossy_line(start), RAW_CHARS) }
}

/// The first limit of the job that this usage has reached.
fn reached(usage: &Usage, remaining: &RemainingLimits) -> Option<LimitKind> {
    if remaining.cost.zip(usage.cost).is_some_and(|(limit, cost)| cost >= limit) {
        return Some(LimitKind::Cost);
    }
    if remaining.tokens.is_some_and(|limit| usage.counted_tokens() >= limit) {
        return Some(LimitKind::Tokens);
    }
    remaining.turns.is_some_and(|limit| usage.turns >= limit).then_some(LimitKind::Turns)
}

/// Why we ended the program, as an outcome; `None` when it ended by itself. `question`: what a tool call of the agent asks a person
/// and nobody answers. A program that works is not waiting for an answer.
pub(crate) fn stopped(
    stop: Option<StopReason>,
    question: Option<&str>,
    usage: &Usage,
    remaining: &RemainingLimits,
) -> Option<TurnOutcome> {
    Some(match stop? {
        StopReason::WallTimeout => TurnOutcome::TimedOut { silent: false, idle: None },
        StopReason::SilenceTimeout { idle } => match question.filter(|_| idle != Some(false)) {
            Some(question) => TurnOutcome::NeedsInput { detail: question.to_owned() },
            None => TurnOutcome::TimedOut { silent: true, idle },
        },
        StopReason::Asked => TurnOutcome::Stopped,
        StopReason::Driver => match reached(usage, remaining) {
            Some(limit) => TurnOutcome::BudgetStop { limit, breach: None },
            None => TurnOutcome::Stopped,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_is_bounded_in_memory_and_in_warnings() {
        let mut tail = ErrorTail::default();
        let warnings = (0..100).filter_map(|n| tail.push(format!("line {n}\n").as_bytes())).count();
        assert_eq!(warnings, 20);
        let explained = tail.explain(Exit::Code(3));
        assert!(explained.starts_with("ended with status 3: line 88\n"), "{explained}");
        assert!(explained.ends_with("line 99"), "{explained}");
    }

    #[test]
    fn an_explanation_is_short_and_keeps_the_end_of_standard_error() {
        let mut tail = ErrorTail::default();
        for _ in 0..12 {
            let _ = tail.push("x".repeat(5_000).as_bytes());
        }
        let _ = tail.push(b"the reason");
        let explained = tail.explain(Exit::Signal(11));
        assert!(
            explained.chars().count() <= DETAIL_CHARS && explained.ends_with("the reason"),
            "{explained}"
        );
    }

    #[test]
    fn a_stop_by_the_driver_names_the_limit_that_was_reached() {
        let usage = Usage { output_tokens: 50, turns: 2, ..Usage::default() };
        let limits = |tokens, turns| RemainingLimits { tokens, turns, ..RemainingLimits::default() };
        let outcome = |remaining| stopped(Some(StopReason::Driver), None, &usage, &remaining);
        assert_eq!(
            outcome(limits(Some(50), None)),
            Some(TurnOutcome::BudgetStop { limit: LimitKind::Tokens, breach: None })
        );
        assert_eq!(
            outcome(limits(Some(51), Some(2))),
            Some(TurnOutcome::BudgetStop { limit: LimitKind::Turns, breach: None })
        );
        assert_eq!(outcome(limits(Some(51), None)), Some(TurnOutcome::Stopped));
    }
}
