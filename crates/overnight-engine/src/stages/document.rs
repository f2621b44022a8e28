//! The result of a job of an idea: one file that its agent writes. Nothing else of the agent's tree is looked at, and it is read as what
//! it is: something that anything may have been put in the place of.
//!
//! It lies in the workspace, because the vendors' own sandboxes let their agents write nowhere else, and is named after the job, so
//! that nothing of the repository can stand there before the agent began.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use overnight_core::backlog::idea::{RESULT_MAX, Submission};
use overnight_core::job::{JobState, StageOutput};

use crate::clean;
use crate::seat::Seat;
use crate::stages::agent::redactor;
use crate::stages::talk;
use crate::trouble::{self, StageError};

/// The variable that names the file to the agent and its tools.
pub(super) const VARIABLE: &str = "OVERNIGHT_RESULT";
/// Bytes that are read: more than any text of the most characters has.
const MOST: u64 = RESULT_MAX as u64 * 4;

/// Where the agent writes its document; `None`: its result is code.
pub(super) fn place(seat: &Seat<'_>) -> Option<PathBuf> {
    let document = seat.job.spec.document()?;
    let name = format!("overnight-{}-{}.md", document.part, seat.job.id);
    Some(seat.dirs.workspace().join(name))
}

/// Takes the document home. A copy of what was found stays with the logs, also when it is not what was asked for.
pub(super) async fn collect(seat: &mut Seat<'_>, path: PathBuf) -> Result<StageOutput, StageError> {
    let JobState::Collecting { trail, report, .. } = seat.state().clone() else {
        return Err(trouble::bug("collect outside its state"));
    };
    let workspace = seat.dirs.workspace();
    let mut document = trouble::blocking(move || read(&workspace, &path)).await?.map_err(trouble::io)?;
    if let Submission::Text(text) = &mut document {
        clean::text(text, redactor(seat).as_ref());
        let (kept, copy) = (seat.dirs.result(trail.turns), text.clone());
        trouble::blocking(move || fs::write(kept, copy)).await?.map_err(trouble::io)?;
    }
    let backend = seat.job.spec.agent_of(trail.who).backend;
    let asking = crate::accounts::standing(seat, backend, trail.account.as_ref(), &report.outcome).await?;
    let talk = talk::at_home(seat).await?;
    Ok(StageOutput::Written { document, asking, talk })
}

/// What stands there: no link is followed, nothing is waited for, and no more is read than a document may have.
fn read(workspace: &Path, path: &Path) -> std::io::Result<Submission> {
    match fs::symlink_metadata(workspace) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Ok(Submission::Unusable("in a place that is no directory any more")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Submission::Missing),
        Err(error) => return Err(error),
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => return Ok(Submission::Unusable("a link")),
        Ok(found) if found.is_dir() => return Ok(Submission::Unusable("a directory")),
        Ok(found) if !found.is_file() => return Ok(Submission::Unusable("no ordinary file")),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Submission::Missing),
        Err(error) => return Err(error),
    }
    // Looked at once more when it is open: it may have been replaced in between.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Submission::Missing),
        Err(_) => return Ok(Submission::Unusable("a file that cannot be read")),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(Submission::Unusable("no ordinary file"));
    }
    if found.nlink() != 1 {
        return Ok(Submission::Unusable("a file with several names"));
    }
    if found.len() > MOST {
        return Ok(Submission::Unusable("a file that is far too large"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).map_or(Submission::Unusable("no text in UTF-8"), Submission::Text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[track_caller]
    fn found(make: impl Fn(&Path, &Path)) -> Submission {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, secret) = (dir.path().join("workspace"), dir.path().join("secret"));
        fs::create_dir(&workspace).unwrap();
        fs::write(&secret, "secret").unwrap();
        let path = workspace.join("result.md");
        make(&path, &secret);
        read(&workspace, &path).unwrap()
    }

    #[test]
    fn only_an_ordinary_file_of_ordinary_size_is_read() {
        assert_eq!(found(|path, _| fs::write(path, "yes").unwrap()), Submission::Text("yes".to_owned()));
        assert_eq!(found(|_, _| ()), Submission::Missing);
        let unusable = |make: &dyn Fn(&Path, &Path)| match found(make) {
            Submission::Unusable(what) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(unusable(&|path, secret| symlink(secret, path).unwrap()), "a link");
        assert_eq!(unusable(&|path, _| symlink("/nowhere", path).unwrap()), "a link");
        assert_eq!(unusable(&|path, _| fs::create_dir(path).unwrap()), "a directory");
        assert_eq!(
            unusable(&|path, secret| fs::hard_link(secret, path).unwrap()),
            "a file with several names"
        );
        assert_eq!(unusable(&|path, _| fs::write(path, b"\xff\xfe").unwrap()), "no text in UTF-8");
        let huge = |path: &Path, _: &Path| fs::File::create(path).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(unusable(&huge), "a file that is far too large");
        let socket = |path: &Path, _: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        assert_eq!(unusable(&socket), "no ordinary file");
    }

    #[test]
    fn a_workspace_that_became_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("elsewhere")).unwrap();
        fs::write(dir.path().join("elsewhere/result.md"), "not ours").unwrap();
        let workspace = dir.path().join("workspace");
        symlink(dir.path().join("elsewhere"), &workspace).unwrap();
        let found = read(&workspace, &workspace.join("result.md")).unwrap();
        assert!(matches!(found, Submission::Unusable(_)), "{found:?}");
    }
}
