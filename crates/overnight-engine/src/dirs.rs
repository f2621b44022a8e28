//! Where things lie below the data directory. One place, so that cleaning up and looking in agree.

use std::path::{Path, PathBuf};

use overnight_core::id::JobId;

/// The data directory's layout.
#[derive(Debug, Clone)]
pub struct Dirs {
    root: PathBuf,
}

impl Dirs {
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("overnight.db")
    }

    #[must_use]
    pub fn mirrors(&self) -> PathBuf {
        self.root.join("mirrors")
    }

    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    #[must_use]
    pub fn job(&self, job: &JobId) -> JobDirs {
        JobDirs { root: self.jobs().join(job.as_str()) }
    }
}

/// One job's directory.
#[derive(Debug, Clone)]
pub struct JobDirs {
    root: PathBuf,
}

impl JobDirs {
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The agent's private clone. Untrusted.
    #[must_use]
    pub fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// `TMPDIR` of the agent. Untrusted.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where the contained collect script leaves its bundle. Untrusted.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.root.join("out")
    }

    /// Where the clean checkouts for checks lie.
    #[must_use]
    pub fn checkouts(&self) -> PathBuf {
        self.root.join("verify")
    }

    /// A clean checkout for checks; `side` is `tip` or `base`. Untrusted as soon as a check has run.
    #[must_use]
    pub fn checkout(&self, side: &str) -> PathBuf {
        self.checkouts().join(side)
    }

    /// What the runner hands to the agent: prompt and instructions. The agent cannot write here, so nothing of its can stand
    /// where the runner writes.
    #[must_use]
    pub fn given(&self) -> PathBuf {
        self.root.join("given")
    }

    /// Everything that the agent could write, and that goes when the job ends.
    #[must_use]
    pub fn scratch(&self) -> [PathBuf; 4] {
        [self.workspace(), self.tmp(), self.out(), self.checkouts()]
    }

    /// Logs and prompts: kept after the end.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Prompt of a turn.
    #[must_use]
    pub fn prompt(&self, turn: u32) -> PathBuf {
        self.log().join(format!("turn-{turn}.prompt.md"))
    }

    /// What a turn's agent CLI wrote to standard output, redacted.
    #[must_use]
    pub fn turn_stdout(&self, turn: u32) -> PathBuf {
        self.log().join(format!("turn-{turn}.out.jsonl"))
    }

    #[must_use]
    pub fn turn_stderr(&self, turn: u32) -> PathBuf {
        self.log().join(format!("turn-{turn}.err.log"))
    }

    /// What a turn left as its document, as it was found.
    #[must_use]
    pub fn result(&self, turn: u32) -> PathBuf {
        self.log().join(format!("turn-{turn}.result.md"))
    }

    /// The turn's exit status, written by its keeper even when the runner is dead.
    #[must_use]
    pub fn turn_exit(&self, turn: u32) -> PathBuf {
        self.log().join(format!("turn-{turn}.exit"))
    }

    /// Output of a check; `attempt` from 1, `side` is `tip` or `base`, `index` the check's place in the list.
    #[must_use]
    pub fn check_log(&self, attempt: u32, side: &str, index: usize) -> PathBuf {
        self.log().join(format!("check-{attempt}-{side}-{index}.log"))
    }
}
