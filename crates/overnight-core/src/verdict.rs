//! Checks and their verdicts: the only things that count as results.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::git::CommitId;
use crate::units::millis;

/// A command whose exit status judges a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Short name for tables: the command's own first words unless configured.
    pub name: String,
    /// Given to `sh -c` inside the checkout.
    pub command: String,
    #[serde(with = "millis", rename = "timeout_ms")]
    pub timeout: Duration,
}

/// Where the checks of a job came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSource {
    /// `--verify`.
    CommandLine,
    /// `overnight.toml` of the base commit.
    Repository,
    /// Found from the files of the base commit.
    Detected,
    /// `--no-verify`: the person asked for none.
    None,
}

/// What one check says of one commit. Never a guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    Pass,
    Fail { status: i32 },
    CouldNotRun { why: CouldNotRun },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "detail")]
pub enum CouldNotRun {
    /// Shell status 127.
    CommandMissing,
    /// Shell status 126.
    NotExecutable,
    TimedOut,
    /// A signal that was not ours ended it (out of memory, most often).
    Killed(i32),
    /// It could not be started, or its checkout not be made.
    NotStarted(String),
}

/// One run of one check on one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub check: String,
    pub commit: CommitId,
    pub verdict: Verdict,
    /// The last 8,000 characters of its output, redacted.
    pub output_tail: String,
    #[serde(with = "millis", rename = "elapsed_ms")]
    pub elapsed: Duration,
}

/// A check on the agent's commit and, when that did not pass, on the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedPair {
    pub tip: CheckReport,
    pub base: Option<CheckReport>,
}

/// What a pair amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Passed,
    /// Does not pass now (fails, hangs, cannot run), passed on the base.
    Broken,
    /// Fails now and failed on the base as well: reported, not held against the attempt.
    FailedBefore,
    /// Fails now; the base could not be measured, which excuses nothing.
    FailedBaseUnknown,
    /// The check could not run on the agent's commit, and nothing shows that the change is to blame: not a pass, and no
    /// fault the agent can mend.
    CouldNotRun,
}

impl CheckedPair {
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (&self.tip.verdict, self.base.as_ref().map(|base| &base.verdict)) {
            (Verdict::Pass, _) => Standing::Passed,
            (Verdict::Fail { .. } | Verdict::CouldNotRun { .. }, Some(Verdict::Pass)) => Standing::Broken,
            (
                Verdict::CouldNotRun { .. },
                Some(Verdict::Fail { .. } | Verdict::CouldNotRun { .. }) | None,
            ) => Standing::CouldNotRun,
            (Verdict::Fail { .. }, Some(Verdict::Fail { .. })) => Standing::FailedBefore,
            (Verdict::Fail { .. }, Some(Verdict::CouldNotRun { .. }) | None) => Standing::FailedBaseUnknown,
        }
    }
}

/// Size of the change between base and tip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffStat {
    pub files: u32,
    pub insertions: u64,
    pub deletions: u64,
}
