//! The cascade of a job that has failed: its epic's other jobs are cancelled, and what they have published is taken back, as far as that takes
//! nothing away. A step that fails is told and the next one is done; what only is out of reach is tried again later.

use std::time::Duration;

use overnight_core::job::{CancelledBy, EndReason, Input, Job, Notice, ParkReason, StageOutput, Trouble};
use overnight_core::policy::cascade::{
    self, CascadeFacts, CascadeOutcome, CascadeResult, CascadeStep, JobAt, PATIENCE, Planned, Scope, What,
};
use overnight_store::{CancelRequest, StoreError};

use super::cascade_steps::{self, Outcome};
use crate::cascade::{Work, fact, group, look};
use crate::seat::Seat;
use crate::trouble::{self, StageError};

/// A cancelled job that ends wakes the cascade; this is for the end that came while nobody was listening yet.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<StageOutput, StageError> {
    let Some(scope) = scope(seat).await? else { return Ok(StageOutput::Cascaded) };
    let late = seat.engine.store().now().await? >= scope.until;
    let unfinished = cancel(seat, &scope, late).await?;
    // A pull request may be merged at the very moment in which it is to be closed: then it is to be reverted.
    while take_back(seat, &scope, late).await? {}
    if unfinished.is_empty() {
        return Ok(StageOutput::Cascaded);
    }
    let detail = format!("{} had not ended after {} hours", unfinished.join(", "), PATIENCE.as_secs() / 3600);
    Err(trouble::end(EndReason::InternalError, detail))
}

/// What it is about: found by the first look, and kept. `None`: nothing, or it is switched off.
async fn scope(seat: &mut Seat<'_>) -> Result<Option<Scope>, StageError> {
    if let Some(scope) = seat.state().cascade().and_then(|cascade| cascade.scope.clone()) {
        return Ok(Some(scope));
    }
    let Some(epic) = seat.job.spec.task.as_ref().and_then(|task| task.epic.clone()) else { return Ok(None) };
    let Some(found) = seat.until(|| seat.engine.store().epic_jobs(&epic)).await? else { return Ok(None) };
    let touched = |job: &Job| {
        let published = job.state.end().is_some_and(|end| end.published.is_some());
        job.id != seat.job.id && (published || fact(job).at == JobAt::Unfinished)
    };
    let others: Vec<Job> = found.jobs.into_iter().filter(touched).collect();
    if others.is_empty() {
        return Ok(None);
    }
    if !found.cascade {
        seat.notice(Notice::CascadeOff).await?;
        return Ok(None);
    }
    let now = seat.until(|| seat.engine.store().now()).await?;
    let jobs = others.iter().map(|job| job.id.clone()).collect();
    let scope = Scope { epic, jobs, until: now.plus(PATIENCE) };
    let keys = others.into_iter().map(|job| job.key).collect();
    seat.input(Input::CascadeBegan { scope: scope.clone(), jobs: keys }).await?;
    Ok(Some(scope))
}

