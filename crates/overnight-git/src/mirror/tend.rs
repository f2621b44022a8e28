//! Looking after mirrors that no job is using at the moment: what dead processes left, refs that nobody needs any more,
//! packs that have become many.
//!
//! Owns nothing of its own: it lists what is there, and changes a mirror only under its lock ([`Tending`]). What may go, the
//! caller decides.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use overnight_core::git::CommitId;

use super::lock::{self, Alone};
use super::{Mirrors, recover};
use crate::error::GitError;
use crate::git::{Git, unexpected};
use crate::remove::remove_tree;

const JOB_REFS: &str = "refs/overnight/jobs/";
const BASE_REFS: &str = "refs/overnight/bases/";
const GRAFT_REFS: &str = "refs/overnight/grafts/";
/// Objects that no ref reaches are kept so long: somebody may be about to name them.
const GRACE: &str = "2.weeks.ago";

/// One place in the directory of mirrors: a mirror, and what stands beside it under its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// Where the mirror is, or would be.
    pub path: PathBuf,
    pub exists: bool,
    /// When a job last used it; `None` where that is not known.
    pub last_used: Option<SystemTime>,
    /// Half a mirror, or the copy of a bundle: of use only to the process that holds the mirror's lock.
    pub half_made: Vec<PathBuf>,
    /// Damaged mirrors, and when each was put aside.
    pub aside: Vec<(PathBuf, SystemTime)>,
}

/// How a mirror's objects lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub packs: u64,
    pub loose: u64,
    /// Of all packs.
    pub bytes: u64,
}

/// How a mirror's objects are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repack {
    /// One pack, without what no ref reaches. Reads and writes everything.
    Whole,
    /// The small packs into one. Costs what the small ones weigh.
    Small,
}

/// A ref that keeps what a job's attempt made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// The job's id as it stands in the name: as it is, when it is a UUID.
    pub job: String,
    pub name: String,
    /// The id that it holds.
    pub target: String,
}

/// A ref that keeps a commit for whichever job needs it: a base, or a commit of ours on top of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRef {
    pub name: String,
    /// The commit that it holds and is named after.
    pub commit: CommitId,
    pub is_base: bool,
}

impl Mirrors {
    /// Everything in the directory of mirrors, by name. Links are passed over. Blocks.
    ///
    /// # Errors
    /// When the directory is there and cannot be read.
    pub fn sites(&self) -> io::Result<Vec<Site>> {
        let mut sites: BTreeMap<PathBuf, Site> = BTreeMap::new();
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let (Some(name), Ok(meta)) = (name.to_str(), entry.path().symlink_metadata()) else { continue };
            let Some((site, part)) = name.split_once('.').filter(|_| !meta.is_symlink()) else { continue };
            let path = self.dir.join(format!("{site}.git"));
            let site = sites.entry(path.clone()).or_insert_with(|| Site { path, ..Site::default() });
            match part {
                "git" => site.exists = meta.is_dir(),
                "lock" => site.last_used = meta.modified().ok(),
                "git.new" | "git.import" => site.half_made.push(entry.path()),
                part if part.starts_with("git.broken") => {
                    // The renaming sets this time and no other.
                    let moved = Duration::from_secs(u64::try_from(meta.ctime()).unwrap_or(0));
                    site.aside.push((entry.path(), UNIX_EPOCH + moved));
                }
                _ => {}
            }
        }
        Ok(sites.into_values().collect())
    }

    /// Takes the lock of a mirror to look after it, whether the mirror is there or not. `None`: somebody is using it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub async fn tend(&self, mirror: &Path) -> Result<Option<Tending>, GitError> {
        let alone = lock::if_free(mirror).await?;
        Ok(alone.map(|alone| Tending { git: self.git.clone(), path: mirror.to_owned(), _alone: alone }))
    }
}

/// Being alone with a mirror, to look after it. Others wait for it meanwhile.
#[derive(Debug)]
pub struct Tending {
    git: Git,
    path: PathBuf,
    _alone: Alone,
}

