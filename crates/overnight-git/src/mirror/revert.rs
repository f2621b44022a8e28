//! Taking back what a pull request brought, as one commit on the tip of its branch. Objects only: no work tree, no merge driver. It is proposed,
//! never merged, by whoever asks for it.
//!
//! Owns nothing but the refs of the commits that it makes, below `refs/overnight/grafts`.

use overnight_core::git::CommitId;

use super::merge::Tree;
use super::{Identity, LockWait, Mirror, lock};
use crate::error::GitError;
use crate::git::{commit, line, unexpected};

/// Most commits of a pull request that was merged one by one for which it is tried to find where they begin.
const MOST_COMMITS: u64 = 50;

/// What is to be taken back, and where.
#[derive(Debug, Clone)]
pub struct RevertOrder<'a> {
    /// The branch as it is now.
    pub tip: &'a CommitId,
    /// What the forge says that merging has made: a merge commit, a squashed one, or the last of those that were put on the branch.
    pub merged: &'a CommitId,
    /// Where the pull request's branch was when it was merged.
    pub head: Option<&'a CommitId>,
    /// What the work began on, as our records say.
    pub base: Option<&'a CommitId>,
    pub author: &'a Identity,
    pub title: &'a str,
}

/// The commits that a merge has put on a branch, as `git revert` takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverted {
    /// A real merge: its first parent is what was there before.
    Merge(CommitId),
    One(CommitId),
    /// Those behind the first, up to the second.
    Several(CommitId, CommitId),
}

