//! The script of a rehearsal: what the player does, attempt by attempt or turn by turn.
//!
//! Types and checks only; TOML is read by the caller. The steps can do everything to the runner that a bad agent can:
//! flood it, hang, ignore TERM, die half-way through a line, write where it must not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use overnight_core::agent::TurnOutcome;
use overnight_core::units::{MicroDollars, Timestamp};
use serde::{Deserialize, Serialize};

/// A whole script: `[[attempt]]` or `[[turn]]` entries, not both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Entry n is played in every turn of attempt n; the last one for all later attempts.
    #[serde(default, rename = "attempt", skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Entry>,
    /// Entry n is played in turn n of the job; the last one for all later turns.
    #[serde(default, rename = "turn", skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Entry>,
}

/// The steps of one turn, played in order. A turn whose steps name no other end completes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub steps: Vec<Step>,
}

/// One thing the player does. Paths are relative to the workspace; absolute ones are allowed, because rehearsals also
/// show that the containment holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    Say(String),
    Reason(String),
    /// Writes a file, with its directories.
    Write {
        path: PathBuf,
        content: String,
    },
    /// Replaces the first occurrence of a text; the player crashes when it is not there.
    Edit {
        path: PathBuf,
        find: String,
        replace: String,
    },
    Delete {
        path: PathBuf,
    },
    /// `sh -c` in the workspace. Its failure is a failed tool call and ends nothing.
    Run {
        command: String,
    },
    /// Commits everything in the workspace.
    Commit {
        message: String,
    },
    Wait {
        ms: u64,
    },
    /// Waits until the file is there: lets a test hold a turn at a known place.
    WaitForFile {
        path: PathBuf,
    },
    /// Adds to the usage of this turn: tokens, and dollars.
    Usage {
        #[serde(default)]
        input: u64,
        #[serde(default)]
        output: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<f64>,
    },
    /// Writes about this many bytes of messages.
    Flood {
        bytes: u64,
    },
    /// Writes bytes that are no line of the protocol.
    Garbage(Garbage),
    /// Ignores TERM from here on.
    IgnoreTerm,
    /// Does nothing any more, and does not end.
    Hang,
    /// Writes the result and ends with this status.
    Exit {
        code: i32,
    },
    /// Asks a person, and ends the turn.
    Ask {
        question: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
    },
    /// Ends the turn with another outcome than "completed".
    Fail(Failure),
}

/// Bytes that a reader must survive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Garbage {
    /// A line of this text, as it is.
    Text(String),
    /// Bytes that are not UTF-8, with an escape sequence among them.
    Binary,
    /// The first half of a message, without a line ending: what follows is swallowed by it.
    HalfLine,
    /// One line of this many bytes.
    LongLine { bytes: usize },
    /// A message whose text looks like the result of a turn.
    FakeResult,
}

impl Garbage {
    /// What the player writes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => format!("{text}\n").into_bytes(),
            Self::Binary => b"\xff\xfe\x00\x1b[2J\x80\n".to_vec(),
            Self::HalfLine => b"{\"type\":\"message\",\"te".to_vec(),
            Self::LongLine { bytes } => [vec![b'x'; *bytes], b"\n".to_vec()].concat(),
            Self::FakeResult => concat!(
                r#"{"type":"message","text":"{\"type\":\"result\",\"outcome\":{\"outcome\":\"refused\","#,
                r#"\"detail\":\"no\"},\"usage\":{}}"}"#,
                "\n"
            )
            .as_bytes()
            .to_vec(),
        }
    }
}

/// Ends other than success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    RateLimited {
        /// Seconds until the quota is back; unknown when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reset_in_s: Option<u64>,
    },
    Overloaded,
    LoginExpired,
    NeedsInput {
        question: String,
    },
    Refused,
    MaxTurns,
    /// The player ends itself without a result.
    Crash,
}

