//! Everything the forked child needs, worked out before the fork: texts, pointers, descriptors. Owns the memory that the
//! child reads. Looks at the file system; changes nothing.

use std::ffi::{CString, OsStr, OsString, c_char};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::Duration;

use overnight_core::command::{CommandSpec, FileGuard, Isolation};

use crate::child::sys::Fd;
use crate::error::SpawnError;
use crate::probe::NamespaceMode;

/// Leftover processes may end by themselves for this long before they count as left behind: helpers that notice a closed
/// pipe are slower than their parent.
const SETTLE: Duration = Duration::from_millis(200);
/// Time between TERM and KILL for processes that the program left behind.
const LEFT_GRACE: Duration = Duration::from_millis(500);

pub(crate) struct Plan {
    pub(crate) mode: Mode,
    /// An agent or a check, as opposed to our own helper.
    pub(crate) contained: bool,
    /// `None` only for the probe: the chain is built, and nothing is executed.
    pub(crate) image: Option<Image>,
    pub(crate) guard: Vec<GuardEntry>,
    pub(crate) fds: ChildFds,
    pub(crate) tail: Option<Tail>,
    /// Every descriptor above, sorted.
    pub(crate) keep: Vec<Fd>,
    pub(crate) settle_ms: i32,
    pub(crate) left_ms: i32,
}

pub(crate) enum Mode {
    /// With maps when the namespaces hang below a user namespace of their own.
    Namespace(Option<UserMaps>),
    Subreaper,
}

pub(crate) struct UserMaps {
    pub(crate) uid: Vec<u8>,
    pub(crate) gid: Vec<u8>,
}

/// The arguments of exec.
pub(crate) struct Image {
    pub(crate) program: CString,
    pub(crate) cwd: CString,
    /// Ends with null; points into `_texts`.
    pub(crate) argv: Vec<*const c_char>,
    /// Ends with null; points into `_texts`.
    pub(crate) envp: Vec<*const c_char>,
    _texts: Vec<CString>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GuardEntry {
    pub(crate) path: CString,
    pub(crate) kind: GuardKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuardKind {
    ReadOnly,
    Writable,
    HiddenDirectory,
    HiddenFile,
}

/// Numbers of the descriptors that the child inherits; the owners are in the parent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildFds {
    pub(crate) stdin: Fd,
    pub(crate) stdout: Fd,
    pub(crate) stderr: Fd,
    pub(crate) setup: Fd,
    pub(crate) report: Fd,
    pub(crate) lifeline: Fd,
    pub(crate) null: Fd,
    pub(crate) record: Option<Fd>,
}

pub(crate) struct Tail {
    /// The read end of the program's stdout.
    pub(crate) pipe: Fd,
    pub(crate) path: CString,
}

impl Plan {
    pub(crate) fn new(
        mode: Mode,
        contained: bool,
        image: Option<Image>,
        fds: ChildFds,
        tail: Option<Tail>,
    ) -> Self {
        let ChildFds { stdin, stdout, stderr, setup, report, lifeline, null, record } = fds;
        let mut keep = vec![stdin, stdout, stderr, setup, report, lifeline, null];
        keep.extend(record);
        keep.extend(tail.as_ref().map(|tail| tail.pipe));
        keep.sort_unstable();
        Self {
            mode,
            contained,
            image,
            guard: Vec::new(),
            fds,
            tail,
            keep,
            settle_ms: milliseconds(SETTLE),
            left_ms: milliseconds(LEFT_GRACE),
        }
    }

    /// Waits no longer for leftovers than the spec allows for the drain and for the grace.
    pub(crate) fn with_limits(mut self, drain: Duration, grace: Duration) -> Self {
        self.settle_ms = milliseconds(SETTLE.min(drain));
        self.left_ms = milliseconds(LEFT_GRACE.min(grace));
        self
    }

    pub(crate) fn with_guard(mut self, guard: Vec<GuardEntry>) -> Self {
        self.guard = guard;
        self
    }
}

fn milliseconds(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}

impl Mode {
    pub(crate) fn namespace(kind: NamespaceMode, uid: u32, gid: u32) -> Self {
        match kind {
            NamespaceMode::Direct => Self::Namespace(None),
            // One line each, onto the same number: the only map that needs no privilege.
            NamespaceMode::UserNamespace => Self::Namespace(Some(UserMaps {
                uid: format!("{uid} {uid} 1").into_bytes(),
                gid: format!("{gid} {gid} 1").into_bytes(),
            })),
        }
    }
}

impl Image {
    pub(crate) fn of(spec: &CommandSpec) -> Result<Self, SpawnError> {
        check_cwd(&spec.cwd)?;
        let program = find_program(spec)?;
        let mut texts = vec![text(spec.program.clone().into_os_string())?];
        for arg in &spec.args {
            texts.push(text(arg.clone())?);
        }
        let arguments = texts.len();
        for (name, value) in &spec.env {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            texts.push(text(pair)?);
        }
        let pointers = |texts: &[CString]| -> Vec<*const c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
        };
        let (args, env) = texts.split_at(arguments);
        Ok(Self {
            program: text(program.into_os_string())?,
            cwd: text(spec.cwd.clone().into_os_string())?,
            argv: pointers(args),
            envp: pointers(env),
            _texts: texts,
        })
    }
}