/// The jobs that it is about, as they are now. One that was forgotten meanwhile has nothing left to be taken back by us.
async fn jobs(seat: &Seat<'_>, scope: &Scope) -> Result<Vec<Job>, StageError> {
    let mut jobs = Vec::with_capacity(scope.jobs.len());
    for id in &scope.jobs {
        let job = seat.until(|| async {
            match seat.engine.store().job(id).await {
                Ok(job) => Ok(Some(job)),
                // What cannot be read is a later version's.
                Err(StoreError::UnknownJob { .. } | StoreError::Row(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        jobs.extend(job.await?);
    }
    Ok(jobs)
}

/// Cancels what has not ended and waits until it has, because until then it may publish something. Returns the keys of those that have not
/// ended although the time is over.
async fn cancel(seat: &mut Seat<'_>, scope: &Scope, late: bool) -> Result<Vec<String>, StageError> {
    loop {
        let jobs: Vec<_> = jobs(seat, scope).await?.iter().map(fact).collect();
        let facts = CascadeFacts { jobs, works: Vec::new() };
        cancelled_before(seat, &facts).await?;
        for Planned { step, .. } in cascade::plan(&facts, &settled(seat)) {
            ask_to_end(seat, step).await?;
        }
        let open: Vec<_> = cascade::waits_for(&facts).into_iter().cloned().collect();
        let keys: Vec<String> = open.iter().map(|job| job.key.to_string()).collect();
        if open.is_empty() || late {
            return Ok(keys);
        }
        let ids: Vec<_> = open.into_iter().map(|job| job.job).collect();
        let left = seat.until(|| seat.engine.store().job_await_ends(seat.lease(), &ids)).await?;
        if left > 0 {
            let soon = seat.engine.store().now().await?.plus(LOOK_AGAIN);
            let trouble = Trouble::Wait { reason: ParkReason::Dependency, wake: Some(soon.min(scope.until)) };
            let detail = format!("the cascade waits for the end of {}", keys.join(", "));
            return Err(StageError::Trouble { trouble, detail });
        }
    }
}

/// Cancels that were announced by an earlier holder, of jobs that have ended since.
async fn cancelled_before(seat: &mut Seat<'_>, facts: &CascadeFacts) -> Result<(), StageError> {
    for step in doing(seat) {
        let CascadeStep::CancelJob { job, .. } = &step else { continue };
        if facts.jobs.iter().all(|fact| fact.job != *job || fact.at != JobAt::Unfinished) {
            tell(seat, step, CascadeResult::new(CascadeOutcome::Done, "it has ended")).await?;
        }
    }
    Ok(())
}

async fn ask_to_end(seat: &mut Seat<'_>, step: CascadeStep) -> Result<(), StageError> {
    let CascadeStep::CancelJob { job, .. } = &step else { return Ok(()) };
    let by = CancelledBy::Cascade { failed: seat.job.key.clone() };
    let again = announce(seat, &step).await?;
    let asked = seat.until(|| seat.engine.store().cancel_request(job, by.clone())).await?;
    let (outcome, detail) = match asked {
        CancelRequest::Ended => (CascadeOutcome::Done, "it was not started yet, and has ended"),
        CancelRequest::Asked => (CascadeOutcome::Done, "its worker was asked to end it"),
        CancelRequest::Recorded => (CascadeOutcome::Done, "it waited, and whoever takes it up ends it"),
        CancelRequest::AlreadyEnded if again => (CascadeOutcome::Done, "it has ended"),
        CancelRequest::AlreadyEnded => (CascadeOutcome::AlreadySo, "it had ended by itself"),
    };
    tell(seat, step, CascadeResult::new(outcome, detail)).await
}

/// Deals with everything that was published. Returns whether it has to be looked at once more.
async fn take_back(seat: &mut Seat<'_>, scope: &Scope, late: bool) -> Result<bool, StageError> {
    let mut round = Round { late, waits: None };
    let works = seen(seat, scope, &mut round).await?;
    let facts =
        CascadeFacts { jobs: Vec::new(), works: works.iter().map(|work| work.fact.clone()).collect() };
    let planned = cascade::plan(&facts, &settled(seat));
    done_before(seat, &works, &planned).await?;
    for Planned { step, what } in planned {
        if seat.signals.cause().is_some() {
            return Err(StageError::Stopped);
        }
        match (what, works.iter().find(|work| work.fact.key == *step.key())) {
            (What::Do, Some(work)) => {
                if perform(seat, (scope, work), step, &mut round).await? {
                    return Ok(true);
                }
            }
            (What::Leave { why, command }, _) => {
                let result = CascadeResult { command, ..CascadeResult::new(CascadeOutcome::Left, why) };
                tell(seat, step, result).await?;
            }
            (What::Do, None) => {}
        }
    }
    round.waits.map_or(Ok(false), Err)
}

/// One look at everything, and what came in its way.
struct Round {
    late: bool,
    /// The first trouble that will pass.
    waits: Option<StageError>,
}

impl Round {
    /// What a trouble means for the step that met it: a result, or none yet. What ends the whole stage is handed on.
    fn met(&mut self, error: StageError) -> Result<Option<CascadeResult>, StageError> {
        match error {
            StageError::Trouble { trouble: Trouble::End(_), detail } => {
                Ok(Some(CascadeResult::new(CascadeOutcome::Failed, detail)))
            }
            StageError::Trouble { trouble: Trouble::Wait { .. }, detail } if self.late => {
                Ok(Some(CascadeResult::new(CascadeOutcome::GivenUp, detail)))
            }
            error @ StageError::Trouble { trouble: Trouble::Wait { .. }, .. } => {
                self.waits.get_or_insert(error);
                Ok(None)
            }
            error @ (StageError::Stopped | StageError::MirrorDamaged { .. } | StageError::Work(_)) => {
                Err(error)
            }
        }
    }
}

/// What was published, with what forges say of it. Work that cannot be looked at does not keep the rest from being dealt with.
async fn seen(seat: &mut Seat<'_>, scope: &Scope, round: &mut Round) -> Result<Vec<Work>, StageError> {
    let jobs = jobs(seat, scope).await?;
    let works = seat.until(|| group(seat.engine.store(), &scope.epic, &jobs)).await?;
    let mut found = Vec::new();
    for work in works {
        let (key, branch, pull) =
            (work.fact.key.clone(), work.fact.branch.clone(), work.fact.pull_request.clone());
        let last = CascadeStep::DeleteBranch { key: key.clone(), branch };
        // All of it has a result, and none of that is waited for.
        if settled(seat).contains(&last.name()) && doing(seat).iter().all(|step| *step.key() != key) {
            continue;
        }
        let looking = look(seat.engine.forges(), seat.engine.host(), work);
        match seat.unless_stopped(looking).await {
            Ok(work) => found.push(work),
            Err(error) => {
                let Some(result) = round.met(error)? else { continue };
                let open = pull.map(|pull_request| CascadeStep::ClosePullRequest { key, pull_request });
                for step in open.into_iter().chain([last]) {
                    if !settled(seat).contains(&step.name()) {
                        tell(seat, step, with_command(result.clone(), seat)).await?;
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Steps that were announced by an earlier holder, and that nothing is left to be done of.
async fn done_before(seat: &mut Seat<'_>, works: &[Work], planned: &[Planned]) -> Result<(), StageError> {
    for step in doing(seat) {
        let work = works.iter().find(|work| work.fact.key == *step.key());
        let Some(work) = work.filter(|_| planned.iter().all(|planned| planned.step != step)) else {
            continue;
        };
        let mut result = CascadeResult::new(CascadeOutcome::Done, "it was done when this was interrupted");
        if let (CascadeStep::OpenRevert { .. }, Some(pull)) = (&step, &work.revert) {
            result.pull_request = Some(cascade_steps::reference(pull));
        }
        tell(seat, step, result).await?;
    }
    Ok(())
}

/// Returns whether everything has to be looked at once more.
async fn perform(
    seat: &mut Seat<'_>,
    (scope, work): (&Scope, &Work),
    step: CascadeStep,
    round: &mut Round,
) -> Result<bool, StageError> {
    announce(seat, &step).await?;
    let (result, again) = match cascade_steps::perform(seat, scope, work, &step).await {
        Ok(Outcome::Told(result)) => (result, false),
        Ok(Outcome::Merged(result)) => (result, true),
        Err(error) => match round.met(error)? {
            Some(result) => (with_command(result, seat), false),
            None => return Ok(false),
        },
    };
    tell(seat, step, result).await?;
    Ok(again)
}

/// The way on for a person, where there is no better one.
fn with_command(result: CascadeResult, seat: &Seat<'_>) -> CascadeResult {
    if result.command.is_some() {
        return result;
    }
    let command = format!("overnight cascade {} --dry-run", seat.job.key);
    result.by_hand(command)
}

fn settled(seat: &Seat<'_>) -> std::collections::BTreeSet<String> {
    seat.state().cascade().map(|cascade| cascade.settled.clone()).unwrap_or_default()
}

fn doing(seat: &Seat<'_>) -> Vec<CascadeStep> {
    seat.state().cascade().map(|cascade| cascade.doing.clone()).unwrap_or_default()
}

/// Reserves a step before it is done. Returns whether an earlier holder had.
async fn announce(seat: &mut Seat<'_>, step: &CascadeStep) -> Result<bool, StageError> {
    if seat.state().cascade().is_some_and(|cascade| cascade.doing.contains(step)) {
        return Ok(true);
    }
    seat.input(Input::CascadeAnnounced { step: step.clone() }).await?;
    Ok(false)
}

async fn tell(seat: &mut Seat<'_>, step: CascadeStep, result: CascadeResult) -> Result<(), StageError> {
    Ok(seat.input(Input::CascadeStepped { step, result }).await?)
}