impl Tending {
    /// What dead gits left in it. Blocks.
    ///
    /// # Errors
    /// When a directory of it cannot be read.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, GitError> {
        match recover::leftovers(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            found => found.map_err(GitError::io("look for leftovers in a mirror", &self.path)),
        }
    }

    /// Removes leftovers in it and beside it: paths that [`Tending::leftovers`] or [`Mirrors::sites`] named. Blocks.
    ///
    /// # Errors
    /// When one of them cannot be removed.
    pub fn remove_leftovers(&self, paths: &[PathBuf]) -> Result<(), GitError> {
        recover::remove_leftovers(paths).map_err(GitError::io("remove leftovers of a mirror", &self.path))
    }

    /// How its objects lie. Blocks.
    ///
    /// # Errors
    /// When a directory of it cannot be read.
    pub fn load(&self) -> Result<Load, GitError> {
        load(&self.path.join("objects")).map_err(GitError::io("look at the objects of a mirror", &self.path))
    }

    /// The refs that keep what jobs made.
    ///
    /// # Errors
    /// What git says.
    pub async fn job_refs(&self) -> Result<Vec<JobRef>, GitError> {
        let operation = "list what jobs made";
        let read = |target: &str, name: &str| {
            let (job, _) = name.strip_prefix(JOB_REFS)?.split_once('/')?;
            Some(JobRef { job: job.to_owned(), name: name.to_owned(), target: target.to_owned() })
        };
        self.refs(operation, &[JOB_REFS], read).await
    }

    /// The refs that keep bases and what was put on top of them, the youngest commit first.
    ///
    /// # Errors
    /// What git says.
    pub async fn commit_refs(&self) -> Result<Vec<CommitRef>, GitError> {
        let read = |target: &str, name: &str| {
            let is_base = name.starts_with(BASE_REFS);
            Some(CommitRef { name: name.to_owned(), commit: CommitId::parse(target).ok()?, is_base })
        };
        self.refs("list the bases of jobs", &[BASE_REFS, GRAFT_REFS], read).await
    }

    async fn refs<T>(
        &self,
        operation: &'static str,
        below: &[&str],
        read: impl Fn(&str, &str) -> Option<T>,
    ) -> Result<Vec<T>, GitError> {
        let call = self.git.on(operation, &self.path).args(["for-each-ref", "--sort=-committerdate"]);
        let listed = call.arg("--format=%(objectname) %(refname)").args(below).output().await?;
        let lines = listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let split = |line| std::str::from_utf8(line).ok()?.split_once(' ');
        let read = |line| split(line).and_then(|(target, name)| read(target, name));
        lines.map(|line| read(line).ok_or_else(|| unexpected(operation, line))).collect()
    }

    /// Removes these refs, as far as they still hold what they held.
    ///
    /// # Errors
    /// What git says; then none of them was removed.
    pub async fn drop_refs(&self, refs: &[JobRef]) -> Result<(), GitError> {
        let there = self.job_refs().await?;
        let going = refs.iter().filter(|one| there.contains(one));
        self.delete(going.map(|one| (one.name.as_str(), one.target.as_str()))).await
    }

    /// Removes these refs of bases, as far as they are there.
    ///
    /// # Errors
    /// What git says; then none of them was removed.
    pub async fn drop_commit_refs(&self, refs: &[CommitRef]) -> Result<(), GitError> {
        let there = self.commit_refs().await?;
        let going = refs.iter().filter(|one| there.contains(one));
        self.delete(going.map(|one| (one.name.as_str(), one.commit.as_str()))).await
    }

    async fn delete(&self, refs: impl Iterator<Item = (&str, &str)>) -> Result<(), GitError> {
        let lines: String = refs.map(|(name, target)| format!("delete {name} {target}\n")).collect();
        let call = self.git.on("remove refs of jobs", &self.path).stdin(lines.into_bytes());
        call.args(["update-ref", "--stdin"]).output().await.map(drop)
    }

    /// Puts its objects in order. What is broken off by the time limit is mended away later, and nothing is lost.
    ///
    /// # Errors
    /// What git says, and [`GitError::TimedOut`].
    pub async fn repack(&self, how: Repack, limit: Duration) -> Result<(), GitError> {
        let call = self.git.on("put the objects of a mirror in order", &self.path).time_limit(limit);
        match how {
            // The lock is ours: a `gc.pid` that is there belongs to a git that is dead.
            Repack::Whole => {
                let prune = format!("--prune={GRACE}");
                call.args(["gc", "--quiet", "--force", "--cruft", &prune]).output().await.map(drop)
            }
            Repack::Small => {
                let repacking = call.args(["repack", "--quiet", "-d", "--geometric=2"]);
                repacking.output().await?;
                let call = self.git.on("pack the refs of a mirror", &self.path);
                call.args(["pack-refs", "--all"]).output().await.map(drop)
            }
        }
    }

    /// Removes the mirror; a job that wants it makes it anew. The lock file stays: a second one would be a second lock.
    ///
    /// # Errors
    /// When it cannot be removed, or is a link.
    pub async fn remove(self) -> Result<(), GitError> {
        remove_tree(&self.path).await
    }
}

fn load(objects: &Path) -> io::Result<Load> {
    let mut load = Load::default();
    for entry in fs::read_dir(objects)? {
        let entry = entry?;
        if entry.file_name() == "pack" {
            for pack in fs::read_dir(entry.path())? {
                let pack = pack?;
                if pack.path().extension().is_some_and(|ending| ending == "pack") {
                    load.packs += 1;
                    load.bytes += pack.metadata()?.len();
                }
            }
        } else if entry.file_name().len() == 2 && entry.file_type()?.is_dir() {
            load.loose += fs::read_dir(entry.path())?.count() as u64;
        }
    }
    Ok(load)
}

#[cfg(test)]
#[path = "tend_tests.rs"]
mod tests;