impl Failure {
    /// The outcome for the result line; `None`: there is none to be written.
    #[must_use]
    pub fn outcome(&self, now: Timestamp) -> Option<TurnOutcome> {
        let detail = || "rehearsed".to_owned();
        Some(match self {
            Self::RateLimited { reset_in_s } => TurnOutcome::RateLimited {
                reset: reset_in_s.map(|seconds| now.plus(Duration::from_secs(seconds))),
                detail: detail(),
            },
            Self::Overloaded => TurnOutcome::Overloaded { detail: detail() },
            Self::LoginExpired => TurnOutcome::LoginExpired { detail: detail() },
            Self::NeedsInput { question } => TurnOutcome::NeedsInput { detail: question.clone() },
            Self::Refused => TurnOutcome::Refused { detail: detail() },
            Self::MaxTurns => TurnOutcome::MaxTurns,
            Self::Crash => return None,
        })
    }
}

/// Why a script cannot be played. `entry` and `step` count from 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScriptError {
    #[error("the script has no [[attempt]] and no [[turn]]")]
    Empty,
    #[error("the script has both [[attempt]] and [[turn]]")]
    BothKinds,
    #[error("step {step} of entry {entry} has an empty path")]
    EmptyPath { entry: usize, step: usize },
    #[error("step {step} of entry {entry} costs {cost}, which is not an amount of dollars")]
    BadCost { entry: usize, step: usize, cost: f64 },
    #[error("step {step} of entry {entry} is never reached, because the one before ends the turn")]
    Unreachable { entry: usize, step: usize },
}

impl Script {
    /// Whether the script can be played.
    ///
    /// # Errors
    /// The first [`ScriptError`] found.
    pub fn check(&self) -> Result<(), ScriptError> {
        let entries = match (self.attempts.as_slice(), self.turns.as_slice()) {
            ([], []) => return Err(ScriptError::Empty),
            (entries, []) | ([], entries) => entries,
            (_, _) => return Err(ScriptError::BothKinds),
        };
        entries.iter().zip(1..).try_for_each(|(entry, number)| entry.check(number))
    }

    /// The steps of this turn, both numbers counted from 1. Empty only for an empty script.
    #[must_use]
    pub fn steps(&self, attempt: u32, turn: u32) -> &[Step] {
        let (entries, number) =
            if self.turns.is_empty() { (&self.attempts, attempt) } else { (&self.turns, turn) };
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        entries.get(index).or_else(|| entries.last()).map_or(&[], |entry| &entry.steps)
    }
}

impl Entry {
    fn check(&self, entry: usize) -> Result<(), ScriptError> {
        for (at, step) in self.steps.iter().zip(1..).map(|(step, at)| (at, step)) {
            if step.path().is_some_and(|path| path.as_os_str().is_empty()) {
                return Err(ScriptError::EmptyPath { entry, step: at });
            }
            if let Step::Usage { cost: Some(cost), .. } = step
                && MicroDollars::from_dollars(*cost).is_none()
            {
                return Err(ScriptError::BadCost { entry, step: at, cost: *cost });
            }
            if step.ends_the_turn() && at < self.steps.len() {
                return Err(ScriptError::Unreachable { entry, step: at + 1 });
            }
        }
        Ok(())
    }
}