impl Reverted {
    /// The arguments of `git revert` for a person.
    #[must_use]
    pub fn arguments(&self) -> String {
        match self {
            Self::Merge(id) => format!("-m 1 {id}"),
            Self::One(id) => id.to_string(),
            Self::Several(before, last) => format!("--no-edit {before}..{last}"),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revert {
    /// A commit of ours whose parent is the branch as it is.
    Clean(CommitId),
    /// It is not on the branch any more, or undone there already.
    Nothing,
    /// Later work changed the same.
    Conflicts { paths: Vec<String>, what: Reverted },
    /// Which commits were merged cannot be told for certain, and a wrong guess would take other work back.
    Unclear { why: &'static str },
}

impl Mirror {
    /// Reverts a merge on top of the branch as it is now. Everything named has to be in the mirror, except `head` and `base`. Doing it again
    /// on the same tip gives the same commit.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn revert(&self, order: &RevertOrder<'_>) -> Result<Revert, GitError> {
        if !self.is_ancestor(order.merged, order.tip).await? {
            return Ok(Revert::Nothing);
        }
        let what = match self.put_on(order).await? {
            Ok(what) => what,
            Err(why) => return Ok(Revert::Unclear { why }),
        };
        let before = match &what {
            Reverted::Merge(id) | Reverted::One(id) => self.first_parent(id).await?,
            Reverted::Several(before, _) => Some(before.clone()),
        };
        let Some(before) = before else {
            return Ok(Revert::Unclear { why: "it is the first commit of the repository" });
        };
        // Until its ref is there, what is written belongs to nobody: whoever mends the mirror must not come in between.
        let _alone = lock::acquire(&self.path, &LockWait::silent(self.git().network_limit())).await?;
        let now = self.tree_of(order.tip).await?;
        let who = self.signature(order).await?;
        // A commit with the earlier tree on top of what was merged: merging that is the revert.
        let undo = (self.tree_of(&before).await?, order.merged, "undo");
        let undo = self.write_commit(&undo.0, undo.1, &who, undo.2).await?;
        let tree = match self.merge_tree(order.tip, &undo).await? {
            Tree::Clean(tree) => tree,
            Tree::Conflicts(paths) => return Ok(Revert::Conflicts { paths, what }),
        };
        if tree == now {
            return Ok(Revert::Nothing);
        }
        let made = self.write_commit(&tree, order.tip, &who, &message(order.title, order.merged)).await?;
        self.update_refs(&format!("update refs/overnight/grafts/{made} {made}\n")).await?;
        Ok(Revert::Clean(made))
    }

    /// Whether a commit is a revert of `merged` that one of us has made.
    ///
    /// # Errors
    /// The commit is not in the mirror.
    pub async fn is_revert_of(&self, id: &CommitId, merged: &CommitId) -> Result<bool, GitError> {
        let call = self.call("read a commit").about(id);
        let text = call.args(["log", "--max-count=1", "--format=%B", id.as_str(), "--"]).output().await?;
        Ok(String::from_utf8_lossy(&text).lines().any(|line| line == trailer(merged)))
    }

    /// The commits that the merge has put on the branch; the inner error is why that cannot be told.
    async fn put_on(&self, order: &RevertOrder<'_>) -> Result<Result<Reverted, &'static str>, GitError> {
        let merged = order.merged;
        match self.parents(merged).await?.len() {
            0 => return Ok(Err("it is the first commit of the repository")),
            1 => {}
            _ => return Ok(Ok(Reverted::Merge(merged.clone()))),
        }
        let head = match order.head {
            Some(head) if self.has(head).await? => head,
            Some(_) | None => return Ok(Err("the commits of the pull request cannot be had any more")),
        };
        if self.is_ancestor(head, merged).await? {
            return self.forwarded(order, head).await;
        }
        let Some(fork) = self.fork_of(head, merged).await? else {
            return Ok(Err("the pull request's branch has nothing in common with what was merged"));
        };
        match self.count_commits(&fork, head).await? {
            0 => Ok(Err("the pull request has no commits of its own")),
            1 => Ok(Ok(Reverted::One(merged.clone()))),
            several if several > MOST_COMMITS => Ok(Err("it has too many commits")),
            several => self.beginning(merged, head, several).await,
        }
    }

    /// The branch was moved to the head of the pull request without any new commit.
    async fn forwarded(
        &self,
        order: &RevertOrder<'_>,
        head: &CommitId,
    ) -> Result<Result<Reverted, &'static str>, GitError> {
        const UNKNOWN: &str = "the branch was moved forward, and where it was before is not known";
        let Some(base) = order.base.filter(|_| head == order.merged) else { return Ok(Err(UNKNOWN)) };
        if !self.has(base).await? || !self.is_ancestor(base, head).await? {
            return Ok(Err(UNKNOWN));
        }
        let call = self.call("look for merges").about(base).about(head);
        let range = format!("{base}..{head}");
        let merges = call.args(["rev-list", "--merges", "--count", range.as_str(), "--"]).output().await?;
        if line("look for merges", &merges)? != "0" {
            return Ok(Err(UNKNOWN));
        }
        Ok(match self.count_commits(base, head).await? {
            0 => Err("the pull request has no commits of its own"),
            1 => Ok(Reverted::One(head.clone())),
            _ => Ok(Reverted::Several(base.clone(), head.clone())),
        })
    }

    /// Whether `merged` is all of the pull request in one commit, or the last of several: the earliest commit onto which the pull request's
    /// work merges to exactly what is there.
    async fn beginning(
        &self,
        merged: &CommitId,
        head: &CommitId,
        most: u64,
    ) -> Result<Result<Reverted, &'static str>, GitError> {
        let result = self.tree_of(merged).await?;
        let mut chain = Vec::new();
        let mut at = merged.clone();
        for _ in 0..most {
            match self.parents(&at).await?.as_slice() {
                [only] => at = only.clone(),
                _ => break,
            }
            chain.push(at.clone());
        }
        for (number, before) in chain.iter().enumerate().rev() {
            if matches!(self.merge_tree(before, head).await?, Tree::Clean(tree) if tree == result) {
                return Ok(Ok(match number {
                    0 => Reverted::One(merged.clone()),
                    _ => Reverted::Several(before.clone(), merged.clone()),
                }));
            }
        }
        Ok(Err("what was merged is not what the pull request's commits come to"))
    }

    async fn parents(&self, id: &CommitId) -> Result<Vec<CommitId>, GitError> {
        let operation = "read the parents of a commit";
        let call = self.call(operation).about(id);
        let stdout =
            call.args(["rev-list", "--parents", "--max-count=1", id.as_str(), "--"]).output().await?;
        let text = line(operation, &stdout)?;
        let parents = text.split(' ').skip(1).map(CommitId::parse);
        parents.collect::<Result<_, _>>().map_err(|_| unexpected(operation, &stdout))
    }

    async fn first_parent(&self, id: &CommitId) -> Result<Option<CommitId>, GitError> {
        Ok(self.parents(id).await?.into_iter().next())
    }

    async fn fork_of(&self, one: &CommitId, other: &CommitId) -> Result<Option<CommitId>, GitError> {
        let operation = "find where two histories part";
        let ran = self.call(operation).args(["merge-base", one.as_str(), other.as_str()]).finish().await?;
        match ran.status {
            0 => commit(operation, &ran.stdout).map(Some),
            1 => Ok(None),
            _ => Err(ran.failed(operation, format!("{one}, {other}"))),
        }
    }

    async fn tree_of(&self, id: &CommitId) -> Result<String, GitError> {
        let operation = "read the tree of a commit";
        let call = self.call(operation).about(id).args(["rev-parse", "--verify", "--quiet"]);
        line(operation, &call.arg(format!("{id}^{{tree}}")).output().await?)
    }

    /// Who, and when: the time of the tip, so that two who do the same make the same.
    async fn signature(&self, order: &RevertOrder<'_>) -> Result<String, GitError> {
        let operation = "read when a commit was made";
        let call = self.call(operation).about(order.tip);
        let stdout =
            call.args(["log", "--max-count=1", "--format=%ct", order.tip.as_str(), "--"]).output().await?;
        let plain = |text: &str| text.replace(['<', '>', '\n', '\r', '\0'], "");
        let Identity { name, email } = order.author;
        Ok(format!("{} <{}> {} +0000", plain(name).trim(), plain(email), line(operation, &stdout)?))
    }

    async fn write_commit(
        &self,
        tree: &str,
        parent: &CommitId,
        who: &str,
        message: &str,
    ) -> Result<CommitId, GitError> {
        let operation = "write a commit";
        let text = format!(
            "tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{}\n",
            message.trim_end()
        );
        let call = self.call(operation).about(parent).stdin(text.into_bytes());
        commit(operation, &call.args(["hash-object", "-t", "commit", "-w", "--stdin"]).output().await?)
    }
}

fn trailer(merged: &CommitId) -> String {
    format!("Overnight-Reverts: {merged}")
}

fn message(title: &str, merged: &CommitId) -> String {
    let title: String = title.chars().filter(|c| !c.is_control()).take(200).collect();
    format!(
        "Revert \"{}\"\n\nThis takes back what {merged} has brought.\n\n{}",
        title.trim(),
        trailer(merged)
    )
}

#[cfg(test)]
#[path = "revert_tests.rs"]
mod tests;
