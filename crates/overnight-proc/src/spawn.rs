//! `CommandSpec` → running tree: opens logs and pipes, lays out the plan, launches, and falls back to weaker containment
//! where the machine refuses the stronger. Owns no state.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use overnight_core::command::{CommandSpec, Containment, Isolation, ProcessIdentity, Stdin};
use tokio::net::unix::pipe;

use crate::child::{Failure, Step};
use crate::drive::Running;
use crate::error::SpawnError;
use crate::identity;
use crate::launch::{Keeper, LaunchError, launch};
use crate::log::{BoundedLog, Redact};
use crate::plan::{ChildFds, GuardEntry, Image, Mode, Plan, Tail, guard_entries, text};
use crate::prefill::prefill;
use crate::probe::{self, NamespaceMode};
use crate::record::tail_path;

/// Where a command's output goes. The directory must be the runner's own, out of the agent's reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Log of stdout: mode 0600, replaced if it exists, bounded by `limits.log_bytes`, redacted.
    pub stdout: PathBuf,
    /// Log of stderr, likewise.
    pub stderr: PathBuf,
    /// Where the status of a program that ends by itself is written.
    pub exit_record: Option<PathBuf>,
}

/// Starts a command and returns once its program runs. Blocks for about two milliseconds.
///
/// # Errors
/// See [`SpawnError`]. No process is left behind.
///
/// # Panics
/// Outside a tokio runtime with IO enabled.
pub fn spawn(spec: &CommandSpec, capture: &Capture, redact: Arc<dyn Redact>) -> Result<Running, SpawnError> {
    spawn_in(best_namespace(spec), spec, capture, redact)
}

/// The strongest containment that the spec asks for and the machine is known to allow.
pub(crate) fn best_namespace(spec: &CommandSpec) -> Option<NamespaceMode> {
    match &spec.isolation {
        Isolation::Tethered => None,
        Isolation::Contained(_) => probe::probe().pid_namespace.as_ref().ok().copied(),
    }
}

pub(crate) fn spawn_in(
    namespace: Option<NamespaceMode>,
    spec: &CommandSpec,
    capture: &Capture,
    redact: Arc<dyn Redact>,
) -> Result<Running, SpawnError> {
    let stdout = open_log(&capture.stdout, spec, Arc::clone(&redact))?;
    let stderr = open_log(&capture.stderr, spec, redact)?;
    let tail = tail_path(&capture.stdout);
    match fs::remove_file(&tail) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(SpawnError::Log { path: tail, source });
        }
        Ok(()) | Err(_) => {}
    }
    let record = capture.exit_record.as_deref().map(open_private).transpose()?;
    let started = start(namespace, spec, record.as_ref(), Some(&tail))?;
    Ok(Running::new(started, spec, [stdout, stderr]))
}

fn open_log(path: &Path, spec: &CommandSpec, redact: Arc<dyn Redact>) -> Result<BoundedLog, SpawnError> {
    let file = open_private(path)?;
    Ok(BoundedLog::new(file, path.to_path_buf(), spec.limits.log_bytes, redact))
}

fn open_private(path: &Path) -> Result<File, SpawnError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                SpawnError::NoSpace { path: path.to_path_buf(), source }
            }
            _ => SpawnError::Log { path: path.to_path_buf(), source },
        })
}

/// A started tree with the runner's ends of its pipes.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) keeper: Keeper,
    pub(crate) identity: ProcessIdentity,
    pub(crate) stdin: Option<pipe::Sender>,
    /// How much of the input the program has already.
    pub(crate) given: usize,
    pub(crate) stdout: pipe::Receiver,
    pub(crate) stderr: pipe::Receiver,
    pub(crate) report: pipe::Receiver,
    pub(crate) at: Instant,
}

/// Starts in the given kind of namespace, and one step down when it is refused after all.
pub(crate) fn start(
    namespace: Option<NamespaceMode>,
    spec: &CommandSpec,
    record: Option<&File>,
    tail: Option<&Path>,
) -> Result<Started, SpawnError> {
    let guard = guard_entries(&spec.isolation)?;
    if let Some(kind) = namespace {
        let (uid, gid) = probe::own_ids();
        match try_start(spec, Mode::namespace(kind, uid, gid), guard, record, tail)? {
            Attempt::Started(started) => return Ok(*started),
            Attempt::Refused(failure) => {
                tracing::warn!(step = ?failure.step, errno = failure.errno, "namespaces were refused");
            }
        }
    }
    match try_start(spec, Mode::Subreaper, Vec::new(), record, tail)? {
        Attempt::Started(started) => Ok(*started),
        Attempt::Refused(failure) => Err(SpawnError::Setup {
            program: spec.program.clone(),
            step: "sub-reaper",
            source: io::Error::from_raw_os_error(failure.errno),
        }),
    }
}

