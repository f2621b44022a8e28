//! `overnight retry`: the same order again as a new job, with what the arguments change.

use overnight_core::job::{JobState, Queueing};
use overnight_core::text::one_line;
use overnight_store::NewJob;

use crate::app::{App, find_error, store_error};
use crate::cli::run_args::RetryArgs;
use crate::commands::run;
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, styled};
use crate::{budget_order, order, wish, work};

/// # Errors
/// When there is no such job, it is still going, it can only be done elsewhere, or the changed order cannot be used.
pub async fn run(app: &App, args: &RetryArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let old = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    if !matches!(old.state, JobState::Ended { .. }) {
        return Err(AppError::usage(format!("{} has not ended: it is {}", old.key, old.state.name())).help(
            format!("go on with it: overnight resume {0}; or end it first: overnight cancel {0}", old.key),
        ));
    }
    let mut spec = order::changed(&old.spec, &args.order, app.config(), app.env.cwd())?;
    spec.budget = budget_order::again(&args.order.budget, &old.id, &old.spec.budget);
    budget_order::check(&spec, &app.config().budget.all)?;
    let place = wish::place_of(app, &spec)?;
    if old.queueing.place.is_some() && old.queueing.place != place {
        let what = format!("{} can only be done where {} is", old.key, one_line(&spec.source, 200));
        return Err(AppError::usage(what).help("run overnight retry on the machine that it was ordered on"));
    }
    wish::ready(&spec, &app.host()?)?;
    let working = app.working().await?;
    let store = working.engine.store();
    let queueing = run::ahead(store, Queueing { place, ..old.queueing.clone() }).await?;
    let new = NewJob { queueing, ..NewJob::new(old.repository.clone(), spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| store_error(&error))?;
    app.out.say(&format!("{} again as {}", old.key, styled(BOLD, job.key.as_str())));
    work::foreground(app, &working, &job, args.output).await
}
