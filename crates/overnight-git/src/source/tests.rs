//! Repositories of every shape that a person may start in.

use std::fs;

use super::*;
use crate::testing::{Lab, commit_file, git, head};

#[tokio::test]
async fn an_ordinary_repository_and_a_directory_below_are_described() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    git(&repo, ["remote", "add", "origin", "https://forge.test/a/b"]);
    git(&repo, ["config", "branch.main.remote", "origin"]);
    git(&repo, ["config", "branch.main.merge", "refs/heads/trunk"]);
    git(&repo, ["config", "user.name", "P"]);
    fs::create_dir(repo.join("sub")).unwrap();
    fs::write(repo.join("sub/new"), "").unwrap();
    fs::write(repo.join("a.txt"), "changed").unwrap();
    let source = lab.git.inspect(&repo.join("sub")).await.unwrap();
    let real = repo.canonicalize().unwrap();
    assert_eq!(source.top_level.as_deref(), Some(real.as_path()));
    assert_eq!(
        (source.git_dir.as_path(), &source.common_dir),
        (real.join(".git").as_path(), &real.join(".git"))
    );
    assert_eq!((source.head.clone(), source.branch.as_deref()), (head(&repo), Some("main")));
    assert_eq!(
        (source.uncommitted, source.bare, source.shallow, source.detached()),
        (2, false, false, false)
    );
    assert_eq!(source.remotes["origin"].fetch, "https://forge.test/a/b");
    assert_eq!(source.upstream, Some(("origin".to_owned(), "trunk".to_owned())));
    assert_eq!(
        (source.user_name.as_deref(), source.has_lfs, source.has_submodules),
        (Some("P"), false, false)
    );
}

#[tokio::test]
async fn linked_work_tree_bare_shallow_detached_and_sha256_are_told_apart() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    commit_file(&repo, "b.txt", "b");
    git(&repo, ["worktree", "add", "-q", "--detach", "../linked"]);
    git(lab.dir.path(), ["clone", "-q", "--bare", "repo", "bare.git"]);
    git(lab.dir.path(), ["clone", "-q", "--depth=1", &format!("file://{}", repo.display()), "shallow"]);
    git(lab.dir.path(), ["init", "-q", "--object-format=sha256", "wide"]);
    commit_file(&lab.path("wide"), "a", "a");
    let linked = lab.git.inspect(&lab.path("linked")).await.unwrap();
    assert!(linked.detached() && linked.git_dir != linked.common_dir);
    let bare = lab.git.inspect(&lab.path("bare.git")).await.unwrap();
    assert!(bare.bare && bare.top_level.is_none() && bare.uncommitted == 0);
    assert!(lab.git.inspect(&lab.path("shallow")).await.unwrap().shallow);
    assert_eq!(lab.git.inspect(&lab.path("wide")).await.unwrap().head.as_str().len(), 64);
}

#[tokio::test]
async fn submodules_and_lfs_are_noticed() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    fs::create_dir(repo.join("sub")).unwrap();
    fs::write(repo.join("sub/.gitattributes"), "*.bin filter=lfs diff=lfs -text\n").unwrap();
    fs::write(repo.join(".gitmodules"), "[submodule \"x\"]\n\tpath = x\n\turl = ../x\n").unwrap();
    commit_file(&repo, "c", "c");
    let source = lab.git.inspect(&repo).await.unwrap();
    assert!(source.has_lfs && source.has_submodules);
}

#[tokio::test]
async fn what_keeps_a_repository_from_being_used_is_said_precisely() {
    let lab = Lab::new().await;
    git(lab.dir.path(), ["init", "-q", "empty"]);
    fs::create_dir(lab.path("plain")).unwrap();
    let error = |name: &'static str| {
        let (git, path) = (lab.git.clone(), lab.path(name));
        async move { git.inspect(&path).await.unwrap_err() }
    };
    assert!(matches!(error("empty").await, InspectError::NoCommits { .. }));
    assert!(matches!(error("plain").await, InspectError::NotARepository { .. }));
    assert!(matches!(error("none").await, InspectError::NoSuchDirectory { .. }));
    let repo = lab.repo("foreign");
    match std::os::unix::fs::chown(repo.join(".git"), Some(65_534), None)
        .and_then(|()| std::os::unix::fs::chown(&repo, Some(65_534), None))
    {
        Ok(()) => assert!(matches!(error("foreign").await, InspectError::UnsafeOwnership { .. })),
        Err(reason) => println!("skipped: foreign ownership: {reason}"),
    }
}

#[tokio::test]
async fn hooks_and_monitors_of_the_person_do_not_run() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let canary = lab.path("canary");
    git(&repo, ["config", "core.fsmonitor", &format!("touch {}; false", canary.display())]);
    lab.git.inspect(&repo).await.unwrap();
    assert!(!canary.exists());
    git(&repo, ["status"]);
    assert!(canary.exists(), "the control did not fire");
}