enum Attempt {
    Started(Box<Started>),
    /// The kernel does not let us have this containment.
    Refused(Failure),
}

fn try_start(
    spec: &CommandSpec,
    mode: Mode,
    guard: Vec<GuardEntry>,
    record: Option<&File>,
    tail: Option<&Path>,
) -> Result<Attempt, SpawnError> {
    let image = Image::of(spec)?;
    let containment = match &mode {
        Mode::Namespace(_) => Containment::PidNamespace,
        Mode::Subreaper => Containment::Subreaper,
    };
    let contained = matches!(spec.isolation, Isolation::Contained(_));
    let tail = tail.map(|path| text(path.as_os_str().to_owned())).transpose()?;
    let failed = |source| SpawnError::from_resources(&spec.program, "pipes", source);
    let (ours, theirs) = Pipes::open(&spec.stdin).map_err(failed)?;
    let fds = theirs.numbers(record);
    let tail = tail.map(|path: CString| Tail { pipe: ours.stdout.as_raw_fd(), path });
    let plan = Plan::new(mode, contained, Some(image), fds, tail)
        .with_guard(guard)
        .with_limits(spec.limits.drain, spec.limits.grace);
    let at = Instant::now();
    let keeper = match launch(&plan, theirs.into_ends(), ours.setup, ours.lifeline) {
        Ok(keeper) => keeper,
        Err(LaunchError::Child(failure)) if is_refusal(failure) => return Ok(Attempt::Refused(failure)),
        Err(error) => return Err(explain(spec, &plan.guard, error)),
    };
    let identity = identity::of_child(keeper.pid(), containment).map_err(failed)?;
    let receiver = |end: PipeReader| pipe::Receiver::from_owned_fd(OwnedFd::from(end)).map_err(failed);
    let sender = |end: PipeWriter| pipe::Sender::from_owned_fd(OwnedFd::from(end)).map_err(failed);
    Ok(Attempt::Started(Box::new(Started {
        keeper,
        identity,
        stdin: ours.stdin.map(sender).transpose()?,
        given: ours.given,
        stdout: receiver(ours.stdout)?,
        stderr: receiver(ours.stderr)?,
        report: receiver(ours.report)?,
        at,
    })))
}

/// Whether the kernel refused the containment as such, rather than this command. A guard that cannot be applied is not
/// such a refusal: to go on without it would break what the caller asked for.
pub(crate) fn is_refusal(failure: Failure) -> bool {
    let refused = matches!(
        failure.errno,
        libc::EPERM | libc::EACCES | libc::ENOSYS | libc::ENOSPC | libc::EINVAL | libc::EUSERS
    );
    match failure.step {
        Step::Namespace | Step::UserMap | Step::PrivateMounts | Step::Proc => refused,
        Step::Keeper | Step::Guard | Step::Fork | Step::Chdir | Step::Exec => false,
    }
}

fn explain(spec: &CommandSpec, guard: &[GuardEntry], error: LaunchError) -> SpawnError {
    let program = spec.program.clone();
    let failure = match error {
        LaunchError::Fork(source) => return SpawnError::from_resources(&program, "fork", source),
        LaunchError::Vanished => {
            let source = io::Error::from(io::ErrorKind::BrokenPipe);
            return SpawnError::Setup { program, step: "keeper was killed", source };
        }
        LaunchError::Child(failure) => failure,
    };
    let source = io::Error::from_raw_os_error(failure.errno);
    match failure.step {
        Step::Chdir => SpawnError::CwdMissing { cwd: spec.cwd.clone(), source },
        Step::Guard => SpawnError::Guard { path: guard_path(guard, failure.index), source },
        Step::Exec => match failure.errno {
            libc::ENOENT => SpawnError::ProgramNotFound { program, source },
            libc::EACCES | libc::EPERM | libc::ENOEXEC | libc::ETXTBSY | libc::EISDIR => {
                SpawnError::NotExecutable { program, source }
            }
            libc::E2BIG => SpawnError::ArgumentsTooLong { program, source },
            _ => SpawnError::from_resources(&program, "exec", source),
        },
        Step::Keeper => SpawnError::from_resources(&program, "keeper", source),
        Step::Namespace => SpawnError::from_resources(&program, "namespace", source),
        Step::UserMap => SpawnError::from_resources(&program, "user map", source),
        Step::PrivateMounts => SpawnError::from_resources(&program, "private mounts", source),
        Step::Proc => SpawnError::from_resources(&program, "fresh /proc", source),
        Step::Fork => SpawnError::from_resources(&program, "second fork", source),
    }
}

