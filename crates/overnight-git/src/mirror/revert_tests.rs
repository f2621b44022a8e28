use std::path::Path;

use super::*;
use crate::Wanted;
use crate::testing::{Lab, commit_file, git, head, identity, local};

/// A repository with a pull request of two commits on the branch `work`, and one commit on `main` since.
struct Case {
    lab: Lab,
    repo: std::path::PathBuf,
    base: CommitId,
    work: CommitId,
}

impl Case {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let repo = lab.repo("repo");
        let base = head(&repo);
        git(&repo, ["switch", "-q", "-c", "work"]);
        commit_file(&repo, "b.txt", "b\n");
        let work = commit_file(&repo, "c.txt", "c\n");
        git(&repo, ["switch", "-q", "main"]);
        Self { lab, repo, base, work }
    }

    /// Goes on on main with this file.
    fn later(&self, name: &str, text: &str) -> CommitId {
        commit_file(&self.repo, name, text)
    }

    async fn revert(&self, merged: &CommitId) -> (Mirror, Revert) {
        let mirror = self.lab.mirror(&self.repo).await;
        let tip = head(&self.repo);
        for id in [&tip, &self.work, merged] {
            mirror.fetch_commit(&local(&self.repo), &Wanted::Commit(id.clone())).await.unwrap();
        }
        let author = identity();
        let order = RevertOrder {
            tip: &tip,
            merged,
            head: Some(&self.work),
            base: Some(&self.base),
            author: &author,
            title: "Two\nfiles",
        };
        let made = mirror.revert(&order).await.unwrap();
        assert_eq!(mirror.revert(&order).await.unwrap(), made, "done twice");
        (mirror, made)
    }

    /// Exactly what the pull request brought is gone, and nothing else.
    async fn expect_undone(&self, merged: &CommitId) {
        let (mirror, made) = self.revert(merged).await;
        let Revert::Clean(made) = made else { panic!("{made:?}") };
        let names = mirror.list_root(&made).await.unwrap();
        assert_eq!(names, [b"a.txt".to_vec(), b"later.txt".to_vec()]);
        assert!(mirror.is_revert_of(&made, merged).await.unwrap());
        assert!(!mirror.is_revert_of(&made, &self.base).await.unwrap());
        assert_eq!(mirror.log_subjects(&head(&self.repo), &made, 9).await.unwrap(), ["Revert \"Twofiles\""]);
        git(mirror.path(), ["--git-dir=.", "gc", "-q", "--prune=now"]);
        assert!(mirror.has(&made).await.unwrap());
    }
}

fn merge(repo: &Path, args: &[&str]) -> CommitId {
    git(repo, [&["merge", "-q"], args, &["work"]].concat());
    head(repo)
}

#[tokio::test]
async fn a_real_merge_a_squash_and_single_commits_are_undone_as_a_whole() {
    let real = Case::new().await;
    let merged = merge(&real.repo, &["--no-ff", "--no-edit"]);
    real.later("later.txt", "x\n");
    real.expect_undone(&merged).await;

    let squashed = Case::new().await;
    squashed.later("later.txt", "x\n");
    merge(&squashed.repo, &["--squash"]);
    git(&squashed.repo, ["commit", "-q", "-m", "Both"]);
    squashed.expect_undone(&head(&squashed.repo)).await;

    let rebased = Case::new().await;
    rebased.later("later.txt", "x\n");
    git(&rebased.repo, ["cherry-pick", "main..work"]);
    rebased.expect_undone(&head(&rebased.repo)).await;
}

#[tokio::test]
async fn a_branch_that_was_moved_forward_is_undone_from_where_the_work_began() {
    let case = Case::new().await;
    let merged = merge(&case.repo, &["--ff-only"]);
    assert_eq!(merged, case.work);
    case.later("later.txt", "x\n");
    case.expect_undone(&merged).await;
}

#[tokio::test]
async fn work_that_others_built_on_is_left_to_a_person() {
    let case = Case::new().await;
    let merged = merge(&case.repo, &["--no-ff", "--no-edit"]);
    case.later("b.txt", "b and more\n");
    let (_, made) = case.revert(&merged).await;
    let Revert::Conflicts { paths, what } = made else { panic!("{made:?}") };
    assert_eq!((paths, what.arguments()), (vec!["b.txt".to_owned()], format!("-m 1 {merged}")));
}

#[tokio::test]
async fn what_is_undone_already_or_was_never_there_needs_nothing() {
    let case = Case::new().await;
    let merged = merge(&case.repo, &["--no-ff", "--no-edit"]);
    git(&case.repo, ["revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(case.revert(&merged).await.1, Revert::Nothing);
    git(&case.repo, ["reset", "-q", "--hard", case.base.as_str()]);
    case.later("later.txt", "x\n");
    assert_eq!(case.revert(&merged).await.1, Revert::Nothing);
}

#[tokio::test]
async fn a_guess_is_never_made() {
    // A squash that a person changed on the way: it could be that, or the last of several commits.
    let case = Case::new().await;
    case.later("later.txt", "x\n");
    merge(&case.repo, &["--squash"]);
    let merged = case.later("b.txt", "changed\n");
    assert!(matches!(case.revert(&merged).await.1, Revert::Unclear { .. }));
    // Nobody knows any more what the pull request was.
    let mirror = case.lab.mirror(&case.repo).await;
    let (tip, author) = (head(&case.repo), identity());
    let gone = CommitId::parse(&"0".repeat(40)).unwrap();
    let order = RevertOrder {
        tip: &tip,
        merged: &merged,
        head: Some(&gone),
        base: None,
        author: &author,
        title: "x",
    };
    assert!(matches!(mirror.revert(&order).await.unwrap(), Revert::Unclear { .. }));
}