pub(crate) fn text(value: OsString) -> Result<CString, SpawnError> {
    CString::new(value.into_vec()).map_err(|error| SpawnError::NulByte {
        text: String::from_utf8_lossy(&error.into_vec()).into_owned(),
    })
}

fn check_cwd(cwd: &Path) -> Result<(), SpawnError> {
    let missing = |source| SpawnError::CwdMissing { cwd: cwd.to_path_buf(), source };
    match fs::metadata(cwd) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(missing(io::Error::from(io::ErrorKind::NotADirectory))),
        Err(source) => Err(missing(source)),
    }
}

/// An absolute path as it is; a bare name in the PATH of the spec, never in the runner's.
fn find_program(spec: &CommandSpec) -> Result<PathBuf, SpawnError> {
    if spec.program.as_os_str().as_bytes().contains(&b'/') {
        let path = spec.cwd.join(&spec.program);
        return executable(&path).map(|()| path);
    }
    let search = spec.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let mut refused = None;
    for directory in std::env::split_paths(&search).filter(|directory| directory.is_absolute()) {
        let path = directory.join(&spec.program);
        match executable(&path) {
            Ok(()) => return Ok(path),
            Err(SpawnError::ProgramNotFound { .. }) => {}
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let not_found = || SpawnError::ProgramNotFound {
        program: spec.program.clone(),
        source: io::Error::from(io::ErrorKind::NotFound),
    };
    Err(refused.unwrap_or_else(not_found))
}

/// A look at the mode only, for an early and exact message: exec has the last word.
fn executable(path: &Path) -> Result<(), SpawnError> {
    let denied = || SpawnError::NotExecutable {
        program: path.to_path_buf(),
        source: io::Error::from(io::ErrorKind::PermissionDenied),
    };
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => Ok(()),
        Ok(_) => Err(denied()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(denied()),
        Err(source) => Err(SpawnError::ProgramNotFound { program: path.to_path_buf(), source }),
    }
}

/// The mounts that make up a guard, outermost first, hidden ones last. Paths that do not exist are passed over.
///
/// Read-only and hidden paths are followed through symbolic links: hiding more than was meant does no harm. A writable
/// path must be free of them, since a link planted by an agent would open what the guard is to keep shut.
pub(crate) fn guard_entries(isolation: &Isolation) -> Result<Vec<GuardEntry>, SpawnError> {
    let guard = match isolation {
        Isolation::Tethered => return Ok(Vec::new()),
        Isolation::Contained(guard) => guard,
    };
    let FileGuard { read_only, writable, hidden } = guard;
    let mut open = Vec::new();
    for path in read_only {
        open.extend(resolve(path)?.map(|path| (path, GuardKind::ReadOnly)));
    }
    for path in writable {
        let Some(real) = resolve(path)? else { continue };
        if real != *path {
            let source = io::Error::from_raw_os_error(libc::ELOOP);
            return Err(SpawnError::Guard { path: path.clone(), source });
        }
        open.push((real, GuardKind::Writable));
    }
    let mut closed = Vec::new();
    for path in hidden {
        let Some(real) = resolve(path)? else { continue };
        let kind = if real.is_dir() { GuardKind::HiddenDirectory } else { GuardKind::HiddenFile };
        closed.push((real, kind));
    }
    open.sort_by_key(|(path, _)| path.components().count());
    closed.sort_by_key(|(path, _)| path.components().count());
    let entry = |(path, kind): (PathBuf, GuardKind)| {
        text(path.into_os_string()).map(|path| GuardEntry { path, kind })
    };
    open.into_iter().chain(closed).map(entry).collect()
}

fn resolve(path: &Path) -> Result<Option<PathBuf>, SpawnError> {
    match fs::canonicalize(path) {
        Ok(real) => Ok(Some(real)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(SpawnError::Guard { path: path.to_path_buf(), source: error }),
        },
    }
}
