//! Why a command could not be started. Owns the translation from errno to what a caller can act on.

use std::io;
use std::path::PathBuf;

/// Why there is no process. Nothing was left behind: neither a process nor a keeper.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No such file, or not in the PATH of the spec; also a script whose interpreter is missing.
    #[error("program `{}` was not found", program.display())]
    ProgramNotFound { program: PathBuf, source: io::Error },
    /// There, but cannot be executed: no permission, not a program, a program for another machine.
    #[error("program `{}` cannot be executed", program.display())]
    NotExecutable { program: PathBuf, source: io::Error },
    #[error("working directory `{}` cannot be entered", cwd.display())]
    CwdMissing { cwd: PathBuf, source: io::Error },
    /// The machine is out of processes, memory or descriptors: try again later.
    #[error("the machine is out of resources ({what})")]
    OutOfResources { what: &'static str, source: io::Error },
    #[error("no space for `{}`", path.display())]
    NoSpace { path: PathBuf, source: io::Error },
    #[error("log file `{}` cannot be opened", path.display())]
    Log { path: PathBuf, source: io::Error },
    /// A path of the file guard cannot be protected. A writable one must not lead through a symbolic link.
    #[error("the file guard cannot be applied to `{}`", path.display())]
    Guard { path: PathBuf, source: io::Error },
    /// One argument is above 128 KiB, or all arguments and the environment together are above the system's limit.
    #[error("the arguments of `{}` are too long", program.display())]
    ArgumentsTooLong { program: PathBuf, source: io::Error },
    #[error("`{text}` contains a NUL byte")]
    NulByte { text: String },
    /// A step of our own that should not fail.
    #[error("the supervisor of `{}` could not be set up ({step})", program.display())]
    Setup { program: PathBuf, step: &'static str, source: io::Error },
}

impl SpawnError {
    /// For a failed descriptor, pipe or fork.
    pub(crate) fn from_resources(program: &std::path::Path, step: &'static str, source: io::Error) -> Self {
        match out_of(&source) {
            Some(what) => Self::OutOfResources { what, source },
            None => Self::Setup { program: program.to_path_buf(), step, source },
        }
    }
}

fn out_of(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EAGAIN => Some("processes"),
        libc::ENOMEM => Some("memory"),
        libc::EMFILE | libc::ENFILE => Some("open files"),
        _ => None,
    }
}
