//! The pull request that the jobs of a line share: looked for, or opened by the first of them; its text tells of each, and a draft is
//! ready when the last is done. Each step asks the forge first what it has, so that it can be done again at any time.

use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::{EventNumber, TaskKey};
use overnight_core::job::{BranchLine, EndReason, Job, JobEvent, Publication, PullRequestRef, StageOutput};
use overnight_forge::body::{self, LineFacts, TaskFacts};
use overnight_forge::{Forge, NewPullRequest, PullRequest, PullRequestChange, PullRequestState};

use crate::seat::Seat;
use crate::sprint;
use crate::stages::line;
use crate::trouble::{self, StageError};

/// The branch, and what is to be merged into what.
pub(super) struct Pushed<'a> {
    pub(super) branch: &'a BranchName,
    pub(super) tip: &'a CommitId,
    pub(super) base: &'a str,
}

pub(super) async fn share(
    seat: &mut Seat<'_>,
    forge: &Forge,
    place: &BranchLine,
    pushed: Pushed<'_>,
) -> Result<StageOutput, StageError> {
    refuse_closed(seat, forge, &pushed).await?;
    let ours = body::render_line(&facts(seat, place, pushed.base).await?);
    let title = body::title(&place.title);
    let asked = matches!(seat.job.spec.publication, Publication::PullRequest { draft: true, .. });
    // A sprint's is a draft until its last task, whatever was asked for.
    let last = place.draft && place.is_last();
    let open = if last { still_open(seat, place).await? } else { None };
    let ready = last && open.is_none();
    let draft = if place.draft { !ready } else { asked };
    let request = NewPullRequest {
        job: seat.job.id.clone(),
        title: title.clone(),
        body: body::put_line("", &ours),
        head: pushed.branch.clone(),
        base: pushed.base.to_owned(),
        tip: pushed.tip.clone(),
        draft,
    };
    let settling = settle(forge, &request, ready, &ours);
    let found =
        seat.unless_stopped_for_long(async { Box::pin(settling).await.map_err(trouble::forge) }).await?;
    if found.state == PullRequestState::Closed {
        return Err(closed(&found.url));
    }
    let pull_request = PullRequestRef { number: found.number, url: found.url };
    Ok(StageOutput::PullRequest { pull_request, adopted: found.adopted, open })
}

/// What is still to be done on a sprint's line behind the job that was the last when it was ordered. Tasks come to a sprint while it
/// works, so it is looked at now, when the draft could become ready.
async fn still_open(seat: &Seat<'_>, place: &BranchLine) -> Result<Option<TaskKey>, StageError> {
    let behind = |job: &&Job| {
        let number = job.spec.line.as_ref().map(|line| line.number);
        job.state.end().is_none() && number > Some(place.number)
    };
    let jobs = line::others(seat, place).await?;
    if let Some(job) = jobs.iter().find(behind) {
        return Ok(Some(job.key.clone()));
    }
    Ok(seat.until(|| sprint::open_task(seat.engine.store(), &seat.job, place)).await?)
}

/// Opens or finds it, and brings its text and its readiness to where they have to be.
async fn settle(
    forge: &Forge,
    request: &NewPullRequest,
    ready: bool,
    ours: &str,
) -> Result<PullRequest, overnight_forge::ForgeError> {
    let found = forge.open_pull_request(request).await?;
    if found.state != PullRequestState::Open {
        return Ok(found);
    }
    let body = body::put_line(&found.body, ours);
    if body.trim_end() != found.body.trim_end() {
        // Its title may be a person's by now.
        let change = PullRequestChange { body: Some(body), ..PullRequestChange::default() };
        forge.update_pull_request(found.number, &change).await?;
    }
    if ready && found.draft {
        forge.set_draft(found.number, false).await?;
    }
    Ok(found)
}

/// A pull request that somebody closed says that this work is not wanted. One that was merged does not: the next is a new one.
async fn refuse_closed(seat: &Seat<'_>, forge: &Forge, pushed: &Pushed<'_>) -> Result<(), StageError> {
    let looking = forge.find_pull_requests(pushed.branch, pushed.base);
    let found = seat.unless_stopped(async { looking.await.map_err(trouble::forge) }).await?;
    let newest = found.into_iter().max_by_key(|pull| (pull.state == PullRequestState::Open, pull.number));
    match newest {
        Some(pull) if pull.state == PullRequestState::Closed => Err(closed(&pull.url)),
        Some(_) | None => Ok(()),
    }
}

fn closed(url: &str) -> StageError {
    let detail = format!(
        "{url} was closed by somebody; no other is opened for its branch. Reopen it, then run this again with overnight retry"
    );
    trouble::end(EndReason::BranchConflict, detail)
}

/// What the records of the line's jobs say.
async fn facts(seat: &Seat<'_>, place: &BranchLine, base: &str) -> Result<LineFacts, StageError> {
    let mut jobs: Vec<Job> = line::others(seat, place).await?;
    jobs.push(seat.job.clone());
    let mut tasks: Vec<TaskFacts> = Vec::new();
    for job in &jobs {
        let records = seat.until(|| seat.engine.store().events(&job.id, EventNumber(0), u32::MAX)).await?;
        let events: Vec<JobEvent> = records.into_iter().filter_map(|record| record.event.ok()).collect();
        tasks.extend(TaskFacts::of(job, &events));
    }
    // The sort is stable: a task that was done again stands behind its first time.
    tasks.sort_by_key(|task| task.number);
    Ok(LineFacts { line: place.clone(), job: seat.job.id.clone(), base_branch: base.to_owned(), tasks })
}
