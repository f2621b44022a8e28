//! Does what was planned. Each item is looked at again where something may have changed since: under a mirror's lock, in a
//! transaction, by the identity of a process.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use overnight_core::command::ProcessIdentity;
use overnight_core::id::JobId;
use overnight_git::{GitError, Tending, remove_tree};
use overnight_proc::{KillOutcome, Redact};
use overnight_store::StoreError;
use tokio::time::Instant;

use crate::clean;
use crate::trouble::chain;

use super::plan::{Item, Plan};
use super::target::Target;
use super::{SweepError, Sweeper, log};

/// Between asking processes to end and killing them.
const GRACE: Duration = Duration::from_secs(5);
/// Longest time that a mirror is put in order for: jobs that want it wait meanwhile.
const REPACK: Duration = Duration::from_secs(5 * 60);
/// Records forgotten between two looks at the time.
const RECORDS: usize = 128;
/// Held while something is cleared up.
const LOCK: &str = "sweep.lock";

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Report {
    pub done: Vec<Item>,
    pub failed: Vec<Failure>,
    /// For the next time: somebody is using it, or the time was over.
    pub left: Vec<Item>,
}

/// What could not be done.
#[derive(Debug)]
pub struct Failure {
    pub item: Item,
    pub why: String,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
    #[error("{}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("its processes do not end")]
    StillThere,
}

/// What came of one item.
enum Done {
    Yes,
    /// It is in use, or its conditions do not hold any more.
    NotNow,
}

pub(super) async fn carry_out(
    sweeper: &Sweeper,
    plan: Plan,
    progress: &(dyn Fn(&Item, Result<(), &str>) + Send + Sync),
) -> Result<Report, SweepError> {
    let _alone = alone(sweeper).await?;
    let until = sweeper.reach.time().map(|time| Instant::now() + time);
    let is_over = || until.is_some_and(|until| Instant::now() >= until);
    let mut telling = Telling { report: Report::default(), progress };
    let (mut jobs, mut workers) = (Vec::new(), Vec::new());
    for item in plan.items {
        if is_over() {
            telling.report.left.push(item);
            continue;
        }
        let done = match &item.target {
            Target::Tree(process) => end_tree(process).await,
            Target::Scratch { paths } => scratch(sweeper, paths).await,
            Target::JobDirectory(path) | Target::BrokenMirror(path) => remove(path).await.map(|()| Done::Yes),
            Target::Log(path) => compress(sweeper, path).await,
            Target::MirrorLeftovers { mirror, .. }
            | Target::JobRefs { mirror, .. }
            | Target::CommitRefs { mirror, .. }
            | Target::MirrorPacks { mirror, .. }
            | Target::Mirror { path: mirror, .. } => match sweeper.mirrors.tend(mirror).await {
                Ok(Some(tending)) => in_mirror(sweeper, tending, &item.target).await,
                Ok(None) => Ok(Done::NotNow),
                Err(error) => Err(error.into()),
            },
            // Records go last, many at a time.
            Target::JobRecord(job) => {
                jobs.push((job.clone(), item));
                continue;
            }
            Target::WorkerRecord(worker) => {
                workers.push((worker.clone(), item));
                continue;
            }
        };
        telling.tell(item, done);
    }
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() && !is_over() {
        let some: Vec<(JobId, Item)> = jobs.by_ref().take(RECORDS).collect();
        let ids: Vec<JobId> = some.iter().map(|(id, _)| id.clone()).collect();
        let before = plan.times.jobs;
        telling.forgotten(some, sweeper.store.jobs_prune(before, &ids).await);
    }
    telling.report.left.extend(jobs.map(|(_, item)| item));
    if !workers.is_empty() {
        telling.forgotten(workers, sweeper.store.workers_prune(plan.times.workers).await);
    }
    Ok(telling.report)
}

/// How long to try for the lock: a process that was started at this moment may have a copy of its descriptor until it has closed what is
/// not its own.
const BRIEFLY: Duration = Duration::from_millis(200);

/// One sweeper at a time for each data directory. The lock ends with the process.
async fn alone(sweeper: &Sweeper) -> Result<fs::File, SweepError> {
    let path = sweeper.dirs.root().join(LOCK);
    let look = |source| SweepError::Look { path: path.clone(), source };
    let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(look)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if began.elapsed() >= BRIEFLY => return Err(SweepError::Busy),
            Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(BRIEFLY / 20).await,
            Err(fs::TryLockError::Error(source)) => return Err(look(source)),
        }
    }
}

struct Telling<'a> {
    report: Report,
    progress: &'a (dyn Fn(&Item, Result<(), &str>) + Send + Sync),
}

