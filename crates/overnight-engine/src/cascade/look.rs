//! The work of an epic that reached the outside: which pull requests and branches there are, and what forges say of them.

use std::collections::BTreeMap;

use overnight_core::id::TaskKey;
use overnight_core::job::{Job, Publication, Published, PullRequestRef};
use overnight_core::policy::cascade::{BranchSeen, PullSeen, WorkFact, revert_branch};
use overnight_forge::{BranchSight, Forge, ForgeError, PullRequest, PullRequestState};
use overnight_store::{Store, StoreError};

use crate::credentials::ForgeSettings;
use crate::host::Host;
use crate::stages::code;
use crate::trouble::{self, StageError};

/// One pull request, or one branch without any.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) fact: WorkFact,
    /// Whose work it is, oldest first.
    pub(crate) jobs: Vec<Job>,
    /// As the forge shows it.
    pub(crate) pull: Option<PullRequest>,
    /// The pull request that reverts it.
    pub(crate) revert: Option<PullRequest>,
    on_forge: bool,
}

/// What these jobs have published, as far as the store knows; nobody is asked.
pub(crate) async fn group(store: &Store, epic: &TaskKey, jobs: &[Job]) -> Result<Vec<Work>, StoreError> {
    let mut works: BTreeMap<(String, u64, String), Work> = BTreeMap::new();
    for job in jobs {
        let Some(published) = job.state.end().and_then(|end| end.published.as_ref()) else { continue };
        let (remote, on_forge) = match &job.spec.publication {
            Publication::LocalBranch { repository } => (repository.clone(), false),
            Publication::PullRequest { remote, .. } => (remote.clone(), true),
            // It has no branch.
            Publication::Document { .. } => continue,
        };
        let number = published.pull_request.as_ref().map_or(0, |pull| pull.number);
        let branch = if number == 0 { published.branch.to_string() } else { String::new() };
        let work = works
            .entry((remote.clone(), number, branch))
            .or_insert_with(|| unseen(job, published, remote, on_forge));
        work.jobs.push(job.clone());
    }
    let mut works: Vec<Work> = works.into_values().collect();
    for work in &mut works {
        work.fact.others = others(store, epic, work).await?;
    }
    Ok(works)
}

fn unseen(job: &Job, published: &Published, remote: String, on_forge: bool) -> Work {
    let fact = WorkFact {
        key: job.key.clone(),
        remote,
        branch: published.branch.clone(),
        pull_request: published.pull_request.clone(),
        seen: PullSeen::Nowhere,
        branch_seen: BranchSeen::Unknown,
        reverted: false,
        others: Vec::new(),
    };
    Work { fact, jobs: Vec::new(), pull: None, revert: None, on_forge }
}

/// Jobs that are not of the epic and have work on the same branch, or are about to: a sprint takes tasks from anywhere.
async fn others(store: &Store, epic: &TaskKey, work: &Work) -> Result<Vec<TaskKey>, StoreError> {
    let Some(job) = work.jobs.iter().find(|job| job.spec.line.is_some()) else { return Ok(Vec::new()) };
    let Some(line) = job.spec.line.as_deref() else { return Ok(Vec::new()) };
    let of_epic = |job: &Job| job.spec.task.as_ref().is_some_and(|task| task.epic.as_ref() == Some(epic));
    let mut keys = Vec::new();
    for other in store.jobs_of_line(&job.repository_name, line).await? {
        let published = other.state.end().is_some_and(|end| end.published.is_some());
        if !of_epic(&other) && (published || !other.state.is_ended()) {
            keys.push(other.key);
        }
    }
    Ok(keys)
}

/// The same with what its forge says now.
pub(crate) async fn look(forges: &ForgeSettings, host: &Host, mut work: Work) -> Result<Work, StageError> {
    if !work.on_forge {
        return Ok(work);
    }
    let forge = code::connect(forges, host, &work.fact.remote).await?;
    ask(&forge, &mut work).await.map_err(trouble::forge)?;
    Ok(work)
}

async fn ask(forge: &Forge, work: &mut Work) -> Result<(), ForgeError> {
    let fact = &mut work.fact;
    work.pull = match &fact.pull_request {
        Some(pull) => Some(forge.pull_request(pull.number).await?),
        // The branch was pushed, and whoever pushed it did not come to record what followed.
        None => forge.pull_request_from(&fact.branch).await?,
    };
    if let Some(pull) = &work.pull {
        fact.pull_request = Some(PullRequestRef { number: pull.number, url: pull.url.clone() });
        fact.seen = match pull.state {
            PullRequestState::Open => PullSeen::Open,
            PullRequestState::Closed => PullSeen::Closed,
            PullRequestState::Merged => PullSeen::Merged,
        };
    }
    let base = work.pull.as_ref().map(|pull| pull.base.as_str());
    fact.branch_seen = match forge.look_at_branch(&fact.branch, base).await? {
        BranchSight::Gone => BranchSeen::Gone,
        BranchSight::IsBase => BranchSeen::Unknown,
        BranchSight::Contained { .. } => BranchSeen::Contained,
        BranchSight::Ahead { commits, .. } => BranchSeen::Ahead { commits },
    };
    if let (PullSeen::Merged, Some(branch)) = (fact.seen, revert_branch(&fact.key)) {
        work.revert = forge.pull_request_from(&branch).await?;
        fact.reverted = work.revert.is_some();
    }
    Ok(())
}
