//! Looks at what is there. Changes nothing. Directories are listed before the store is asked: a job's directory is made
//! after its record, so a job that is not known then does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use overnight_core::command::ProcessIdentity;
use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;
use overnight_git::{Site, workspace};
use overnight_store::{JobFate, Store, StoreError};

use crate::dirs::{Dirs, JobDirs};
use crate::trouble::chain;

use super::plan::{Facts, Inside, JobDir, MirrorFacts, Tree, before, made_at, timestamp};
use super::{SweepError, Sweeper, stores};

/// Bytes below which compressing a log frees no block of the disk.
const WORTH_COMPRESSING: u64 = 4 << 10;

pub(super) async fn gather(sweeper: &Sweeper, now: Timestamp) -> Result<Facts, SweepError> {
    let (dirs, store) = (&sweeper.dirs, &sweeper.store);
    // Whoever has opened a mirror by then has a directory, and whoever opens it later is told by the time of its last use.
    let mirrors = mirrors(sweeper).await?;
    let jobs = blocking(dirs.jobs(), {
        let dirs = dirs.clone();
        move || list_jobs(&dirs)
    })
    .await?;
    let refs = mirrors.iter().filter_map(|mirror| mirror.inside.as_ref()).flat_map(|inside| &inside.refs);
    let named = refs.filter_map(|one| JobId::parse(&one.job).ok());
    let wanted: BTreeSet<JobId> = jobs.iter().cloned().chain(named).collect();
    let wanted: Vec<JobId> = wanted.into_iter().collect();
    let fates: BTreeMap<JobId, JobFate> =
        store.job_fates(&wanted).await?.into_iter().map(|fate| (fate.id.clone(), fate)).collect();
    let found = {
        let (dirs, fates) = (dirs.clone(), fates.clone());
        blocking(dirs.jobs(), move || Ok(look_into(&dirs, jobs, &fates))).await?
    };
    let (root, database) = (dirs.clone(), store.database().clone());
    let certain = blocking(dirs.root().to_owned(), move || stores::is_only(&root, &database)).await?;
    let prunable = match sweeper.retention.jobs {
        Some(kept) => store.jobs_prunable(before(now, kept), sweeper.reach.records()).await?,
        None => Vec::new(),
    };
    let going: BTreeSet<&JobId> = prunable.iter().map(|fate| &fate.id).collect();
    let staying: Vec<JobId> = fates.keys().filter(|job| !going.contains(job)).cloned().collect();
    let needed = store.commits_needed(&staying).await?;
    let trees = trees(sweeper, &found, &fates).await?;
    let workers = store.workers().await?;
    Ok(Facts { now, certain, dirs: found, fates, trees, prunable, workers, mirrors, needed })
}

/// File work off the async threads.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SweepError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|lost| Err(io::Error::other(lost)));
    done.map_err(|source| SweepError::Look { path, source })
}

