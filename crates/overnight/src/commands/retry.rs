//! `overnight retry`: the same order again as a new job, with what the arguments change.

use overnight_core::job::JobState;
use overnight_store::NewJob;

use crate::app::{App, find_error, store_error};
use crate::cli::run_args::RetryArgs;
use crate::commands::run;
use crate::error::{AppError, Outcome};
use crate::order;
use crate::output::{BOLD, styled};
use crate::work;

/// # Errors
/// When there is no such job, it is still going, or the changed order cannot be used.
pub async fn run(app: &App, args: &RetryArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let old = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    if !matches!(old.state, JobState::Ended { .. }) {
        return Err(AppError::usage(format!("{} has not ended: it is {}", old.key, old.state.name())).help(
            format!("go on with it: overnight resume {0}; or end it first: overnight cancel {0}", old.key),
        ));
    }
    let spec = order::changed(&old.spec, &args.order, app.config(), app.env.cwd())?;
    run::ready(&spec, &app.host()?)?;
    let working = app.working().await?;
    let new = NewJob { queueing: old.queueing.clone(), ..NewJob::new(old.repository.clone(), spec) };
    let job = working.engine.store().job_enqueue(&new).await.map_err(|error| store_error(&error))?;
    app.out.say(&format!("{} again as {}", old.key, styled(BOLD, job.key.as_str())));
    work::foreground(app, &working, &job, args.output).await
}
