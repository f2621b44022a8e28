//! A place for one test: its own home, data directory and repository, the real binary, real git. Every test ends with
//! [`Place::finish`], which checks what must hold whatever happened.

pub(crate) mod fleet;
pub(crate) mod forge;
mod invariants;
pub(crate) mod job;
pub(crate) mod model;
mod program;
mod shown;
pub(crate) mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) use program::{Live, Outcome};
pub(crate) use shown::{sh, with_prompt};
use tempfile::TempDir;

/// Longest wait for a fact. Far above what anything takes, so that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Place {
    dir: TempDir,
    extra_env: BTreeMap<OsString, OsString>,
}

impl Place {
    /// An empty home and no repository.
    pub(crate) fn bare() -> Self {
        let dir = TempDir::with_prefix("overnight-it-").unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir, extra_env: BTreeMap::new() }
    }

    /// A home and a small repository whose one test fails: `answer` holds 41 and `check.sh` wants 42.
    pub(crate) fn new() -> Self {
        let place = Self::bare();
        place.make_repo("repo");
        place
    }

    pub(crate) fn make_repo(&self, name: &str) -> PathBuf {
        let repo = self.path(name);
        std::fs::create_dir_all(&repo).unwrap();
        self.git_in(&repo, &["init", "-q", "-b", "main"]);
        self.write_in(&repo, "answer", "41\n");
        self.write_in(
            &repo,
            "check.sh",
            "[ \"$(cat answer)\" = 42 ] || { echo \"answer is $(cat answer), not 42\"; exit 1; }\n",
        );
        self.write_in(&repo, "overnight.toml", "[verify]\nchecks = [\"sh check.sh\"]\n");
        self.git_in(&repo, &["add", "-A"]);
        self.git_in(&repo, &["commit", "-qm", "Start"]);
        repo
    }

    pub(crate) fn env(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.extra_env.insert(name.into(), value.into());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.write_in(self.dir.path(), name, text)
    }

    pub(crate) fn write_in(&self, dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A rehearsal script file with these steps, as TOML inline tables, one string per attempt.
    pub(crate) fn script(&self, attempts: &[&str]) -> String {
        let text: String = attempts.iter().map(|steps| format!("[[attempt]]\nsteps = [{steps}]\n")).collect();
        self.write("script.toml", &text).to_string_lossy().into_owned()
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.repo(), args)
    }

    pub(crate) fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.try_git(dir, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    pub(crate) fn try_git(&self, dir: &Path, args: &[&str]) -> std::process::Output {
        let mut command = Command::new("git");
        command.args(args).current_dir(dir).env_clear();
        command.env("PATH", path_variable()).env("HOME", self.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Person")
                .env(format!("GIT_{who}_EMAIL"), "person@example.org");
        }
        command.output().unwrap()
    }

    /// Runs `overnight` in the repository, to its end.
    pub(crate) fn overnight(&self, args: &[&str]) -> Outcome {
        let dir = if self.repo().exists() { self.repo() } else { self.home() };
        self.overnight_in(&dir, args)
    }

    pub(crate) fn overnight_in(&self, dir: &Path, args: &[&str]) -> Outcome {
        Outcome::of(self.command(dir, args))
    }

    /// Starts `overnight run --events` (or any other command that streams events) and does not wait for it.
    pub(crate) fn start(&self, args: &[&str]) -> Live {
        Live::start(self.command(&self.repo(), args))
    }

    pub(crate) fn command(&self, dir: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overnight"));
        command.args(args).current_dir(dir).env_clear().envs(self.environment());
        command
    }

    pub(crate) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
        env.insert("PATH".into(), path_variable());
        env.insert("HOME".into(), self.home().into());
        env.insert("OVERNIGHT_DATA_DIR".into(), self.data().into());
        env.extend(self.extra_env.clone());
        env
    }

    /// Branches that we made in the repository.
    pub(crate) fn branches(&self) -> Vec<String> {
        let listed = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/overnight"]);
        listed.lines().map(str::to_owned).collect()
    }

    /// The content of a file on a branch.
    pub(crate) fn show(&self, branch: &str, file: &str) -> String {
        self.git(&["show", &format!("{branch}:{file}")])
    }

    /// Checks everything that must hold after any test.
    pub(crate) fn finish(self) {
        self.check();
    }

    /// The same in the middle of a test.
    pub(crate) fn check(&self) {
        invariants::check(self);
    }
}

/// The test's own search path.
pub(crate) fn path_variable() -> OsString {
    std::env::var_os("PATH").unwrap()
}

/// Waits until `fact` gives something, and fails with `what` when it does not.
pub(crate) fn eventually<T>(what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = fact() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "still not there: {what}");
        std::thread::yield_now();
        // Between two looks at a fact, not instead of one.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says why a test cannot run here. `cargo xtask test` counts these lines.
pub(crate) fn skipped(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
}
