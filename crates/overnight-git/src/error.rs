//! What can go wrong with git, told apart by what the caller can do about it.
//!
//! Owns the classes and the reading of git's messages. It must not hold a secret: addresses lose their user part here.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use overnight_core::command::Exit;
use overnight_core::git::BranchName;

use crate::remote::without_userinfo;

/// Characters of git's messages kept in an error.
const TAIL: usize = 2_000;

/// What a failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Network trouble, a held lock, a time-out: the same call may succeed later.
    Transient,
    /// The remote wants a key, or another one.
    Auth,
    /// No such repository, branch or object.
    NotFound,
    /// The other side, or our object check, refused the content.
    Rejected,
    /// The disk is full.
    NoSpace,
    /// Objects are missing or damaged: the mirror has to be made anew.
    Corrupt,
    /// The machine or the repository has to be put right by a person first.
    Setup,
    /// Anything else: a fault of ours.
    Bug,
}

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("failed to {operation} ({inputs}): git ended with {exit:?}: {stderr}")]
    Failed { operation: &'static str, inputs: String, class: Class, exit: Exit, stderr: String },
    #[error("failed to start git to {operation}")]
    NotStarted {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("failed to {operation} ({inputs}): git did not end within {} s", limit.as_secs())]
    TimedOut { operation: &'static str, inputs: String, limit: Duration },
    #[error("failed to {operation}: git said something unexpected: {output:?}")]
    Unexpected { operation: &'static str, output: String },
    #[error("failed to {operation}: {}", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("git {found} is too old: {needed} or newer is needed")]
    TooOld { found: String, needed: String },
    #[error("git is not installed, or not in PATH")]
    Missing,
    #[error("the remote {remote} has no commits yet: push a first one")]
    EmptyRemote { remote: String },
    #[error("the default branch of {remote} does not exist: name a branch, or set the default branch there")]
    NoDefaultBranch { remote: String },
    #[error("{remote} has no branch {branch:?}")]
    NoSuchBranch { remote: String, branch: String },
    #[error("{name:?} cannot be the name of a branch")]
    InvalidRef { name: String },
    #[error("the mirror {} was still in use after {} s", path.display(), waited.as_secs())]
    LockTimeout { path: PathBuf, waited: Duration },
    #[error("the result of the job is refused: {why}")]
    BundleRefused { why: String },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("refusing to push to {branch}: {why}")]
    BranchRefused { branch: BranchName, why: &'static str },
    #[error("refusing to push to {branch}: it is checked out in {}", path.display())]
    CheckedOut { branch: BranchName, path: PathBuf },
    #[error("refusing to touch {}: {why}", path.display())]
    PathRefused { path: PathBuf, why: &'static str },
}

impl GitError {
    /// What the caller can do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Failed { class, .. } => *class,
            Self::TimedOut { .. } | Self::LockTimeout { .. } => Class::Transient,
            Self::Io { source, .. } => io_class(source),
            Self::NotStarted { .. } | Self::TooOld { .. } | Self::Missing | Self::PathRefused { .. } => {
                Class::Setup
            }
            Self::EmptyRemote { .. } | Self::NoDefaultBranch { .. } | Self::NoSuchBranch { .. } => {
                Class::NotFound
            }
            Self::BundleRefused { .. }
            | Self::TooLarge { .. }
            | Self::BranchRefused { .. }
            | Self::CheckedOut { .. } => Class::Rejected,
            Self::Unexpected { .. } | Self::InvalidRef { .. } => Class::Bug,
        }
    }

    pub(crate) fn io(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }
}

fn io_class(error: &io::Error) -> Class {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Class::NoSpace,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Class::Setup,
        _ => Class::Bug,
    }
}

