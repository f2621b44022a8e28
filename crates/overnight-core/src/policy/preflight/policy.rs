//! Which rules there are, and what follows from each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Glob;

/// What follows from a finding; later ones are graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is not looked for.
    Off,
    /// It is told, in `show` and in the pull request.
    Warn,
    /// A person has to approve the commit.
    Approve,
    /// The agent has to mend it.
    Block,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $code:literal, $level:ident;)*) => {
        /// Something that is looked for. The codes are public: they stand in JSON, settings and exceptions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $code)] $rule,)*
        }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$rule => $code,)* }
            }

            /// What follows from it unless something else is configured.
            #[must_use]
            pub fn usually(self) -> Level {
                match self { $(Self::$rule => Level::$level,)* }
            }
        }
    };
}

rules! {
    /// A key, a token or a password.
    Secret = "secret", Block;
    /// A file that holds keys or settings of one person: `.env`, `id_rsa`, `credentials.json`.
    ForbiddenFile = "forbidden-file", Block;
    ConflictMarker = "conflict-marker", Block;
    /// A symbolic link to a place outside the repository.
    LinkOutside = "link-outside", Block;
    /// A file name with control characters, or with characters that change the direction of writing.
    FileName = "file-name", Block;
    /// A file above `preflight.max_file_size`.
    FileSize = "file-size", Block;
    /// More files than `preflight.max_files`.
    FileCount = "file-count", Approve;
    /// A part of the change could not be read.
    NotRead = "not-read", Approve;
    Submodule = "submodule", Approve;
    /// What a forge runs: workflows, pipelines.
    CiFile = "ci-file", Approve;
    /// What agents are told or allowed: `CLAUDE.md`, `AGENTS.md`, `.claude/`, `.cursor/`.
    AgentFile = "agent-file", Approve;
    /// The repository's own `overnight.toml`.
    RunnerFile = "runner-file", Approve;
    CodeOwners = "code-owners", Approve;
    /// What is run when the repository is installed or built: install scripts of a package, build scripts, git hooks.
    InstallScript = "install-script", Approve;
    /// A path that the configuration protects.
    ProtectedPath = "protected-path", Approve;
    TestRemoved = "test-removed", Approve;
    TestSkipped = "test-skipped", Approve;
    TestWeakened = "test-weakened", Approve;
    /// A pipeline or a test command that fails less often than before.
    CiLaxer = "ci-laxer", Approve;
    /// A file that the task's plan does not name. Most plans do not name every file, so somebody has to want this.
    OutsidePlan = "outside-plan", Off;
    /// Dependencies: package manifests and lock files.
    Manifest = "manifest", Warn;
    BinaryFile = "binary-file", Warn;
    GeneratedFile = "generated-file", Warn;
    Executable = "executable", Warn;
    /// A commit in another name than the job's.
    Author = "author", Warn;
}

impl Rule {
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.code() == code)
    }
}

/// What is looked for, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Where something else follows than usually.
    pub levels: BTreeMap<Rule, Level>,
    /// Bytes of one file.
    pub max_file_size: u64,
    pub max_files: u32,
    /// Paths that a person has to approve changes of.
    pub protect: Vec<Glob>,
    /// Paths that are not protected, whatever built-in rule says so. `protect` comes before it.
    pub unprotect: Vec<Glob>,
    /// Paths that may be changed beside those that a task's plan names.
    pub beside_plan: Vec<Glob>,
}

impl Default for Preflight {
    /// A file of a megabyte is hardly ever written by hand, and a change of five hundred files is not read by a person.
    fn default() -> Self {
        Self {
            levels: BTreeMap::new(),
            max_file_size: 1_000_000,
            max_files: 500,
            protect: Vec::new(),
            unprotect: Vec::new(),
            beside_plan: Vec::new(),
        }
    }
}

impl Preflight {
    #[must_use]
    pub fn level(&self, rule: Rule) -> Level {
        self.levels.get(&rule).copied().unwrap_or_else(|| rule.usually())
    }

    /// With what a repository asks for, as far as that is stricter.
    #[must_use]
    pub fn stricter(mut self, other: &Self) -> Self {
        for (rule, level) in &other.levels {
            let level = self.level(*rule).max(*level);
            self.levels.insert(*rule, level);
        }
        self.max_file_size = self.max_file_size.min(other.max_file_size);
        self.max_files = self.max_files.min(other.max_files);
        self.protect.extend(other.protect.iter().cloned());
        self
    }
}
