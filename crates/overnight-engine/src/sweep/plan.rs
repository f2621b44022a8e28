//! What may go, and why. Pure: facts in, items out.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use overnight_core::command::ProcessIdentity;
use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::EndReason;
use overnight_core::units::Timestamp;
use overnight_git::{CommitRef, JobRef, Load, Repack, Site};
use overnight_store::{Ended, JobFate, NeededCommits, WorkerSeen};

use super::target::Target;
use super::{DAY, Retention};

/// Packs and loose objects beyond which a mirror is put in order: git's own measures.
const MANY_PACKS: u64 = 50;
const MANY_LOOSE: u64 = 6_700;
/// Bytes up to which rewriting all of a mirror costs seconds, not minutes that jobs would have to wait.
const SMALL_MIRROR: u64 = 1 << 30;
/// A worker that was not heard of for so long does not come back under its name.
const WORKER_GONE: Duration = DAY;

/// What there is to clear up, in the order in which it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub items: Vec<Item>,
    /// What old and gone mean for this plan.
    pub(super) times: Times,
}

/// Moments that the store's own conditions are asked with again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// Jobs that ended before may be forgotten.
    pub(super) jobs: Timestamp,
    pub(super) workers: Timestamp,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub target: Target,
    /// The job that it belongs to, where one is known.
    pub job: Option<TaskKey>,
    /// For people: why it may go.
    pub why: String,
}

/// Everything that a plan follows from.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    /// The store is the only one that this data directory ever worked for.
    pub(super) certain: bool,
    pub(super) dirs: Vec<JobDir>,
    /// Of the jobs that have a directory or a ref here and that the store knows.
    pub(super) fates: BTreeMap<JobId, JobFate>,
    /// Processes that are there and that nobody watches over.
    pub(super) trees: Vec<Tree>,
    /// Jobs whose records may go.
    pub(super) prunable: Vec<JobFate>,
    pub(super) workers: Vec<WorkerSeen>,
    pub(super) mirrors: Vec<MirrorFacts>,
    /// By the jobs that have a directory or a ref here and whose records stay.
    pub(super) needed: NeededCommits,
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) key: TaskKey,
    pub(super) process: ProcessIdentity,
}

/// A job's directory. What lies in it is listed only where it can matter.
#[derive(Debug, Clone)]
pub(super) struct JobDir {
    pub(super) job: JobId,
    pub(super) path: PathBuf,
    /// When something in it was changed last.
    pub(super) touched: Timestamp,
    pub(super) scratch: Vec<PathBuf>,
    /// Plain ones that are worth compressing.
    pub(super) logs: Vec<PathBuf>,
    /// Name of the mirror that its workspace borrows from.
    pub(super) borrows: Option<OsString>,
}

#[derive(Debug, Clone)]
pub(super) struct MirrorFacts {
    pub(super) site: Site,
    /// `None`: somebody is using it.
    pub(super) inside: Option<Inside>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inside {
    pub(super) leftovers: Vec<PathBuf>,
    pub(super) refs: Vec<JobRef>,
    /// The youngest commit first.
    pub(super) commits: Vec<CommitRef>,
    pub(super) load: Load,
}

/// When a job was made, as its id tells. `None`: it is no id of a job that a store has made.
pub(super) fn made_at(job: &JobId) -> Option<Timestamp> {
    let id = uuid::Uuid::parse_str(job.as_str()).ok()?;
    if id.get_version_num() != 7 || id.hyphenated().to_string() != job.as_str() {
        return None;
    }
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let millis = seconds.saturating_mul(1_000).saturating_add(u64::from(nanos / 1_000_000));
    i64::try_from(millis).ok().map(Timestamp)
}

/// How a moment of the file system stands among those of the store.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

pub(super) fn plan(facts: &Facts, retention: &Retention) -> Plan {
    let planner =
        Planner { facts, retention, prunable: facts.prunable.iter().map(|fate| &fate.id).collect() };
    let mut items: Vec<Item> = facts.trees.iter().map(tree).collect();
    items.extend(facts.dirs.iter().flat_map(|dir| planner.directory(dir)));
    items.extend(facts.mirrors.iter().flat_map(|mirror| planner.mirror(mirror)));
    items.extend(facts.prunable.iter().map(|fate| planner.record(fate)));
    let gone = before(facts.now, WORKER_GONE);
    items.extend(facts.workers.iter().filter(|seen| is_gone(seen, gone)).map(|seen| planner.worker(seen)));
    let jobs = retention.jobs.map_or(Timestamp(i64::MIN), |span| before(facts.now, span));
    Plan { items, times: Times { jobs, workers: gone } }
}

fn is_gone(seen: &WorkerSeen, before: Timestamp) -> bool {
    seen.last_seen < before && seen.started_at < before && seen.held == 0
}

fn tree(tree: &Tree) -> Item {
    Item {
        target: Target::Tree(tree.process.clone()),
        job: Some(tree.key.clone()),
        why: "nobody works on its job any more".to_owned(),
    }
}

struct Planner<'a> {
    facts: &'a Facts,
    retention: &'a Retention,
    prunable: BTreeSet<&'a JobId>,
}

