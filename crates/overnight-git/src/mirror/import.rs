//! What an attempt made, into the mirror: by a bundle, checked object by object, and by nothing else.
//!
//! Owns the refs below `refs/overnight/jobs` and `refs/overnight/grafts`. It must not believe anything a bundle says
//! before git has checked it, and must not read a bundle in a place where an agent could still change it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use overnight_core::git::CommitId;
use overnight_core::id::JobId;

use super::{LockWait, Mirror, lock};
use crate::endpoint::Endpoint;
use crate::error::GitError;
use crate::git::{commit, unexpected};
use crate::remote::Remote;
use crate::remove::open_regular;

/// Largest bundle taken in: far above any change that a person could review, far below what fills a disk.
const MAX_BUNDLE: u64 = 2 << 30;
/// The one ref that a bundle of ours holds.
pub(crate) const RESULT_REF: &str = "refs/heads/result";
/// Most header lines of a bundle: one per parent at the edge of the new history.
const MAX_HEADER_LINES: usize = 10_000;

/// Findings that git only warns of and that no commit of today has reason to hold.
const STRICT: [&str; 6] =
    ["fullPathname", "hasDot", "hasDotdot", "hasDotgit", "nullSha1", "zeroPaddedFilemode"];

/// Who a commit is by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub email: String,
}

/// A result that is in the mirror now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub tip: CommitId,
    /// The ref in the mirror that keeps it.
    pub kept_by: String,
}

impl Mirror {
    /// Takes in the bundle of an attempt. Doing it again gives the same.
    ///
    /// # Errors
    /// [`GitError::BundleRefused`] when the file is not a plain bundle of ours; class `Rejected` when an object in it
    /// is refused.
    pub async fn import_bundle(&self, bundle: &Path, job: &JobId, attempt: u32) -> Result<Import, GitError> {
        let _alone = lock::acquire(&self.path, &LockWait::silent(self.git().network_limit())).await?;
        let (from, private) = (bundle.to_owned(), self.path.with_extension("git.import"));
        let copy = private.clone();
        let taken = tokio::task::spawn_blocking(move || take_in(&from, &copy)).await;
        let taken =
            taken.unwrap_or_else(|lost| Err(GitError::io("copy a bundle", bundle)(io::Error::other(lost))));
        let import = match taken {
            Ok(()) => self.fetch_bundle(&private, job, attempt).await,
            Err(error) => Err(error),
        };
        match fs::remove_file(&private) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(GitError::io("remove an imported bundle", private)(error))
            }
            Ok(()) | Err(_) => import,
        }
    }

    async fn fetch_bundle(&self, bundle: &Path, job: &JobId, attempt: u32) -> Result<Import, GitError> {
        let kept_by = format!("refs/overnight/jobs/{}/{attempt}", ref_part(job.as_str()));
        let source = Endpoint::open(Remote::path(bundle));
        let mut call = self.call("import the result of a job").about(job).reaching(&source);
        for finding in STRICT {
            call = call.config(&format!("fetch.fsck.{finding}=error"));
        }
        let call = call.config("fetch.unpackLimit=1").args(["fetch", "--quiet", "--no-tags"]);
        let call = call.args(["--no-write-fetch-head", "--no-auto-maintenance", "--end-of-options"]);
        call.arg(source.remote.argument()).arg(format!("+{RESULT_REF}:{kept_by}")).output().await?;
        let tip = self.read_ref(&kept_by).await?;
        let tip = tip.ok_or_else(|| GitError::BundleRefused { why: "it holds no commit".to_owned() })?;
        Ok(Import { tip, kept_by })
    }

    /// The tree of `tip` as one commit on `base`, with author, dates and message of `tip`: for a result that does not
    /// descend from its base. `tip` itself where it does. Doing it again gives the same commit.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn graft(&self, base: &CommitId, tip: &CommitId) -> Result<CommitId, GitError> {
        if self.is_ancestor(base, tip).await? {
            return Ok(tip.clone());
        }
        self.squash(base, tip).await
    }

    /// The tree of `tip` as one commit on `base`, whatever lies between. Doing it again gives the same commit.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn squash(&self, base: &CommitId, tip: &CommitId) -> Result<CommitId, GitError> {
        // Until its ref is there, what is written belongs to nobody: whoever mends the mirror must not come in between.
        let _alone = lock::acquire(&self.path, &LockWait::silent(self.git().network_limit())).await?;
        let operation = "put a result on its base";
        let raw = self.call(operation).about(tip).args(["cat-file", "commit", tip.as_str()]).output().await?;
        let text = with_parent(&raw, base).ok_or_else(|| unexpected(operation, &raw))?;
        let call = self.call(operation).about(base).about(tip).stdin(text);
        let written = call.args(["hash-object", "-t", "commit", "-w", "--stdin"]).output().await?;
        let grafted = commit(operation, &written)?;
        self.update_refs(&format!("update refs/overnight/grafts/{grafted} {grafted}\n")).await?;
        Ok(grafted)
    }
}

