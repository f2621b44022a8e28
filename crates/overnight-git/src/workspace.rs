//! Work trees for agents and for checks: private clones that borrow the mirror's objects.
//!
//! Owns the clone at a path and two files beside it, out of the agent's reach: `<path>.ready`, written last, says
//! that the clone is whole; `<path>.index` is git's index as of then, which makes collecting fast. One contract:
//! [`ready`]. Once an agent has been in a workspace, host-side git must not look into it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use overnight_core::git::{BranchName, CommitId};

use crate::error::GitError;
use crate::git::{quoted, with_prefix, write_private};
use crate::mirror::{Identity, Mirror};
use crate::remove::{remove_locks, remove_tree};

/// A clone at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub path: PathBuf,
    /// The commit that was checked out.
    pub base: CommitId,
    /// The mirror that its objects are borrowed from. Whoever works in it must be able to read this directory.
    pub mirror: PathBuf,
    /// git's index as of the check-out, outside the clone.
    pub index: PathBuf,
    /// Made by this call. `false`: it was there, with whatever was done in it since.
    pub fresh: bool,
}

/// How a new workspace is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Branch to check out; none for a detached HEAD.
    pub branch: Option<BranchName>,
    /// Name and address for commits made in it.
    pub identity: Option<Identity>,
}

/// The workspace at `path`: as it is when it was made whole for this commit, and made anew in every other case.
///
/// # Errors
/// [`GitError::PathRefused`] when `path` is a link or no directory; [`GitError::Io`] or what git says.
pub async fn ready(
    mirror: &Mirror,
    commit: &CommitId,
    path: &Path,
    setup: &Setup,
) -> Result<Workspace, GitError> {
    let workspace = Workspace {
        path: path.to_owned(),
        base: commit.clone(),
        mirror: mirror.path().to_owned(),
        index: beside(path, ".index"),
        fresh: false,
    };
    let is_dir = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    if is_dir && fs::read(beside(path, ".ready")).is_ok_and(|text| text == marker(&workspace)) {
        return Ok(workspace);
    }
    remove(path).await?;
    make(mirror, &workspace, setup).await?;
    Ok(Workspace { fresh: true, ..workspace })
}

/// Removes the locks that git commands of the workspace left when they were killed: whoever works in it next would find them in the
/// way. Only for a workspace in which no process works any more. What is no lock is not touched, and no link is followed.
///
/// # Errors
/// [`GitError::Io`]; none where the repository is gone or is no directory.
pub async fn unlock(path: &Path) -> Result<(), GitError> {
    let operation = "remove what killed git commands left";
    let repository = path.join(".git");
    let (at, failed) = (repository.clone(), GitError::io(operation, &repository));
    let done = tokio::task::spawn_blocking(move || remove_locks(&at)).await;
    done.unwrap_or_else(|lost| Err(io::Error::other(lost))).map_err(failed)
}

/// Where git's index as of the check-out of the workspace at `path` lies.
#[must_use]
pub fn index_of(path: &Path) -> PathBuf {
    beside(path, ".index")
}

/// The commit for which a whole workspace was made at `path`; `None` when there is none, or only half of one.
#[must_use]
pub fn made_for(mirror: &Mirror, path: &Path) -> Option<CommitId> {
    let is_dir = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let text = fs::read_to_string(beside(path, ".ready")).ok().filter(|_| is_dir)?;
    let (base, place) = text.split_once('\n')?;
    let same_mirror = place.trim_end_matches('\n').as_bytes() == mirror.path().as_os_str().as_encoded_bytes();
    CommitId::parse(base).ok().filter(|_| same_mirror)
}

/// The files that belong to the workspace at `path` and lie beside it. The first says that it is whole, and has to go first.
#[must_use]
pub fn files_of(path: &Path) -> [PathBuf; 3] {
    [beside(path, ".ready"), beside(path, ".ready-new"), beside(path, ".index")]
}

/// The mirror that the workspace at `path` borrows its objects from, as far as one was made there.
#[must_use]
pub fn borrows_from(path: &Path) -> Option<PathBuf> {
    let text = fs::read(beside(path, ".ready")).ok()?;
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let place = text.get(end + 1..)?;
    let place = place.strip_suffix(b"\n").unwrap_or(place);
    Some(PathBuf::from(OsStr::from_bytes(place)))
}

