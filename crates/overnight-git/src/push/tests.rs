//! Pushes to real local repositories, contested and repeated.

use std::fs;

use super::*;
use crate::testing::{Lab, commit_file, git, head, local};
use crate::{Class, Wanted};

fn branch() -> BranchName {
    BranchName::parse("overnight/app-1").unwrap()
}

/// A bare remote, a mirror of it, its base and a new commit that is only in the mirror.
async fn scene(lab: &Lab) -> (Endpoint, Mirror, CommitId, CommitId) {
    let repo = lab.repo("repo");
    git(lab.dir.path(), ["clone", "-q", "--bare", "repo", "remote.git"]);
    let (mirror, base) = lab.mirror_with_head(&lab.path("remote.git")).await;
    let tip = commit_file(&repo, "b", "b");
    mirror.fetch_commit(&local(&repo), &Wanted::Commit(tip.clone())).await.unwrap();
    (local(&lab.path("remote.git")), mirror, base, tip)
}

#[tokio::test]
async fn a_push_happens_once_however_often_it_is_asked_for() {
    let lab = Lab::new().await;
    let (remote, mirror, base, tip) = scene(&lab).await;
    assert_eq!(lab.git.remote_branch(&remote, &branch()).await.unwrap(), None);
    let push = |commit: CommitId, expected: Expected| {
        let (mirror, remote) = (mirror.clone(), remote.clone());
        async move { mirror.push(&remote, &branch(), &commit, &expected).await.unwrap() }
    };
    assert_eq!(push(base.clone(), Expected::Absent).await, PushOutcome::Pushed);
    assert_eq!(push(base.clone(), Expected::Absent).await, PushOutcome::AlreadyThere);
    assert_eq!(
        push(tip.clone(), Expected::Absent).await,
        PushOutcome::Rejected { found: Some(base.clone()) }
    );
    assert_eq!(push(tip.clone(), Expected::At(base.clone())).await, PushOutcome::Pushed);
    assert_eq!(
        push(base.clone(), Expected::At(base.clone())).await,
        PushOutcome::Rejected { found: Some(tip.clone()) }
    );
    assert_eq!(lab.git.remote_branch(&remote, &branch()).await.unwrap(), Some(tip.clone()));
    // The lease holds at the remote too, not only in what was seen before.
    let line = mirror.push_once(&remote, &branch(), &base, &Expected::Absent).await.unwrap();
    assert_eq!(line.0, PushLine::Rejected);
}

#[tokio::test]
async fn the_default_branch_and_foreign_branches_are_never_pushed_to() {
    let lab = Lab::new().await;
    let (remote, mirror, base, tip) = scene(&lab).await;
    for name in ["main", "feature/x", "overnightly/x"] {
        let name = BranchName::parse(name).unwrap();
        let error = mirror.push(&remote, &name, &tip, &Expected::At(base.clone())).await.unwrap_err();
        assert!(matches!(error, GitError::BranchRefused { .. }), "{error}");
    }
    git(&lab.path("remote.git"), ["branch", "-m", "main", "overnight/app-1"]);
    let error = mirror.push(&remote, &branch(), &tip, &Expected::At(base)).await.unwrap_err();
    assert!(matches!(error, GitError::BranchRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_hook_that_declines_is_a_rejection_and_a_held_lock_is_an_error() {
    let lab = Lab::new().await;
    let (remote, mirror, _, tip) = scene(&lab).await;
    let lock = lab.path("remote.git/refs/heads/overnight");
    fs::create_dir_all(&lock).unwrap();
    fs::write(lock.join("app-1.lock"), "").unwrap();
    let held = mirror.push(&remote, &branch(), &tip, &Expected::Absent).await.unwrap();
    let PushOutcome::Declined { said } = held else { panic!("{held:?}") };
    assert!(said.contains("app-1.lock"), "{said}");
    fs::remove_file(lock.join("app-1.lock")).unwrap();
    assert_eq!(mirror.push(&remote, &branch(), &tip, &Expected::Absent).await.unwrap(), PushOutcome::Pushed);
    fs::remove_dir_all(lab.path("remote.git")).unwrap();
    let gone = mirror.push(&remote, &branch(), &tip, &Expected::Absent).await.unwrap_err();
    assert_eq!(gone.class(), Class::NotFound, "{gone}");
}

#[tokio::test]
async fn a_push_into_the_persons_own_repository_leaves_their_work_alone() {
    let lab = Lab::new().await;
    let repo = lab.repo("own");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let other = lab.repo("other");
    let tip = commit_file(&other, "b", "b");
    mirror.fetch_commit(&local(&other), &Wanted::Commit(tip.clone())).await.unwrap();
    fs::write(repo.join("a.txt"), "being edited").unwrap();
    fs::write(repo.join("staged"), "staged").unwrap();
    git(&repo, ["add", "staged"]);
    let look = || {
        let index = fs::read(repo.join(".git/index")).unwrap();
        (head(&repo), git(&repo, ["symbolic-ref", "HEAD"]), fs::read(repo.join("a.txt")).unwrap(), index)
    };
    let before = look();
    let remote = local(&repo);
    let pushed = mirror.push(&remote, &branch(), &tip, &Expected::Absent).await.unwrap();
    assert_eq!((pushed, before.clone()), (PushOutcome::Pushed, look()));
    // Even a repository that would update its work tree is left alone while it has the branch checked out.
    git(&repo, ["config", "receive.denyCurrentBranch", "updateInstead"]);
    git(&repo, ["worktree", "add", "-q", "../linked", "overnight/app-1"]);
    let error = mirror.push(&remote, &branch(), &base, &Expected::At(tip.clone())).await.unwrap_err();
    assert!(matches!(error, GitError::CheckedOut { .. }), "{error}");
    assert_eq!(head(&lab.path("linked")), tip);
}
