//! Fixtures: real repositories made by the machine's git, apart from the machine's configuration.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use overnight_core::git::CommitId;

use crate::{Endpoint, Git, HostEnv, Identity, LockWait, Mirror, Mirrors, Remote};

/// A directory with a git ready to use, a source repository and room for mirrors.
pub(crate) struct Lab {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) git: Git,
    pub(crate) env: HostEnv,
}

pub(crate) fn env_of(home: &Path) -> HostEnv {
    HostEnv::from_vars([("PATH".into(), path_var()), ("HOME".into(), home.into())])
}

pub(crate) fn path_var() -> std::ffi::OsString {
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("person")).unwrap();
        let env = env_of(&dir.path().join("person"));
        let git = Git::start(env.clone(), &dir.path().join("git-home")).await.unwrap();
        Self { dir, git, env }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A repository with one commit of one file.
    pub(crate) fn repo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        git(self.dir.path(), ["init", "-q", "-b", "main", name]);
        commit_file(&path, "a.txt", "one\n");
        path
    }

    pub(crate) fn mirrors(&self) -> Mirrors {
        Mirrors::new(self.git.clone(), self.path("mirrors"))
    }

    pub(crate) async fn mirror(&self, source: &Path) -> Mirror {
        self.mirrors().open_or_create(&local(source), &wait()).await.unwrap()
    }

    /// A mirror of `source` that holds its HEAD.
    pub(crate) async fn mirror_with_head(&self, source: &Path) -> (Mirror, CommitId) {
        let (mirror, head) = (self.mirror(source).await, head(source));
        mirror.fetch_commit(&local(source), &crate::Wanted::Commit(head.clone())).await.unwrap();
        (mirror, head)
    }
}

pub(crate) fn wait() -> LockWait<'static> {
    LockWait::silent(std::time::Duration::from_secs(20))
}

pub(crate) fn local(path: &Path) -> Endpoint {
    Endpoint::open(Remote::path(path))
}

pub(crate) fn identity() -> Identity {
    Identity { name: "Overnight \"Test\"".to_owned(), email: "test@overnight.test".to_owned() }
}

/// A git command as a person would run it.
#[expect(
    clippy::disallowed_methods,
    reason = "fixtures and controls are made by plain git, apart from the code under test"
)]
pub(crate) fn command(program: &str, cwd: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(cwd)
        .env_clear()
        .env("PATH", path_var())
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "T").env(format!("GIT_{who}_EMAIL"), "t@t.test");
        command.env(format!("GIT_{who}_DATE"), "1700000000 +0000");
    }
    command
}

pub(crate) fn try_git<A: AsRef<OsStr>>(cwd: &Path, args: impl IntoIterator<Item = A>) -> Output {
    command("git", cwd).args(args).output().unwrap()
}

/// Runs it, asserts success and gives what it printed, trimmed.
pub(crate) fn git<A: AsRef<OsStr>>(cwd: &Path, args: impl IntoIterator<Item = A>) -> String {
    let output = try_git(cwd, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

pub(crate) fn head(repo: &Path) -> CommitId {
    CommitId::parse(&git(repo, ["rev-parse", "HEAD"])).unwrap()
}

pub(crate) fn commit_file(repo: &Path, name: &str, text: &str) -> CommitId {
    fs::write(repo.join(name), text).unwrap();
    git(repo, ["add", "-A", "--", "."]);
    git(repo, ["commit", "-q", "-m", &format!("write {name}")]);
    head(repo)
}