/// Removes a workspace and the files beside it. Nothing there is no error.
///
/// # Errors
/// [`GitError::PathRefused`] when `path` is a link or no directory; nothing is touched then.
pub async fn remove(path: &Path) -> Result<(), GitError> {
    // First the marker: what is half removed must not look whole.
    remove_file(&beside(path, ".ready"))?;
    remove_tree(path).await?;
    remove_file(&beside(path, ".index"))
}

async fn make(mirror: &Mirror, workspace: &Workspace, setup: &Setup) -> Result<(), GitError> {
    let (operation, path) = ("make a workspace", workspace.path.as_path());
    let io = |error| GitError::io(operation, path)(error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    let format = format!("--object-format={}", mirror.format().name());
    let call = mirror.git().without_repository(operation).about(path.display());
    let call = call.args(["init", "--quiet", "--template=", "--initial-branch=none", &format, "--"]);
    call.arg(path).output().await?;
    borrow_objects(mirror, path).and_then(|()| configure(path, setup)).map_err(io)?;
    check_out(mirror, workspace, setup).await?;
    keep_index(workspace).and_then(|()| write_marker(path, &marker(workspace))).map_err(io)
}

/// The copy has the time of the original: git compares it with the times of files to tell which of them may have
/// changed unnoticed.
fn keep_index(workspace: &Workspace) -> io::Result<()> {
    let original = workspace.path.join(".git/index");
    fs::copy(&original, &workspace.index)?;
    fs::File::options().append(true).open(&workspace.index)?.set_modified(fs::metadata(original)?.modified()?)
}

fn borrow_objects(mirror: &Mirror, path: &Path) -> io::Result<()> {
    let mut objects = quoted_path(&mirror.path().join("objects"));
    objects.push(b'\n');
    let git_dir = path.join(".git");
    fs::write(git_dir.join("objects/info/alternates"), objects)?;
    match fs::copy(mirror.path().join("shallow"), git_dir.join("shallow")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A path for `objects/info/alternates`, where a line feed would end it.
fn quoted_path(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if !bytes.contains(&b'\n') && !bytes.starts_with(b"\"") && !bytes.starts_with(b"#") {
        return bytes.to_vec();
    }
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    let quoted: String = bytes
        .iter()
        .map(|b| if plain(*b) { char::from(*b).to_string() } else { format!("\\{b:03o}") })
        .collect();
    format!("\"{quoted}\"").into_bytes()
}

fn configure(path: &Path, setup: &Setup) -> io::Result<()> {
    let file = path.join(".git/config");
    let mut text = fs::read_to_string(&file)?;
    text += "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[submodule]\n\trecurse = false\n";
    if let Some(Identity { name, email }) = &setup.identity {
        let (name, email) = (quoted(name), quoted(email));
        text.extend(["[user]\n\tname = ", &name, "\n\temail = ", &email, "\n"]);
    }
    fs::write(file, text)
}

async fn check_out(mirror: &Mirror, workspace: &Workspace, setup: &Setup) -> Result<(), GitError> {
    let call = mirror.git().on("check out a commit", &workspace.path.join(".git")).about(&workspace.base);
    let call = call.arg(with_prefix("--work-tree=", &workspace.path)).about(workspace.path.display());
    // As many writers as processors, from the first hundred files on.
    let call = call.config("checkout.workers=0").config("core.fsync=none").args(["checkout", "--quiet"]);
    let call = match &setup.branch {
        Some(branch) => call.args(["--no-track", "-B", branch.as_str()]),
        None => call.arg("--detach"),
    };
    call.args([workspace.base.as_str(), "--"]).output().await.map(drop)
}

fn marker(workspace: &Workspace) -> Vec<u8> {
    let mut text = format!("{}\n", workspace.base).into_bytes();
    text.extend_from_slice(workspace.mirror.as_os_str().as_encoded_bytes());
    text.push(b'\n');
    text
}

fn write_marker(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = beside(path, ".ready-new");
    write_private(&new, text)?;
    fs::rename(new, beside(path, ".ready"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn remove_file(path: &Path) -> Result<(), GitError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(GitError::io("remove a file", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
