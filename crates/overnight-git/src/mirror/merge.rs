//! Putting work on a branch that has moved, as far as git can do that by itself. Objects only: no work tree, no merge driver.
//!
//! Owns nothing but the refs of the commits that it makes, below `refs/overnight/grafts`.

use overnight_core::git::CommitId;

use super::{LockWait, Mirror, lock};
use crate::error::GitError;
use crate::git::{commit, unexpected};

/// What becomes of two commits when they are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// The one holds the other already.
    Contained(CommitId),
    /// A commit of ours with both of them as parents.
    Clean(CommitId),
    /// Where both sides changed the same.
    Conflicts { paths: Vec<String> },
}

/// What `git merge-tree` comes to.
pub(super) enum Tree {
    Clean(String),
    Conflicts(Vec<String>),
}

impl Mirror {
    /// Whether a commit is in the mirror.
    ///
    /// # Errors
    /// What git says; a commit that is not there is no error.
    pub async fn has(&self, id: &CommitId) -> Result<bool, GitError> {
        let call = self.call("look for a commit").about(id).args(["cat-file", "-e"]);
        Ok(call.arg(format!("{id}^{{commit}}")).finish().await?.status == 0)
    }

    /// `theirs` merged into `ours`, with author and dates of `theirs`: doing it again gives the same commit.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn merge(&self, ours: &CommitId, theirs: &CommitId, message: &str) -> Result<Merge, GitError> {
        for (inner, outer) in [(theirs, ours), (ours, theirs)] {
            if self.is_ancestor(inner, outer).await? {
                return Ok(Merge::Contained(outer.clone()));
            }
        }
        // Until its ref is there, what is written belongs to nobody: whoever mends the mirror must not come in between.
        let _alone = lock::acquire(&self.path, &LockWait::silent(self.git().network_limit())).await?;
        let tree = match self.merge_tree(ours, theirs).await? {
            Tree::Clean(tree) => tree,
            Tree::Conflicts(paths) => return Ok(Merge::Conflicts { paths }),
        };
        let operation = "merge two commits";
        let raw = self.call(operation).about(theirs).args(["cat-file", "commit", theirs.as_str()]);
        let raw = raw.output().await?;
        let text = merged(&raw, &tree, [ours, theirs], message).ok_or_else(|| unexpected(operation, &raw))?;
        let call = self.call(operation).about(ours).about(theirs).stdin(text);
        let written = call.args(["hash-object", "-t", "commit", "-w", "--stdin"]).output().await?;
        let made = commit(operation, &written)?;
        self.update_refs(&format!("update refs/overnight/grafts/{made} {made}\n")).await?;
        Ok(Merge::Clean(made))
    }

    /// Where merging `theirs` into `ours` needs somebody to decide; nowhere: git can do it. Leaves nothing that is kept.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn conflicts(&self, ours: &CommitId, theirs: &CommitId) -> Result<Vec<String>, GitError> {
        Ok(match self.merge_tree(ours, theirs).await? {
            Tree::Clean(_) => Vec::new(),
            Tree::Conflicts(paths) => paths,
        })
    }

    /// Paths that `theirs` brings into a merge with `ours`: what it has changed since both went separate ways.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn brings(&self, ours: &CommitId, theirs: &CommitId) -> Result<Vec<String>, GitError> {
        let operation = "find where two histories part";
        let call = self.call(operation).about(ours).about(theirs);
        let ran = call.args(["merge-base", ours.as_str(), theirs.as_str()]).finish().await?;
        let fork = match ran.status {
            0 => crate::git::commit(operation, &ran.stdout)?,
            // They have nothing in common, or the mirror is too shallow to know it.
            1 => ours.clone(),
            _ => return Err(ran.failed(operation, format!("{ours}, {theirs}"))),
        };
        let paths = self.changed_paths(&fork, theirs).await?;
        Ok(paths.iter().map(|changed| String::from_utf8_lossy(&changed.path).into_owned()).collect())
    }

    pub(super) async fn merge_tree(&self, ours: &CommitId, theirs: &CommitId) -> Result<Tree, GitError> {
        let operation = "merge two commits";
        let call = self.call(operation).about(ours).about(theirs);
        let call = call.args(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"]);
        let ran = call.args(["--allow-unrelated-histories", ours.as_str(), theirs.as_str()]).finish().await?;
        let mut parts = ran.stdout.split(|byte| *byte == 0).filter(|part| !part.is_empty());
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        let tree = parts.next().map(text);
        match (ran.status, tree) {
            (0, Some(tree)) => Ok(Tree::Clean(tree)),
            (1, Some(_)) => Ok(Tree::Conflicts(parts.map(text).collect())),
            (_, _) => Err(ran.failed(operation, format!("{ours}, {theirs}"))),
        }
    }
}