impl Telling<'_> {
    /// Records of which those named were deleted; the others' conditions do not hold any more.
    fn forgotten<I: PartialEq>(&mut self, items: Vec<(I, Item)>, deleted: Result<Vec<I>, StoreError>) {
        let deleted = deleted.map_err(Arc::new);
        for (id, item) in items {
            let done = match &deleted {
                Ok(deleted) => Ok(if deleted.contains(&id) { Done::Yes } else { Done::NotNow }),
                Err(error) => Err(Fault::Store(Arc::clone(error))),
            };
            self.tell(item, done);
        }
    }

    fn tell(&mut self, item: Item, done: Result<Done, Fault>) {
        let (kind, what, why) = (item.target.kind(), &item.target, &item.why);
        match done {
            Ok(Done::Yes) => {
                tracing::info!(kind, %what, why, "cleared up");
                (self.progress)(&item, Ok(()));
                self.report.done.push(item);
            }
            Ok(Done::NotNow) => {
                tracing::debug!(kind, %what, "left for the next time");
                self.report.left.push(item);
            }
            Err(fault) => {
                let error = chain(&fault);
                tracing::warn!(kind, %what, why, error, "something could not be cleared up");
                (self.progress)(&item, Err(&error));
                self.report.failed.push(Failure { item, why: error });
            }
        }
    }
}

async fn end_tree(process: &ProcessIdentity) -> Result<Done, Fault> {
    match overnight_proc::kill_tree(process, GRACE).await {
        KillOutcome::AlreadyGone | KillOutcome::Ended => Ok(Done::Yes),
        KillOutcome::StillThere => Err(Fault::StillThere),
    }
}

async fn in_mirror(sweeper: &Sweeper, tending: Tending, target: &Target) -> Result<Done, Fault> {
    match target {
        Target::MirrorLeftovers { mirror, paths } => {
            let paths = paths.clone();
            blocking(mirror, move || Ok(tending.remove_leftovers(&paths))).await??;
        }
        Target::JobRefs { refs, .. } => tending.drop_refs(refs).await?,
        Target::MirrorPacks { how, .. } => tending.repack(*how, REPACK).await?,
        Target::CommitRefs { mirror, refs, last_used } => {
            if was_used_since(sweeper, mirror, *last_used).await? {
                return Ok(Done::NotNow);
            }
            tending.drop_commit_refs(refs).await?;
        }
        Target::Mirror { path, last_used } => {
            if was_used_since(sweeper, path, *last_used).await? {
                return Ok(Done::NotNow);
            }
            tending.remove().await?;
        }
        Target::Tree(_)
        | Target::Scratch { .. }
        | Target::JobDirectory(_)
        | Target::Log(_)
        | Target::BrokenMirror(_)
        | Target::JobRecord(_)
        | Target::WorkerRecord(_) => return Ok(Done::NotNow),
    }
    Ok(Done::Yes)
}

/// Whether a job has used the mirror after the plan was made.
async fn was_used_since(sweeper: &Sweeper, mirror: &Path, last_used: SystemTime) -> Result<bool, Fault> {
    let mirrors = sweeper.mirrors.clone();
    let sites = blocking(mirror, move || mirrors.sites()).await?;
    Ok(!sites.iter().any(|site| site.path == mirror && site.last_used == Some(last_used)))
}

/// What can be removed goes, whatever else cannot. First what a dead runner left unread among the logs is cleaned of secrets:
/// the job has no runner any more that would.
async fn scratch(sweeper: &Sweeper, paths: &[PathBuf]) -> Result<Done, Fault> {
    let job = paths.first().and_then(|path| path.parent());
    let mut first = match job {
        Some(job) => clean_tails(sweeper, &job.join("log")).await.err(),
        None => None,
    };
    for path in paths {
        if let Err(fault) = remove(path).await {
            first.get_or_insert(fault);
        }
    }
    first.map_or(Ok(Done::Yes), Err)
}

async fn compress(sweeper: &Sweeper, path: &Path) -> Result<Done, Fault> {
    let (redact, log) = (Arc::clone(&sweeper.redactor), path.to_owned());
    let work = move || {
        clean::tail(&log, redact.as_ref())?;
        log::compress(&log)
    };
    blocking(path, work).await.map(|()| Done::Yes)
}

async fn clean_tails(sweeper: &Sweeper, logs: &Path) -> Result<(), Fault> {
    let (redact, dir) = (Arc::clone(&sweeper.redactor), logs.to_owned());
    blocking(logs, move || clean_all(&dir, redact.as_ref())).await
}

fn clean_all(logs: &Path, redact: &dyn Redact) -> io::Result<()> {
    let entries = match fs::read_dir(logs) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            clean::tail(&path, redact)?;
        }
    }
    Ok(())
}

/// Removes whatever is there under this name. A link goes itself; what it leads to is not touched.
async fn remove(path: &Path) -> Result<(), Fault> {
    let fault = |source| Fault::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault(error)),
        Ok(meta) if meta.is_dir() => Ok(remove_tree(path).await?),
        Ok(_) => fs::remove_file(path).map_err(fault),
    }
}

/// File work off the async threads.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|lost| Err(io::Error::other(lost)));
    done.map_err(|source| Fault::Io { path: path.to_owned(), source })
}
