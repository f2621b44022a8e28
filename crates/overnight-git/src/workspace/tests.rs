//! Clones as an agent finds them.

use std::os::unix::fs::symlink;
use std::time::Instant;

use super::*;
use crate::testing::{Lab, commit_file, git, head, identity, try_git};
use crate::{Wanted, testing::local};

fn setup() -> Setup {
    let branch = Some(BranchName::parse("overnight/app-1").unwrap());
    Setup { branch, identity: Some(identity()) }
}

#[tokio::test]
async fn a_workspace_is_clean_complete_and_knows_no_remote() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let path = lab.path("jobs/1/work");
    let workspace = ready(&mirror, &base, &path, &setup()).await.unwrap();
    assert!(workspace.fresh);
    assert_eq!((head(&path), git(&path, ["status", "--porcelain"])), (base.clone(), String::new()));
    assert_eq!(git(&path, ["symbolic-ref", "HEAD"]), "refs/heads/overnight/app-1");
    assert_eq!(git(&path, ["config", "user.name"]), identity().name);
    assert_eq!(git(&path, ["remote"]), "");
    assert!(!path.join(".git/hooks").exists());
    git(&path, ["fsck", "--strict"]);
    fs::write(path.join("mine"), "x").unwrap();
    let again = ready(&mirror, &base, &path, &setup()).await.unwrap();
    assert!(!again.fresh && path.join("mine").exists());
}

#[tokio::test]
async fn a_half_made_workspace_is_made_again() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let path = lab.path("work");
    fs::create_dir_all(path.join(".git")).unwrap();
    fs::write(path.join(".git/index.lock"), "").unwrap();
    fs::write(path.join("junk"), "").unwrap();
    assert!(ready(&mirror, &base, &path, &setup()).await.unwrap().fresh);
    assert!(!path.join("junk").exists());
    // Another commit is another workspace.
    let next = commit_file(&repo, "b", "b");
    mirror.fetch_commit(&local(&repo), &Wanted::Commit(next.clone())).await.unwrap();
    assert!(ready(&mirror, &next, &path, &Setup { branch: None, identity: None }).await.unwrap().fresh);
    assert_eq!(head(&path), next);
    assert!(!try_git(&path, ["symbolic-ref", "-q", "HEAD"]).status.success());
    remove(&path).await.unwrap();
    assert!(!path.exists() && !beside(&path, ".ready").exists() && !beside(&path, ".index").exists());
}

#[tokio::test]
async fn a_link_in_place_of_the_workspace_is_refused() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    symlink(&repo, lab.path("work")).unwrap();
    let error = ready(&mirror, &base, &lab.path("work"), &setup()).await.unwrap_err();
    assert!(matches!(error, GitError::PathRefused { .. }), "{error}");
    assert!(repo.join("a.txt").exists());
}

#[tokio::test]
async fn shallow_and_sha256_sources_give_whole_workspaces() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    commit_file(&repo, "b", "b");
    git(lab.dir.path(), ["clone", "-q", "--depth=1", &format!("file://{}", repo.display()), "shallow"]);
    git(lab.dir.path(), ["init", "-q", "--object-format=sha256", "wide"]);
    commit_file(&lab.path("wide"), "a", "a");
    for name in ["shallow", "wide"] {
        let (mirror, base) = lab.mirror_with_head(&lab.path(name)).await;
        let path = lab.path(&format!("work-{name}"));
        ready(&mirror, &base, &path, &setup()).await.unwrap();
        assert_eq!(git(&path, ["log", "--format=%H"]), base.as_str(), "{name}");
        assert_eq!(git(&path, ["status", "--porcelain"]), "");
    }
}

/// Prints what a workspace of 5,000 files costs, beside the same by plain git commands.
#[tokio::test]
async fn a_workspace_costs_no_more_than_twice_what_plain_git_takes() {
    let lab = Lab::new().await;
    let repo = lab.repo("repo");
    for number in 0..5_000 {
        let dir = repo.join(format!("d{}", number % 100));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("f{number}")), format!("file {number}\n").repeat(40)).unwrap();
    }
    commit_file(&repo, "z", "z");
    let started = Instant::now();
    let (mirror, base) = lab.mirror_with_head(&repo).await;
    let first_fetch = started.elapsed();
    let started = Instant::now();
    ready(&mirror, &base, &lab.path("work"), &setup()).await.unwrap();
    let ours = started.elapsed();
    let started = Instant::now();
    git(
        lab.dir.path(),
        ["clone", "-q", "--shared", "--no-checkout", &mirror.path().display().to_string(), "plain"],
    );
    git(&lab.path("plain"), ["checkout", "-q", base.as_str()]);
    let plain = started.elapsed();
    let started = Instant::now();
    remove(&lab.path("work")).await.unwrap();
    println!(
        "5,000 files: first fetch {first_fetch:?}, ready {ours:?}, plain {plain:?}, remove {:?}",
        started.elapsed()
    );
    assert!(ours < plain * 2 + std::time::Duration::from_millis(200), "{ours:?} against {plain:?}");
}
