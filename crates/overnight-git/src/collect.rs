//! What an agent left in its workspace, out of it: one command that runs in the job's containment, and the reading of
//! what that command wrote.
//!
//! Owns the out directory's contents: `facts`, `result.bundle`. The host must not run git on the workspace
//! and must not believe the facts: what counts is the bundle after the mirror has checked it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use overnight_core::command::{CommandSpec, FileGuard, Isolation};
use overnight_core::git::CommitId;
use overnight_core::id::JobId;

use crate::env::HostEnv;
use crate::error::GitError;
use crate::mirror::{Identity, Import, Mirror};
use crate::remove::{open_regular, remove_tree};
use crate::workspace::Workspace;

/// The script; no text is ever put into it.
const SCRIPT: &str = include_str!("collect.sh");
/// Longest run, unless the caller sets another: adding a work tree of several gigabytes on a slow disk.
const LIMIT: Duration = Duration::from_secs(900);
/// Bytes of the facts file that are read: it has seven possible lines.
const MAX_FACTS: u64 = 4_096;

/// What was found in a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The result in the mirror; `None` when nothing was changed.
    pub tip: Option<CommitId>,
    /// What the collecting command noted on its way: for people, not for decisions.
    pub facts: Facts,
}

/// Notes of the collecting command. An agent can forge them only by outliving its own containment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// The agent left changes without a commit; they are in a commit of ours.
    pub dirty: bool,
    /// The agent's repository was gone or damaged; the result is its work tree as one commit on the base.
    pub salvaged: bool,
    /// Some files could not be read and are not in the result.
    pub incomplete: bool,
    /// Repositories inside the work tree were left out.
    pub nested: bool,
    /// HEAD had been moved back behind the base; the result undoes the difference.
    pub rewound: bool,
    /// The work tree itself was gone.
    pub missing: bool,
}

/// The command that collects a workspace into `out`, an empty directory of ours ([`prepare_out`]). Runs where the
/// agent ran; status 0 means that everything it could find is in `out`.
#[must_use]
pub fn plan(
    workspace: &Workspace,
    out: &Path,
    message: &str,
    identity: &Identity,
    env: &HostEnv,
) -> CommandSpec {
    let format = if workspace.base.as_str().len() == 64 { "sha256" } else { "sha1" };
    let mut spec = CommandSpec::new("/bin/sh", out).args(["-c", SCRIPT, "collect"]);
    spec = spec.arg(&workspace.path).arg(&workspace.mirror).arg(workspace.base.as_str()).arg(out);
    spec = spec.arg(format).arg(&workspace.index).arg(message);
    for (name, value) in [
        ("LC_ALL", "C"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ALLOW_PROTOCOL", ""),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_LITERAL_PATHSPECS", "1"),
        ("GIT_AUTHOR_NAME", &identity.name),
        ("GIT_AUTHOR_EMAIL", &identity.email),
        ("GIT_COMMITTER_NAME", &identity.name),
        ("GIT_COMMITTER_EMAIL", &identity.email),
    ] {
        spec = spec.env(name, value);
    }
    spec = spec.env("HOME", out);
    spec.env.extend(env.pick(&["PATH"]));
    spec.limits.wall = Some(LIMIT);
    let read_only = vec![workspace.mirror.clone(), workspace.index.clone()];
    spec.isolation = Isolation::Contained(FileGuard { read_only, ..FileGuard::default() });
    spec
}

/// Makes the out directory, empty: what an earlier try left is removed.
///
/// # Errors
/// [`GitError::PathRefused`] when the path is a link; [`GitError::Io`].
pub async fn prepare_out(out: &Path) -> Result<(), GitError> {
    remove_tree(out).await?;
    fs::create_dir_all(out).map_err(GitError::io("make a directory for the result", out))
}

/// Takes the result out of the out directory into the mirror, after the command of [`plan`] has ended. Safe to repeat.
///
/// # Errors
/// As [`Mirror::import_bundle`]; the facts file is missing or is none.
pub async fn finish_collect(
    mirror: &Mirror,
    out: &Path,
    job: &JobId,
    attempt: u32,
) -> Result<Collected, GitError> {
    let operation = "read what was collected";
    let facts = match read_facts(&out.join("facts")) {
        Ok(text) => parse_facts(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Facts::default(),
        Err(error) => return Err(GitError::io(operation, out)(error)),
    };
    let bundle = out.join("result.bundle");
    if fs::symlink_metadata(&bundle).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(Collected { tip: None, facts });
    }
    let Import { tip, .. } = mirror.import_bundle(&bundle, job, attempt).await?;
    Ok(Collected { tip: Some(tip), facts })
}

fn read_facts(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path, MAX_FACTS)?.take(MAX_FACTS).read_to_string(&mut text)?;
    Ok(text)
}

fn parse_facts(text: &str) -> Facts {
    let has = |name| text.lines().any(|line| line == name);
    Facts {
        dirty: has("dirty"),
        salvaged: has("salvaged"),
        incomplete: has("incomplete"),
        nested: has("nested"),
        rewound: has("rewound"),
        missing: has("missing"),
    }
}

#[cfg(test)]
mod tests;
