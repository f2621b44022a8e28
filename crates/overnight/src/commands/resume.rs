//! `overnight resume`: goes on with jobs whose worker died or that wait.

use overnight_core::id::WorkerId;
use overnight_core::job::{ExitCode, Job, JobState};
use overnight_core::text::one_line;
use overnight_core::units::Timestamp;
use overnight_store::Store;

use crate::app::{App, find_error, store_error};
use crate::cli::args::ResumeArgs;
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, styled};
use crate::render::words;
use crate::{work, worker};

/// # Errors
/// When there is no such job, somebody else works on it, or the store fails. With `--all` one job's error does not keep
/// the others from going on; the first is the exit code.
pub async fn run(app: &App, args: &ResumeArgs) -> Outcome {
    if let Some(wanted) = &args.job {
        let store = app.store_for(wanted).await?;
        let job = store.job_find(wanted).await.map_err(|error| find_error(&error))?;
        return go_on(app, &job, args).await;
    }
    let Some(store) = app.store_if_any().await? else { return nothing(app) };
    let mut jobs = waiting(app, &store).await?;
    if !args.all {
        jobs.truncate(1);
    } else {
        // The oldest has waited longest.
        jobs.reverse();
    }
    if jobs.is_empty() {
        return nothing(app);
    }
    let mut first = ExitCode::Done;
    for job in &jobs {
        let code = match go_on(app, job, args).await {
            Ok(code) => code,
            Err(error) => {
                app.out.error(&error);
                error.code
            }
        };
        if first == ExitCode::Done {
            first = code;
        }
        if matches!(code, ExitCode::Interrupted | ExitCode::Store) {
            break;
        }
    }
    Ok(first)
}

fn nothing(app: &App) -> Outcome {
    app.out.say("nothing to resume: no job is due and none was interrupted");
    Ok(ExitCode::Done)
}

async fn go_on(app: &App, job: &Job, args: &ResumeArgs) -> Outcome {
    let working = app.working().await?;
    app.out.say(&format!("{} {}", styled(BOLD, job.key.as_str()), one_line(&job.spec.title, 120)));
    work::foreground(app, &working, job, args.output).await
}

/// Unfinished jobs that nobody works on, newest first. Those whose time has not come are named and left alone: trying them
/// now would only park them again. Naming one tries it all the same.
async fn waiting(app: &App, store: &Store) -> Result<Vec<Job>, AppError> {
    let list = store.jobs_unfinished().await.map_err(|error| store_error(&error))?;
    let dead = worker::dead(store).await?;
    let now = store.now().await.map_err(|error| store_error(&error))?;
    let free = list.jobs.into_iter().filter(|job| is_free(job, &dead, now));
    let (early, due): (Vec<Job>, Vec<Job>) = free.partition(|job| wake(job).is_some_and(|at| at > now));
    for job in &early {
        let at = wake(job).map(words::moment).unwrap_or_default();
        app.out.say(&format!("{0} waits until {at}; to try it now: overnight resume {0}", job.key));
    }
    Ok(due)
}

fn wake(job: &Job) -> Option<Timestamp> {
    match &job.state {
        JobState::Parked { wake, .. } => *wake,
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Ended { .. } => None,
    }
}

/// Whether nobody works on the job: it has no holder, a dead one, or one whose lease is over.
#[must_use]
pub fn is_free(job: &Job, dead: &[WorkerId], now: Timestamp) -> bool {
    job.holder.as_ref().is_none_or(|holder| holder.lease_until <= now || dead.contains(&holder.worker))
}
