//! `overnight cancel`: asks whoever works on a job to end it; ends it here when nobody does.

use overnight_core::job::{CancelledBy, ExitCode, Job};
use overnight_store::CancelRequest;
use serde::Serialize;

use crate::app::{App, find_error, store_error};
use crate::cli::args::CancelArgs;
use crate::commands::resume::is_free;
use crate::error::{AppError, Outcome};
use crate::render::screen::Mode;
use crate::view::JobView;
use crate::{work, worker};

#[derive(Debug, Serialize)]
struct Cancelled {
    /// `false`: somebody works on it and was asked.
    ended: bool,
    job: JobView,
}

/// # Errors
/// When there is no such job, it has ended, or the store fails.
pub async fn run(app: &App, args: &CancelArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    match store.cancel_request(&job.id, CancelledBy::Command).await.map_err(|error| store_error(&error))? {
        CancelRequest::AlreadyEnded => {
            return Err(AppError::usage(format!("{} has ended already", job.key))
                .help(format!("see what came of it: overnight show {}", job.key)));
        }
        CancelRequest::Ended => {
            let job = store.job(&job.id).await.map_err(|error| store_error(&error))?;
            return tell(app, args, true, &job, &format!("{} is cancelled", job.key));
        }
        CancelRequest::Asked | CancelRequest::Recorded => {}
    }
    let now = store.now().await.map_err(|error| store_error(&error))?;
    if !is_free(&job, &worker::dead(&store).await?, now) {
        let what = format!("{} is being worked on; its worker was asked to end it", job.key);
        return tell(app, args, false, &job, &what);
    }
    // Whoever claims a job that is to be cancelled ends it, and clears up what a dead worker left.
    let working = app.working().await?;
    let job = work::quietly_or_not(app, &working, &job, Mode::Silent).await?;
    let what = format!("{} is cancelled", job.key);
    tell(app, args, job.state.is_ended(), &job, &what)
}

fn tell(app: &App, args: &CancelArgs, ended: bool, job: &Job, what: &str) -> Outcome {
    if args.json {
        app.out.json("cancel", &Cancelled { ended, job: JobView::of(job) })?;
    }
    app.out.say(what);
    Ok(ExitCode::Done)
}