fn guard_path(guard: &[GuardEntry], index: u16) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    guard
        .get(usize::from(index))
        .map(|entry| PathBuf::from(std::ffi::OsStr::from_bytes(entry.path.to_bytes())))
        .unwrap_or_default()
}

/// The runner's ends.
pub(crate) struct Pipes {
    stdin: Option<PipeWriter>,
    /// How much of the input is in the pipe already.
    given: usize,
    stdout: PipeReader,
    stderr: PipeReader,
    pub(crate) setup: PipeReader,
    report: PipeReader,
    pub(crate) lifeline: PipeWriter,
}

/// The child's ends. All close on exec; the keeper moves the first three into place.
pub(crate) struct ChildPipes {
    stdin: StdinEnd,
    stdout: PipeWriter,
    stderr: PipeWriter,
    setup: PipeWriter,
    report: PipeWriter,
    lifeline: PipeReader,
    null: File,
}

enum StdinEnd {
    Null(File),
    Pipe(PipeReader),
}

impl Pipes {
    pub(crate) fn open(stdin: &Stdin) -> io::Result<(Self, ChildPipes)> {
        let null = || OpenOptions::new().read(true).write(true).open("/dev/null");
        let (stdin_end, stdin, given) = match stdin {
            Stdin::Null => (StdinEnd::Null(null()?), None, 0),
            Stdin::Bytes(bytes) => {
                let (read, mut write) = io::pipe()?;
                let given = prefill(&mut write, bytes)?;
                (StdinEnd::Pipe(read), (given < bytes.len()).then_some(write), given)
            }
            Stdin::Driven => {
                let (read, write) = io::pipe()?;
                (StdinEnd::Pipe(read), Some(write), 0)
            }
        };
        let (stdout, stdout_end) = io::pipe()?;
        let (stderr, stderr_end) = io::pipe()?;
        let (setup, setup_end) = io::pipe()?;
        let (report, report_end) = io::pipe()?;
        let (lifeline_end, lifeline) = io::pipe()?;
        let theirs = ChildPipes {
            stdin: stdin_end,
            stdout: stdout_end,
            stderr: stderr_end,
            setup: setup_end,
            report: report_end,
            lifeline: lifeline_end,
            null: null()?,
        };
        Ok((Self { stdin, given, stdout, stderr, setup, report, lifeline }, theirs))
    }
}

impl ChildPipes {
    pub(crate) fn numbers(&self, record: Option<&File>) -> ChildFds {
        ChildFds {
            stdin: match &self.stdin {
                StdinEnd::Null(file) => file.as_raw_fd(),
                StdinEnd::Pipe(pipe) => pipe.as_raw_fd(),
            },
            stdout: self.stdout.as_raw_fd(),
            stderr: self.stderr.as_raw_fd(),
            setup: self.setup.as_raw_fd(),
            report: self.report.as_raw_fd(),
            lifeline: self.lifeline.as_raw_fd(),
            null: self.null.as_raw_fd(),
            record: record.map(AsRawFd::as_raw_fd),
        }
    }

    pub(crate) fn into_ends(self) -> Vec<OwnedFd> {
        let Self { stdin, stdout, stderr, setup, report, lifeline, null } = self;
        let stdin = match stdin {
            StdinEnd::Null(file) => OwnedFd::from(file),
            StdinEnd::Pipe(pipe) => OwnedFd::from(pipe),
        };
        vec![stdin, stdout.into(), stderr.into(), setup.into(), report.into(), lifeline.into(), null.into()]
    }
}
