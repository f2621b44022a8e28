//! The bare git repositories behind the fake forge.
//!
//! Owns their directory. Runs real git with no configuration but the repositories' own.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Environment of every git process here: no system or user configuration, fixed names and times.
pub(super) const GIT_ENV: [(&str, &str); 8] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_AUTHOR_NAME", "Fake Forge"),
    ("GIT_AUTHOR_EMAIL", "forge@example.com"),
    ("GIT_COMMITTER_NAME", "Fake Forge"),
    ("GIT_COMMITTER_EMAIL", "forge@example.com"),
    ("GIT_AUTHOR_DATE", "1700000000 +0000"),
    ("GIT_COMMITTER_DATE", "1700000000 +0000"),
];

/// A bare repository on disk.
#[derive(Debug, Clone)]
pub(super) struct BareRepository(pub(super) PathBuf);

impl BareRepository {
    /// Makes `<root>/<owner>/<name>.git` with one commit on `main`.
    pub(super) fn create(root: &Path, full_name: &str) -> io::Result<Self> {
        let path = root.join(format!("{full_name}.git"));
        std::fs::create_dir_all(&path)?;
        let repository = Self(path);
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."], b"")?;
        repository.commit("main", None, "README.md", b"fixture\n")?;
        Ok(repository)
    }

    /// Adds a commit to `branch` that sets one file, and gives its id. A new branch starts at `from` (a branch or commit).
    pub(super) fn commit(
        &self,
        branch: &str,
        from: Option<&str>,
        file: &str,
        content: &[u8],
    ) -> io::Result<String> {
        let parent = match self.tip(branch)? {
            Some(tip) => Some(tip),
            None => from.map(|start| self.git(&["rev-parse", start], b"")).transpose()?,
        };
        let blob = self.git(&["hash-object", "-w", "--stdin"], content)?;
        let listed = match &parent {
            Some(parent) => self.git(&["ls-tree", parent], b"")?,
            None => String::new(),
        };
        let ours = format!("\t{file}");
        let others = listed.lines().filter(|line| !line.ends_with(&ours)).map(str::to_owned);
        let entries: Vec<String> = others.chain([format!("100644 blob {blob}{ours}")]).collect();
        let tree = self.git(&["mktree"], entries.join("\n").as_bytes())?;
        let mut args = vec!["commit-tree", "-m", "fixture", &tree];
        if let Some(parent) = &parent {
            args.extend(["-p", parent]);
        }
        let commit = self.git(&args, b"")?;
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit], b"")?;
        Ok(commit)
    }

    /// The commit of a branch; `None` when there is no such branch.
    pub(super) fn tip(&self, branch: &str) -> io::Result<Option<String>> {
        let shown = self.git(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"], b"")?;
        let wanted = format!("refs/heads/{branch}");
        let of_branch = |line: &str| {
            line.split_once(' ').filter(|(_, name)| *name == wanted).map(|(id, _)| id.to_owned())
        };
        Ok(shown.lines().find_map(of_branch))
    }

    /// How many commits `head` has that `base` lacks.
    pub(super) fn ahead(&self, base: &str, head: &str) -> io::Result<u64> {
        let count =
            self.git(&["rev-list", "--count", &format!("refs/heads/{base}..refs/heads/{head}")], b"")?;
        count.parse().map_err(io::Error::other)
    }

    /// The commits that `head` (a branch or commit) has and `base` lacks.
    pub(super) fn commits_between(&self, base: &str, head: &str) -> io::Result<Vec<String>> {
        let listed = self.git(&["rev-list", &format!("{base}..{head}")], b"")?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Merges a commit into a branch, with a merge commit or squashed. Fails on a conflict.
    pub(super) fn merge(&self, base: &str, head: &str, squash: bool) -> io::Result<String> {
        let tip = self.git(&["rev-parse", &format!("refs/heads/{base}")], b"")?;
        let tree = self.git(&["merge-tree", "--write-tree", &tip, head], b"")?;
        let mut args = vec!["commit-tree", "-m", "merged", &tree, "-p", &tip];
        if !squash {
            args.extend(["-p", head]);
        }
        let commit = self.git(&args, b"")?;
        self.set_branch(base, &commit)?;
        Ok(commit)
    }

    pub(super) fn set_branch(&self, branch: &str, commit: &str) -> io::Result<()> {
        self.git(&["update-ref", &format!("refs/heads/{branch}"), commit], b"").map(drop)
    }

    pub(super) fn delete_branch(&self, branch: &str) -> io::Result<()> {
        self.git(&["update-ref", "-d", &format!("refs/heads/{branch}")], b"").map(drop)
    }

    #[expect(clippy::disallowed_methods, reason = "the fake forge runs git itself, as a forge does")]
    fn git(&self, args: &[&str], input: &[u8]) -> io::Result<String> {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(&self.0)
            .envs(GIT_ENV)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A git that does not read its input closes the pipe; its exit status tells what matters.
        if let Some(mut stdin) = child.stdin.take() {
            drop(stdin.write_all(input));
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(io::Error::other(format!("git {args:?} failed: {}", String::from_utf8_lossy(&output.stderr))))
    }
}