impl Planner<'_> {
    fn age(&self, since: Timestamp) -> Duration {
        self.facts.now.since(since)
    }

    fn directory(&self, dir: &JobDir) -> Vec<Item> {
        match self.facts.fates.get(&dir.job) {
            None => self.unknown(dir).into_iter().collect(),
            Some(fate) => match fate.ended {
                None => Vec::new(),
                Some(ended) => self.of_ended(dir, fate, ended),
            },
        }
    }

    /// Its record was forgotten at another place, or the store was put back to an earlier time.
    fn unknown(&self, dir: &JobDir) -> Option<Item> {
        let age = self.age(dir.touched);
        (self.facts.certain && age >= self.retention.crashed).then(|| Item {
            target: Target::JobDirectory(dir.path.clone()),
            job: None,
            why: format!("there is no such job, and nothing in it was changed for {}", span(age)),
        })
    }

    fn of_ended(&self, dir: &JobDir, fate: &JobFate, ended: Ended) -> Vec<Item> {
        let age = self.age(ended.at);
        let reason = ended.reason.map_or("ended", EndReason::code);
        let item = |target, why: String| Item { target, job: Some(fate.key.clone()), why };
        if is_crash(ended.reason) && !dir.scratch.is_empty() && age < self.retention.crashed {
            return Vec::new();
        }
        let logs_are_old = self.retention.logs.is_some_and(|kept| age >= kept);
        if logs_are_old || self.prunable.contains(&dir.job) {
            let why = format!("its job ended {} ago ({reason})", span(age));
            return vec![item(Target::JobDirectory(dir.path.clone()), why)];
        }
        let mut items = Vec::new();
        if !dir.scratch.is_empty() {
            let why = format!("its job has ended ({reason})");
            items.push(item(Target::Scratch { paths: dir.scratch.clone() }, why));
        }
        if self.retention.compress.is_some_and(|plain| age >= plain) {
            let why = || format!("its job ended {} ago", span(age));
            items.extend(dir.logs.iter().map(|log| item(Target::Log(log.clone()), why())));
        }
        items
    }

    fn mirror(&self, mirror: &MirrorFacts) -> Vec<Item> {
        let item = |target, why: String| Item { target, job: None, why };
        let mut items: Vec<Item> = self.broken(&mirror.site);
        let Some(inside) = &mirror.inside else { return items };
        if let Some((target, why)) = self.unused(&mirror.site, inside) {
            items.push(item(target, why));
            return items;
        }
        let path = &mirror.site.path;
        let leftovers = [mirror.site.half_made.clone(), inside.leftovers.clone()].concat();
        if !leftovers.is_empty() {
            let target = Target::MirrorLeftovers { mirror: path.clone(), paths: leftovers };
            items.push(item(target, "left by processes that are dead".to_owned()));
        }
        let refs: Vec<JobRef> = inside.refs.iter().filter(|one| self.is_forgotten(one)).cloned().collect();
        if !refs.is_empty() {
            let why = "the records of their jobs are forgotten".to_owned();
            items.push(item(Target::JobRefs { mirror: path.clone(), refs }, why));
        }
        items.extend(
            self.bases(&mirror.site, inside)
                .map(|target| item(target, "no job that is kept started from them or made them".to_owned())),
        );
        items.extend(disorder(path, inside.load));
        items
    }

    /// Bases and grafts that no job needs. The youngest base stays: with nothing to go by, the next job would fetch the whole
    /// repository again. What of a job is not known here may be needed by it.
    fn bases(&self, site: &Site, inside: &Inside) -> Option<Target> {
        let needed = &self.facts.needed;
        let is_known = |one: &JobRef| {
            let job = JobId::parse(&one.job).ok();
            job.is_some_and(|job| self.facts.fates.contains_key(&job)) || self.is_forgotten(one)
        };
        if !(self.facts.certain && needed.all_known && inside.refs.iter().all(is_known)) {
            return None;
        }
        let youngest = inside.commits.iter().find(|one| one.is_base);
        let is_needed = |one: &CommitRef| needed.commits.contains(&one.commit) || Some(one) == youngest;
        let refs: Vec<CommitRef> = inside.commits.iter().filter(|one| !is_needed(one)).cloned().collect();
        let last_used = site.last_used.filter(|_| !refs.is_empty())?;
        Some(Target::CommitRefs { mirror: site.path.clone(), refs, last_used })
    }

    fn broken(&self, site: &Site) -> Vec<Item> {
        let Some(kept) = self.retention.logs else { return Vec::new() };
        let age = |since: &SystemTime| self.age(timestamp(*since));
        let old = site.aside.iter().filter(|(_, since)| age(since) >= kept);
        let item = |(path, since): &(PathBuf, SystemTime)| Item {
            target: Target::BrokenMirror(path.clone()),
            job: None,
            why: format!("a damaged mirror, put aside {} ago", span(age(since))),
        };
        old.map(item).collect()
    }

    /// A mirror that no job has used for long, and that nothing here needs: no workspace borrows from it, no job is about to
    /// make one, and it keeps no work.
    fn unused(&self, site: &Site, inside: &Inside) -> Option<(Target, String)> {
        let (kept, last_used) = (self.retention.mirrors?, site.last_used?);
        let age = self.age(timestamp(last_used));
        let is_needed = inside.refs.iter().any(|one| !self.is_forgotten(one)) || self.is_borrowed(&site.path);
        (site.exists && age >= kept && !is_needed).then(|| {
            let target = Target::Mirror { path: site.path.clone(), last_used };
            (target, format!("no job has used it for {}", span(age)))
        })
    }

    fn is_borrowed(&self, mirror: &Path) -> bool {
        let name = mirror.file_name();
        self.facts.dirs.iter().any(|dir| match &dir.borrows {
            Some(borrows) => Some(borrows.as_os_str()) == name,
            None => self.facts.fates.get(&dir.job).is_some_and(|fate| fate.held),
        })
    }

    /// Whether the job's record goes now, or went so long ago that it may be forgotten.
    fn is_forgotten(&self, one: &JobRef) -> bool {
        let Ok(job) = JobId::parse(&one.job) else { return false };
        if self.prunable.contains(&job) {
            return true;
        }
        let age = made_at(&job).map(|made| self.age(made));
        let is_old = age.zip(self.retention.jobs).is_some_and(|(age, kept)| age >= kept);
        !self.facts.fates.contains_key(&job) && self.facts.certain && is_old
    }

    fn record(&self, fate: &JobFate) -> Item {
        let age = fate.ended.map(|ended| self.age(ended.at)).unwrap_or_default();
        Item {
            target: Target::JobRecord(fate.id.clone()),
            job: Some(fate.key.clone()),
            why: format!("ended {} ago", span(age)),
        }
    }

    fn worker(&self, seen: &WorkerSeen) -> Item {
        Item {
            target: Target::WorkerRecord(seen.worker.id.clone()),
            job: None,
            why: format!("not heard of for {}", span(self.age(seen.last_seen.max(seen.started_at)))),
        }
    }
}

/// Ends after which a person may want to see what was going on.
fn is_crash(reason: Option<EndReason>) -> bool {
    matches!(reason, Some(EndReason::WorkerLost | EndReason::InternalError))
}

fn disorder(mirror: &Path, load: Load) -> Option<Item> {
    if load.packs <= MANY_PACKS && load.loose <= MANY_LOOSE {
        return None;
    }
    let how = if load.bytes <= SMALL_MIRROR { Repack::Whole } else { Repack::Small };
    Some(Item {
        target: Target::MirrorPacks { mirror: mirror.to_owned(), how },
        job: None,
        why: format!("it has {} packs and {} loose objects", load.packs, load.loose),
    })
}

/// The largest unit of a span, for people.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = units.into_iter().find(|(size, _)| seconds >= *size);
    unit.map_or_else(|| format!("{seconds} s"), |(size, unit)| format!("{} {unit}", seconds / size))
}