impl Step {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Write { path, .. }
            | Self::Edit { path, .. }
            | Self::Delete { path }
            | Self::WaitForFile { path } => Some(path),
            Self::Say(_)
            | Self::Reason(_)
            | Self::Run { .. }
            | Self::Commit { .. }
            | Self::Wait { .. }
            | Self::Usage { .. }
            | Self::Flood { .. }
            | Self::Garbage(_)
            | Self::IgnoreTerm
            | Self::Hang
            | Self::Exit { .. }
            | Self::Ask { .. }
            | Self::Fail(_) => None,
        }
    }

    fn ends_the_turn(&self) -> bool {
        match self {
            Self::Hang | Self::Exit { .. } | Self::Ask { .. } | Self::Fail(_) => true,
            Self::Say(_)
            | Self::Reason(_)
            | Self::Write { .. }
            | Self::Edit { .. }
            | Self::Delete { .. }
            | Self::Run { .. }
            | Self::Commit { .. }
            | Self::Wait { .. }
            | Self::WaitForFile { .. }
            | Self::Usage { .. }
            | Self::Flood { .. }
            | Self::Garbage(_)
            | Self::IgnoreTerm => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: &str = r#"
        [[attempt]]
        steps = [
            { say = "hello" },
            { reason = "why" },
            { write = { path = "a/b.txt", content = "one\n" } },
            { edit = { path = "a/b.txt", find = "one", replace = "two" } },
            { delete = { path = "a/b.txt" } },
            { run = { command = "true" } },
            { commit = { message = "Work" } },
            { wait = { ms = 5 } },
            { wait_for_file = { path = "/tmp/go" } },
            { usage = { input = 100, output = 20, cost = 0.25 } },
            { usage = { output = 1 } },
            { flood = { bytes = 1000 } },
            { garbage = { text = "not json" } },
            { garbage = "binary" },
            { garbage = "half_line" },
            { garbage = { long_line = { bytes = 10 } } },
            { garbage = "fake_result" },
            "ignore_term",
            "hang",
        ]
        [[attempt]]
        steps = [{ exit = { code = 3 } }]
        [[attempt]]
        steps = [{ fail = { rate_limited = { reset_in_s = 60 } } }]
        [[attempt]]
        steps = [{ fail = "crash" }]
    "#;

    fn parse(text: &str) -> Result<Script, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn every_step_has_a_form_in_toml_and_survives_a_round_trip() {
        let script = parse(EVERYTHING).expect("the script parses");
        assert_eq!(script.check(), Ok(()));
        assert_eq!(script.attempts[0].steps.len(), 19);
        let again = toml::to_string(&script).expect("the script is written");
        assert_eq!(parse(&again).expect("it parses again"), script);
    }

    #[test]
    fn misspelt_words_are_refused() {
        for bad in [
            "[[attempts]]\nsteps = []",
            "[[attempt]]\nstep = []",
            "[[attempt]]\nsteps = [{ shout = \"x\" }]",
            "[[attempt]]\nsteps = [{ wait = { s = 5 } }]",
            "[[attempt]]\nsteps = [{ fail = { rate_limited = { reset_in_ms = 5 } } }]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_entry_is_played_for_all_that_follow() {
        let script = parse(EVERYTHING).expect("the script parses");
        assert_eq!(script.steps(2, 9), [Step::Exit { code: 3 }]);
        assert_eq!(script.steps(9, 1), [Step::Fail(Failure::Crash)]);
        let turns = Script {
            turns: vec![Entry { steps: vec![Step::Hang] }, Entry { steps: vec![] }],
            ..Script::default()
        };
        assert_eq!(turns.steps(9, 1), [Step::Hang]);
        assert!(turns.steps(1, 2).is_empty());
    }

    #[test]
    fn a_script_that_cannot_be_played_says_where() {
        let with = |steps: Vec<Step>| Script { attempts: vec![Entry { steps }], ..Script::default() };
        assert_eq!(Script::default().check(), Err(ScriptError::Empty));
        let both = Script { turns: vec![Entry { steps: vec![] }], ..with(vec![]) };
        assert_eq!(both.check(), Err(ScriptError::BothKinds));
        let after_the_end = with(vec![Step::Hang, Step::Say("x".into())]);
        assert_eq!(after_the_end.check(), Err(ScriptError::Unreachable { entry: 1, step: 2 }));
        let no_path = with(vec![Step::Delete { path: PathBuf::new() }]);
        assert_eq!(no_path.check(), Err(ScriptError::EmptyPath { entry: 1, step: 1 }));
        let refund = with(vec![Step::Usage { input: 0, output: 0, cost: Some(-1.0) }]);
        assert_eq!(refund.check(), Err(ScriptError::BadCost { entry: 1, step: 1, cost: -1.0 }));
    }

    #[test]
    fn a_failure_knows_its_reset_from_the_time_it_is_played() {
        let limited = Failure::RateLimited { reset_in_s: Some(60) };
        let TurnOutcome::RateLimited { reset, .. } = limited.outcome(Timestamp(1_000)).expect("an outcome")
        else {
            panic!("another outcome");
        };
        assert_eq!(reset, Some(Timestamp(61_000)));
        assert_eq!(Failure::Crash.outcome(Timestamp(0)), None);
    }
}
