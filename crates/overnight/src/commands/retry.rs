//! `overnight retry`: the same order again as a new job, with what the arguments change.

use overnight_core::choose::Layer;
use overnight_core::job::{Job, JobSpec, JobState, Label, Origin, Queueing};
use overnight_core::text::{for_terminal, one_line};
use overnight_store::NewJob;

use crate::app::{App, find_error, store_error};
use crate::choose::{About, Advice};
use crate::cli::run_args::{OrderArgs, RetryArgs};
use crate::commands::run;
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, styled};
use crate::render::stage::{Mark, line};
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
    let Again { spec, place, notes } = order_again(app, &old, &args.order)?;
    wish::ready(&spec, &app.host()?)?;
    for note in notes {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(&note)));
    }
    let working = app.working().await?;
    let store = working.engine.store();
    let queueing = run::ahead(store, Queueing { place, ..old.queueing.clone() }).await?;
    let new = NewJob { queueing, ..NewJob::new(old.repository.clone(), spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| store_error(&error))?;
    app.out.say(&format!("{} again as {}", old.key, styled(BOLD, job.key.as_str())));
    work::foreground(app, &working, &job, args.output).await
}

/// The order of a job, to be queued again.
#[derive(Debug)]
pub struct Again {
    pub spec: JobSpec,
    /// The data directory that it has to be done in.
    pub place: Option<Label>,
    /// What was taken instead of what was said.
    pub notes: Vec<String>,
}

/// The order again, with its budget and place.
///
/// # Errors
/// When it can only be done elsewhere, or the changed order cannot be used.
pub fn order_again(app: &App, old: &Job, args: &OrderArgs) -> Result<Again, AppError> {
    let (mut spec, notes) = again(app, old, args)?;
    spec.budget = budget_order::again(&args.budget, &old.id, &old.spec.budget);
    budget_order::check(&spec, &app.config().budget.all)?;
    let place = wish::place_of(app, &spec)?;
    if old.queueing.place.is_some() && old.queueing.place != place {
        let what = format!("{} can only be done where {} is", old.key, one_line(&spec.source, 200));
        return Err(AppError::usage(what).help("run overnight retry on the machine that it was ordered on"));
    }
    Ok(Again { spec, place, notes })
}

/// The order again: what the job asked for stays unless the arguments say otherwise, the rest is resolved anew. With what was
/// taken instead of what was said.
///
/// # Errors
/// When the arguments or the configuration cannot be used.
pub fn again(app: &App, old: &Job, args: &OrderArgs) -> Result<(JobSpec, Vec<String>), AppError> {
    let spec = order::changed(&old.spec, &args.verify, app.config())?;
    let asked = order::asked_again(&spec, args, &app.config().agent)?;
    let task = Layer::of_job(&spec, |origin| origin == Origin::Task);
    let advice = Advice::of(app.config(), &app.host()?);
    let about = About { repository: &old.repository_name, kind: spec.choice.kind };
    let sources = advice.sources(&task, &asked, about);
    let resolved = advice.resolve(&sources, &sources.agent().ok_or_else(wish::no_agent)?);
    let settings = order::completed(resolved.settings, &args.agent, Some(&spec.agent), app.env.cwd())?;
    Ok((spec.with_settings(settings), resolved.notes))
}