/// Phrases of git 2.39 to 2.51 under `LC_ALL=C`, each with its class; the first that occurs decides.
const PHRASES: [(&str, Class); 43] = [
    ("No space left on device", Class::NoSpace),
    ("Disk quota exceeded", Class::NoSpace),
    ("Out of diskspace", Class::NoSpace),
    ("dubious ownership", Class::Setup),
    ("cannot find a helper", Class::Setup),
    ("Host key verification failed", Class::Setup),
    ("server certificate verification failed", Class::Setup),
    ("SSL certificate problem", Class::Setup),
    ("Authentication failed", Class::Auth),
    ("could not read Username", Class::Auth),
    ("could not read Password", Class::Auth),
    ("terminal prompts disabled", Class::Auth),
    ("Permission denied (", Class::Auth),
    ("The requested URL returned error: 401", Class::Auth),
    ("The requested URL returned error: 403", Class::Auth),
    ("Write access to repository not granted", Class::Auth),
    ("Could not resolve host", Class::Transient),
    ("Failed to connect", Class::Transient),
    ("Connection refused", Class::Transient),
    ("Connection reset", Class::Transient),
    ("Connection timed out", Class::Transient),
    ("Operation timed out", Class::Transient),
    ("The requested URL returned error: 429", Class::Transient),
    ("The requested URL returned error: 5", Class::Transient),
    ("early EOF", Class::Transient),
    ("unexpected disconnect", Class::Transient),
    (".lock': File exists", Class::Transient),
    ("cannot lock ref", Class::Transient),
    ("fsck error", Class::Rejected),
    ("error in object", Class::Rejected),
    ("pre-receive hook declined", Class::Rejected),
    ("does not appear to be a git repository", Class::NotFound),
    ("The requested URL returned error: 404", Class::NotFound),
    ("epository not found", Class::NotFound),
    ("couldn't find remote ref", Class::NotFound),
    ("not our ref", Class::NotFound),
    ("not found", Class::NotFound),
    // Anything else that went wrong between here and there.
    ("unable to access 'http", Class::Transient),
    ("RPC failed", Class::Transient),
    ("the remote end hung up", Class::Transient),
    ("Could not read from remote repository", Class::Transient),
    ("is corrupt", Class::Corrupt),
    ("bad object", Class::Corrupt),
];

/// Further marks of damage, looked for after [`PHRASES`].
const DAMAGE: [&str; 7] = [
    "missing object",
    "unable to read",
    "does not match index",
    "does not point to a valid object",
    "inflate:",
    "object file",
    "not a git repository",
];

/// Reads the class out of git's messages.
pub(crate) fn classify(stderr: &str) -> Class {
    let known = PHRASES.iter().find(|(phrase, _)| stderr.contains(phrase)).map(|(_, class)| *class);
    known.unwrap_or_else(|| {
        if DAMAGE.iter().any(|phrase| stderr.contains(phrase)) { Class::Corrupt } else { Class::Bug }
    })
}

/// The end of git's messages as text for people: without user parts of addresses, without control characters.
pub(crate) fn tail(stderr: &[u8]) -> String {
    let text = without_userinfo(&String::from_utf8_lossy(stderr));
    let clean: String =
        text.trim_end().chars().map(|c| if c == '\n' || !c.is_control() { c } else { '\u{fffd}' }).collect();
    let skip = clean.chars().count().saturating_sub(TAIL);
    clean.chars().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_git_prints_them_have_the_class_that_helps() {
        for (message, class) in [
            ("fatal: unable to access 'https://h/a/': Could not resolve host: h", Class::Transient),
            ("fatal: unable to access 'https://h/a/': Empty reply from server", Class::Transient),
            ("fatal: unable to access 'https://h/a/': The requested URL returned error: 403", Class::Auth),
            (
                "kex_exchange_identification: Connection closed by remote host\nfatal: Could not read from remote repository.",
                Class::Transient,
            ),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", Class::Auth),
            ("remote: Repository not found.\nfatal: repository 'https://h/a/' not found", Class::NotFound),
            ("fatal: Unable to create '/m/packed-refs.lock': File exists.", Class::Transient),
            ("fatal: write error: No space left on device", Class::NoSpace),
            ("error: object 12: fsck error in packed object", Class::Rejected),
            ("fatal: loose object 12 (stored in /m/12) is corrupt", Class::Corrupt),
            ("fatal: detected dubious ownership in repository at '/x'", Class::Setup),
            ("git@h: Permission denied (publickey).", Class::Auth),
            ("fatal: something new", Class::Bug),
        ] {
            assert_eq!(classify(message), class, "{message}");
        }
    }

    #[test]
    fn an_error_text_shows_no_password_and_no_control_sequence() {
        let text = tail(b"fatal: https://u:canary@h/a \x1b[31mred\n");
        assert_eq!(text, "fatal: https://h/a \u{fffd}[31mred");
    }
}
