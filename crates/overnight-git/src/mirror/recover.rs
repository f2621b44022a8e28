//! What a crash can leave in a mirror, and how it is put right. Runs under the mirror's lock, so that every lock file
//! and every temporary file found belongs to a git that is dead.
//!
//! Owns the decision between mending and putting aside. It must not delete a whole object or a ref.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Format;
use crate::error::GitError;

const OPERATION: &str = "mend a mirror";
/// What `init --initial-branch=none` writes: mirrors have no branch of their own.
const HEAD: &str = "ref: refs/heads/none\n";
/// Directories of refs lie no deeper than this; the bound guards against a loop.
const MAX_DEPTH: u32 = 16;

/// Brings a mirror back to a whole state. `None`: there is none now, because there was none or because it was damaged
/// and has been put aside.
pub(super) fn mend(path: &Path) -> Result<Option<Format>, GitError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(GitError::io(OPERATION, path)(error)),
        Ok(meta) if !meta.is_dir() => return put_aside(path).map(|_| None),
        Ok(_) => {}
    }
    match mend_directory(path) {
        Ok(Some(format)) => Ok(Some(format)),
        Ok(None) => put_aside(path).map(|_| None),
        Err(error) => Err(GitError::io(OPERATION, path)(error)),
    }
}

/// Renames a mirror to `<name>.git.broken-<n>`: nothing in it is lost.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf, GitError> {
    let aside = (1_u32..)
        .map(|number| path.with_extension(format!("git.broken-{number}")))
        .find(|aside| fs::symlink_metadata(aside).is_err())
        .unwrap_or_else(|| path.with_extension("git.broken"));
    fs::rename(path, &aside).map_err(GitError::io("put a damaged mirror aside", path))?;
    tracing::warn!(mirror = %path.display(), aside = %aside.display(), "a damaged mirror was put aside");
    Ok(aside)
}

/// `None` when the mirror cannot be mended.
fn mend_directory(path: &Path) -> io::Result<Option<Format>> {
    let Some(format) = read_format(&path.join("config"))? else { return Ok(None) };
    if !path.join("objects").is_dir() || path.join("objects/info/alternates").exists() {
        return Ok(None);
    }
    rewrite_unless(&path.join("config"), format.config())?;
    rewrite_unless(&path.join("HEAD"), HEAD)?;
    fs::create_dir_all(path.join("refs"))?;
    remove_leftovers(&leftovers(path)?)?;
    if !packs_are_whole(&path.join("objects/pack"), format)? {
        return Ok(None);
    }
    Ok(Some(format))
}

fn read_format(config: &Path) -> io::Result<Option<Format>> {
    let text = match fs::read(config) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let sections = text.contains("[core]");
    let wide = text.lines().any(|line| line.trim().eq_ignore_ascii_case("objectformat = sha256"));
    Ok(sections.then_some(if wide { Format::Sha256 } else { Format::Sha1 }))
}

fn rewrite_unless(path: &Path, wanted: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|found| found == wanted.as_bytes()) {
        return Ok(());
    }
    let new = path.with_extension("overnight-new");
    crate::git::write_private(&new, wanted.as_bytes())?;
    fs::rename(&new, path)
}

/// What gits that died while they wrote have left: all of it is of no use to anybody once the mirror's lock is held.
pub(super) fn leftovers(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    add_stale(path, 0, &mut found)?;
    add_stale_objects(&path.join("objects"), &mut found)?;
    Ok(found)
}

/// Removes what [`leftovers`] found.
pub(super) fn remove_leftovers(found: &[PathBuf]) -> io::Result<()> {
    for path in found {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(meta) if meta.is_dir() => crate::remove::remove_tree_now(path)?,
            Ok(_) => fs::remove_file(path)?,
        }
    }
    Ok(())
}

/// Lock files at the top and below `refs`, and empty files in the place of refs, which a power cut leaves.
fn add_stale(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        let stale = name.as_encoded_bytes().ends_with(b".lock");
        if kind.is_dir() && (depth > 0 || name == "refs") {
            add_stale(&entry.path(), depth + 1, found)?;
        } else if kind.is_file() && (stale || (depth > 0 && entry.metadata()?.len() == 0)) {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Temporary files and directories that git makes while it writes objects, and objects cut to nothing.
fn add_stale_objects(objects: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(objects)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(b"tmp_") || name.starts_with(b"incoming-") {
            found.push(entry.path());
        } else if name == b"pack" || name.len() == 2 {
            add_stale_files(&entry.path(), found)?;
        }
    }
    Ok(())
}

fn add_stale_files(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let temporary = name.starts_with(b"tmp_") || name.starts_with(b".tmp-") || name.ends_with(b".lock");
        if entry.file_type()?.is_file()
            && (temporary || entry.metadata()?.len() == 0 && !name.ends_with(b".keep"))
        {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Whether every pack ends with the checksum that its index names. Costs two short reads for each pack, and finds what
/// a crash or a full disk can do to one; flipped bits are found by git itself when it reads.
fn packs_are_whole(dir: &Path, format: Format) -> io::Result<bool> {
    let width = match format {
        Format::Sha1 => 20,
        Format::Sha256 => 32,
    };
    if !dir.is_dir() {
        return Ok(true);
    }
    for entry in fs::read_dir(dir)? {
        let index = entry?.path();
        if index.extension().is_none_or(|ending| ending != "idx") {
            continue;
        }
        let named = end_of(&index, 2 * width, width)?;
        let found = end_of(&index.with_extension("pack"), width, width)?;
        if named.is_none() || named != found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `length` bytes that start `back` bytes before the end; `None` when the file is missing or shorter.
fn end_of(path: &Path, back: usize, length: usize) -> io::Result<Option<Vec<u8>>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let distance = i64::try_from(back).unwrap_or(i64::MAX);
    if file.metadata()?.len() < distance.unsigned_abs() {
        return Ok(None);
    }
    file.seek(SeekFrom::End(-distance))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