/// Jobs that have a directory. Links, and what has another name than a job's id, are nothing of ours.
fn list_jobs(dirs: &Dirs) -> io::Result<Vec<JobId>> {
    let entries = match fs::read_dir(dirs.jobs()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut jobs = Vec::new();
    for entry in entries {
        let entry = entry?;
        let job = entry.file_name().to_str().and_then(|name| JobId::parse(name).ok());
        if let (Some(job), true) = (job.filter(|job| made_at(job).is_some()), entry.file_type()?.is_dir()) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

fn look_into(dirs: &Dirs, jobs: Vec<JobId>, fates: &BTreeMap<JobId, JobFate>) -> Vec<JobDir> {
    jobs.into_iter().map(|job| job_dir(&dirs.job(&job), fates.get(&job), job)).collect()
}

fn job_dir(dirs: &JobDirs, fate: Option<&JobFate>, job: JobId) -> JobDir {
    let borrows = workspace::borrows_from(&dirs.workspace());
    let mut found = JobDir {
        job,
        path: dirs.root().to_owned(),
        touched: Timestamp(0),
        scratch: Vec::new(),
        logs: Vec::new(),
        borrows: borrows.and_then(|mirror| mirror.file_name().map(ToOwned::to_owned)),
    };
    match fate {
        None => found.touched = last_touched(dirs),
        Some(fate) if fate.ended.is_some() => {
            found.scratch = scratch(dirs);
            found.logs = plain_logs(dirs);
        }
        Some(_) => {}
    }
    found
}

/// The marker of a workspace comes before the workspace: what is half removed must not look whole.
fn scratch(dirs: &JobDirs) -> Vec<PathBuf> {
    let beside = workspace::files_of(&dirs.workspace());
    let all = beside.into_iter().chain(dirs.scratch()).chain([dirs.given()]);
    all.filter(|path| fs::symlink_metadata(path).is_ok()).collect()
}

fn plain_logs(dirs: &JobDirs) -> Vec<PathBuf> {
    let is_dir = fs::symlink_metadata(dirs.log()).is_ok_and(|meta| meta.is_dir());
    let entries = fs::read_dir(dirs.log()).ok().filter(|_| is_dir);
    let is_worth_it = |path: &PathBuf| {
        let is_log = path.extension().is_some_and(|ending| ending == "jsonl" || ending == "log");
        let large = |meta: fs::Metadata| meta.is_file() && meta.len() >= WORTH_COMPRESSING;
        is_log && fs::symlink_metadata(path).is_ok_and(large)
    };
    let mut logs: Vec<PathBuf> =
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_worth_it).collect();
    logs.sort();
    logs
}

/// The latest change in the upper parts of a job's directory: whoever works on it writes its log.
fn last_touched(dirs: &JobDirs) -> Timestamp {
    let below = |dir: &Path| {
        let entries = fs::read_dir(dir).ok().into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let paths = below(dirs.root()).into_iter().chain(below(&dirs.log())).chain([dirs.root().to_owned()]);
    let times = paths.filter_map(|path| fs::symlink_metadata(path).ok()?.modified().ok());
    times.max().map_or(Timestamp(i64::MAX), timestamp)
}

/// Processes of turns that nobody watches over: those of jobs that nobody holds, and those of jobs that have ended before their
/// last turn had.
async fn trees(
    sweeper: &Sweeper,
    found: &[JobDir],
    fates: &BTreeMap<JobId, JobFate>,
) -> Result<Vec<Tree>, SweepError> {
    let turns = sweeper.store.open_turns(&sweeper.place).await?;
    let mut trees: Vec<Tree> =
        turns.into_iter().map(|turn| Tree { key: turn.key, process: turn.process }).collect();
    for dir in found.iter().filter(|dir| !dir.scratch.is_empty()) {
        let fate = fates.get(&dir.job).filter(|fate| fate.ended.is_some());
        if let Some(fate) = fate
            && let Some(process) = last_open_turn(&sweeper.store, &dir.job).await?
        {
            trees.push(Tree { key: fate.key.clone(), process });
        }
    }
    let look = move || {
        trees.retain(|tree| overnight_proc::tree_is_there(&tree.process));
        Ok(trees)
    };
    blocking(PathBuf::from("/proc"), look).await
}

/// The process of the last turn, if it was started and not ended.
async fn last_open_turn(store: &Store, job: &JobId) -> Result<Option<ProcessIdentity>, StoreError> {
    let mut open = None;
    for record in store.events(job, EventNumber(0), u32::MAX).await? {
        match record.event {
            Ok(JobEvent::TurnStarted { process, .. }) => open = Some(process),
            Ok(JobEvent::TurnEnded { .. } | JobEvent::TurnInterrupted { .. }) => open = None,
            Ok(_) | Err(_) => {}
        }
    }
    Ok(open)
}

async fn mirrors(sweeper: &Sweeper) -> Result<Vec<MirrorFacts>, SweepError> {
    let mirrors = sweeper.mirrors.clone();
    let sites = blocking(sweeper.dirs.mirrors(), move || mirrors.sites()).await?;
    let mut facts = Vec::with_capacity(sites.len());
    for site in sites {
        let inside = match look_inside(sweeper, &site).await {
            Ok(inside) => inside,
            Err(error) => {
                // Whoever uses it next mends it or puts it aside. What it keeps is not known, so nothing of it may go.
                let error = chain(&error);
                tracing::warn!(mirror = %site.path.display(), error, "a mirror cannot be looked at");
                None
            }
        };
        facts.push(MirrorFacts { site, inside });
    }
    Ok(facts)
}

async fn look_inside(sweeper: &Sweeper, site: &Site) -> Result<Option<Inside>, SweepError> {
    let Some(tending) = sweeper.mirrors.tend(&site.path).await? else { return Ok(None) };
    if !site.exists {
        return Ok(Some(Inside::default()));
    }
    let (refs, commits) = (tending.job_refs().await?, tending.commit_refs().await?);
    let look = move || Ok((tending.leftovers(), tending.load()));
    let (leftovers, load) = blocking(site.path.clone(), look).await?;
    Ok(Some(Inside { leftovers: leftovers?, refs, commits, load: load? }))
}