/// Copies a bundle out of the agent's reach, then looks at its header.
fn take_in(from: &Path, to: &PathBuf) -> Result<(), GitError> {
    let refused = |why: &str| GitError::BundleRefused { why: why.to_owned() };
    let file = open_regular(from, MAX_BUNDLE).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge => refused(&error.to_string()),
        _ => GitError::io("open a bundle", from)(error),
    })?;
    let copy = || -> io::Result<File> {
        crate::git::write_private(to, b"")?;
        let mut copy = File::options().read(true).write(true).open(to)?;
        io::copy(&mut file.take(MAX_BUNDLE), &mut copy)?;
        File::open(to)
    };
    let copy = copy().map_err(GitError::io("copy a bundle", to))?;
    check_header(BufReader::new(copy)).map_err(refused)
}

/// A bundle of version 2, or of version 3 with nothing special but its object format, that holds our one ref.
fn check_header(mut reader: impl BufRead) -> Result<(), &'static str> {
    let mut refs = 0;
    for number in 0..MAX_HEADER_LINES {
        let mut line = Vec::new();
        let read = reader.by_ref().take(4_096).read_until(b'\n', &mut line);
        if read.is_err() || line.pop() != Some(b'\n') {
            return Err("its header is cut off");
        }
        match line.as_slice() {
            b"# v2 git bundle" | b"# v3 git bundle" if number == 0 => {}
            _ if number == 0 => return Err("it is not a git bundle"),
            b"" if refs == 1 => return Ok(()),
            b"" => return Err("it does not hold exactly one ref"),
            line if line.starts_with(b"@object-format=") || line.starts_with(b"-") => {}
            line if line.starts_with(b"@") => return Err("it asks for a capability that is not allowed"),
            line if line.ends_with(format!(" {RESULT_REF}").as_bytes()) => refs += 1,
            _ => return Err("it holds a ref that is not ours"),
        }
    }
    Err("its header is too long")
}

/// A raw commit with its parents replaced and its signature left out.
fn with_parent(raw: &[u8], parent: &CommitId) -> Option<Vec<u8>> {
    let end = raw.windows(2).position(|pair| pair == b"\n\n")?;
    let mut out = Vec::with_capacity(raw.len());
    for line in raw[..end].split(|b| *b == b'\n') {
        if [&b"tree "[..], b"author ", b"committer ", b"encoding "].iter().any(|name| line.starts_with(name))
        {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        if line.starts_with(b"tree ") {
            out.extend_from_slice(format!("parent {parent}\n").as_bytes());
        }
    }
    out.extend_from_slice(&raw[end + 1..]);
    Some(out)
}

/// An id as one part of a ref name: what git would not take there is written as `_` and its code.
fn ref_part(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    id.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("_{b:02x}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_bundle_with_our_one_ref_passes() {
        let id = "0123456789012345678901234567890123456789";
        let check = |text: &str| check_header(text.as_bytes());
        let good = format!("# v2 git bundle\n-{id} base\n{id} {RESULT_REF}\n\nPACK");
        assert_eq!(check(&good), Ok(()));
        assert_eq!(check(&good.replace("v2 git bundle\n", "v3 git bundle\n@object-format=sha256\n")), Ok(()));
        for bad in [
            good.replace("v2", "v9"),
            good.replace("v2 git bundle\n", "v3 git bundle\n@filter=blob:none\n"),
            good.replace("result", "main"),
            good.replace("\n\n", &format!("\n{id} {RESULT_REF}\n\n")),
            "# v2 git bundle\n\n".to_owned(),
            good[..30].to_owned(),
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_grafted_commit_keeps_author_and_message_and_loses_its_signature() {
        let raw = b"tree 11\nparent 22\nauthor A <a> 1 +0000\ncommitter B <b> 2 +0000\ngpgsig x\n y\n\nsubject\n\nparent z\n";
        let base = CommitId::parse(&"3".repeat(40)).unwrap();
        let text = String::from_utf8(with_parent(raw, &base).unwrap()).unwrap();
        let wanted = format!(
            "tree 11\nparent {base}\nauthor A <a> 1 +0000\ncommitter B <b> 2 +0000\n\nsubject\n\nparent z\n"
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn every_job_id_makes_one_distinct_ref_part() {
        assert_eq!(ref_part("a-1"), "a-1");
        assert_eq!(ref_part("..:a_.lock"), "_2e_2e_3aa_5f_2elock");
    }
}