/// A raw merge commit with the author and the dates of the raw commit `like`.
fn merged(like: &[u8], tree: &str, parents: [&CommitId; 2], message: &str) -> Option<Vec<u8>> {
    let end = like.windows(2).position(|pair| pair == b"\n\n")?;
    let mut out = format!("tree {tree}\nparent {}\nparent {}\n", parents[0], parents[1]).into_bytes();
    let who = like[..end].split(|byte| *byte == b'\n');
    for line in who.filter(|line| line.starts_with(b"author ") || line.starts_with(b"committer ")) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("\n{}\n", message.trim_end()).as_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wanted;
    use crate::testing::{Lab, commit_file, git, local};

    /// A mirror with a base and two commits on it, each of which writes one of these files.
    async fn two(ours: (&str, &str), theirs: (&str, &str)) -> (Lab, Mirror, CommitId, CommitId) {
        let lab = Lab::new().await;
        let repo = lab.repo("repo");
        git(&repo, ["switch", "-q", "-c", "theirs"]);
        let theirs = commit_file(&repo, theirs.0, theirs.1);
        git(&repo, ["switch", "-q", "main"]);
        let ours = commit_file(&repo, ours.0, ours.1);
        let mirror = lab.mirror(&repo).await;
        for id in [&ours, &theirs] {
            mirror.fetch_commit(&local(&repo), &Wanted::Commit(id.clone())).await.unwrap();
        }
        (lab, mirror, ours, theirs)
    }

    #[tokio::test]
    async fn what_git_can_merge_is_one_commit_however_often_it_is_done() {
        let (_lab, mirror, ours, theirs) = two(("b.txt", "b\n"), ("c.txt", "c\n")).await;
        let Merge::Clean(made) = mirror.merge(&ours, &theirs, "Both").await.unwrap() else {
            panic!("not clean")
        };
        assert_eq!(mirror.merge(&ours, &theirs, "Both").await.unwrap(), Merge::Clean(made.clone()));
        assert!(
            mirror.is_ancestor(&ours, &made).await.unwrap()
                && mirror.is_ancestor(&theirs, &made).await.unwrap()
        );
        let names = mirror.list_root(&made).await.unwrap();
        assert!(
            [&b"b.txt"[..], b"c.txt"].iter().all(|name| names.iter().any(|found| found == name)),
            "{names:?}"
        );
        assert!(mirror.conflicts(&ours, &theirs).await.unwrap().is_empty());
        // Not what `ours` has done meanwhile.
        assert_eq!(mirror.brings(&ours, &theirs).await.unwrap(), ["c.txt"]);
        assert_eq!(mirror.merge(&made, &theirs, "Again").await.unwrap(), Merge::Contained(made.clone()));
        git(mirror.path(), ["--git-dir=.", "gc", "-q", "--prune=now"]);
        assert!(mirror.has(&made).await.unwrap());
    }

    #[tokio::test]
    async fn what_it_cannot_is_named_file_by_file() {
        let (_lab, mirror, ours, theirs) = two(("a.txt", "ours\n"), ("a.txt", "theirs\n")).await;
        let paths = vec!["a.txt".to_owned()];
        assert_eq!(mirror.conflicts(&ours, &theirs).await.unwrap(), paths);
        assert_eq!(mirror.merge(&ours, &theirs, "Both").await.unwrap(), Merge::Conflicts { paths });
    }

    #[tokio::test]
    async fn a_commit_that_is_not_there_is_told_from_one_that_is() {
        let (_lab, mirror, ours, _) = two(("b.txt", "b\n"), ("c.txt", "c\n")).await;
        let nowhere = CommitId::parse(&"0".repeat(40)).unwrap();
        assert!(mirror.has(&ours).await.unwrap() && !mirror.has(&nowhere).await.unwrap());
        assert!(mirror.merge(&ours, &nowhere, "x").await.is_err());
    }
}
