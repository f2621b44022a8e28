//! What a cascade is about and how things are there: read from the store and asked of forges. Changes nothing, so that a dry run is a look and
//! nothing else; what is done about it is the stage of the same name.

mod look;

use overnight_core::id::TaskKey;
use overnight_core::job::{End, Job};
use overnight_core::policy::cascade::{self, CascadeFacts, JobAt, JobFact, Planned};
use overnight_forge::body::CascadeCause;
use overnight_store::{Store, StoreError};

use crate::credentials::ForgeSettings;
use crate::host::Host;
use crate::trouble::StageError;

pub(crate) use look::{Work, group, look};

/// What would be done, and what could not be found out.
#[derive(Debug)]
pub struct CascadePreview {
    pub epic: TaskKey,
    /// Whether failures of its tasks are carried on at all.
    pub on: bool,
    pub planned: Vec<Planned>,
    /// Work that could not be looked at, and why.
    pub unknown: Vec<(TaskKey, String)>,
}

/// Looks at what the failure of a job would lead to now. `None`: it belongs to no epic, or the epic is not there any more.
///
/// # Errors
/// [`StoreError`]; what a forge does not say is part of the answer.
pub async fn preview(
    store: &Store,
    forges: &ForgeSettings,
    host: &Host,
    job: &Job,
) -> Result<Option<CascadePreview>, StoreError> {
    let Some(epic) = job.spec.task.as_ref().and_then(|task| task.epic.clone()) else { return Ok(None) };
    let Some(found) = store.epic_jobs(&epic).await? else { return Ok(None) };
    let others: Vec<Job> = found.jobs.into_iter().filter(|other| other.id != job.id).collect();
    let mut facts = CascadeFacts { jobs: others.iter().map(fact).collect(), works: Vec::new() };
    let mut planned = cascade::plan(&facts, &std::collections::BTreeSet::new());
    facts.jobs.clear();
    let mut unknown = Vec::new();
    for work in group(store, &epic, &others).await? {
        let key = work.fact.key.clone();
        match look(forges, host, work).await {
            Ok(work) => facts.works.push(work.fact),
            Err(error) => unknown.push((key, words(error))),
        }
    }
    planned.extend(cascade::plan(&facts, &std::collections::BTreeSet::new()));
    Ok(Some(CascadePreview { epic, on: found.cascade, planned, unknown }))
}

/// Another job of the epic, as far as a cascade is concerned.
pub(crate) fn fact(job: &Job) -> JobFact {
    let at = match job.state.end() {
        Some(_) if job.state.is_ended() => JobAt::Ended,
        Some(end) if cascade::epic_of(&job.spec, end.reason).is_some() => JobAt::Failing,
        Some(_) | None => JobAt::Unfinished,
    };
    JobFact { job: job.id.clone(), key: job.key.clone(), at }
}

/// Why a cascade happens, for those who read of it on a forge.
pub(crate) fn cause(job: &Job, end: &End, epic: &TaskKey) -> CascadeCause {
    CascadeCause {
        job: job.id.clone(),
        failed: job.key.clone(),
        title: job.spec.title.clone(),
        epic: epic.clone(),
        reason: end.reason.code(),
        detail: end.detail.clone(),
    }
}

pub(crate) fn words(error: StageError) -> String {
    match error {
        StageError::Stopped => "it was stopped".to_owned(),
        StageError::Trouble { detail, .. } | StageError::MirrorDamaged { detail } => detail,
        StageError::Work(error) => crate::trouble::chain(&error),
    }
}
