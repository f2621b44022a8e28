//! `overnight continue`: what is to be done next on a job that has ended, on its branch and in its agent's conversation.

use overnight_core::agent::Agent;
use overnight_core::follow::{self, Wanted};
use overnight_core::id::JobId;
use overnight_core::job::{End, Job, JobEvent, JobSpec, JobState, Queueing, Trail};
use overnight_core::text::for_terminal;
use overnight_store::{NewJob, Store};

use crate::app::{App, find_error, store_error};
use crate::cli::run_args::ContinueArgs;
use crate::commands::retry::again;
use crate::commands::{events, readable, run};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, styled};
use crate::render::stage::{Mark, line};
use crate::{budget_order, order, wish, work};

/// # Errors
/// When there is no such job, it is still going or never began, it can only be done elsewhere, or the changed order cannot be used.
pub async fn run(app: &App, args: &ContinueArgs) -> Outcome {
    let message = message(args)?;
    let store = app.store_for(&args.job).await?;
    let old = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let JobState::Ended { trail, end } = &old.state else {
        return Err(AppError::usage(format!("{} has not ended: it is {}", old.key, old.state.name())).help(
            format!("go on with it: overnight resume {0}; or end it first: overnight cancel {0}", old.key),
        ));
    };
    if let Some(document) = old.spec.document() {
        let what =
            format!("{} wrote about the idea {}, and left nothing to go on with", old.key, document.key);
        return Err(AppError::usage(what).help(format!(
            "have it written anew: overnight idea {} {}; or run the same again: overnight retry {}",
            document.part, document.key, old.key
        )));
    }
    let spec = spec(app, args, &store, &old, (trail, end), message).await?;
    let place = place(app, &old, &spec)?;
    wish::ready(&spec, &app.host()?)?;
    let queueing = Queueing { place, not_before: None, ..old.queueing.clone() };
    if args.queue {
        return queue(app, &store, &old, NewJob { queueing, ..NewJob::new(old.repository.clone(), spec) })
            .await;
    }
    let working = app.working_on(store).await?;
    let store = working.engine.store();
    let queueing = run::ahead(store, queueing).await?;
    let new = NewJob { queueing, ..NewJob::new(old.repository.clone(), spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| store_error(&error))?;
    app.out.say(&format!("{} goes on as {}", old.key, styled(BOLD, job.key.as_str())));
    work::foreground(app, &working, &job, args.output).await
}

async fn queue(app: &App, store: &Store, old: &Job, new: NewJob) -> Outcome {
    let job = store.job_enqueue(&new).await.map_err(|error| store_error(&error))?;
    app.out.say(&format!("{} goes on as {}, in the queue", old.key, styled(BOLD, job.key.as_str())));
    Ok(overnight_core::job::ExitCode::Done)
}

fn message(args: &ContinueArgs) -> Result<String, AppError> {
    if args.message.chars().any(char::is_alphanumeric) {
        return order::check_prompt(&args.message).map(|()| args.message.clone());
    }
    Err(AppError::usage("the message is empty")
        .help(format!("say what is to be done next: overnight continue {} -m \"…\"", args.job)))
}

async fn spec(
    app: &App,
    args: &ContinueArgs,
    store: &Store,
    old: &Job,
    (trail, end): (&Trail, &End),
    message: String,
) -> Result<JobSpec, AppError> {
    let records = events(store, &old.id).await?;
    let history: Vec<JobEvent> = readable(&records).cloned().collect();
    if !follow::left_something(trail, end) {
        return Err(AppError::usage(format!("{} left nothing to go on with", old.key))
            .help(format!("run it again: overnight retry {}", old.key)));
    }
    let (mut spec, notes) = again(app, old, &args.order)?;
    for note in notes {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(&note)));
    }
    spec.budget = budget_order::again(&args.order.budget, &old.id, &old.spec.budget);
    budget_order::check(&spec, &app.config().budget.all)?;
    let same_agent = Agent::of(spec.agent_of(trail.who)).is_of(old.spec.agent_of(trail.who));
    let travels = overnight_agents::session_travels(old.spec.agent_of(trail.who).backend);
    spec.title = order::title(args.title.as_deref(), &message);
    let wanted = Wanted { message, keeps_session: same_agent && travels && !args.fresh, pull: None };
    Ok(follow::follow_up(spec, old, (trail, end), &history, wanted))
}

/// Work that was not published is only where it was done.
fn place(app: &App, old: &Job, spec: &JobSpec) -> Result<Option<overnight_core::job::Label>, AppError> {
    let unpublished = spec.follows.as_ref().is_some_and(|follows| follows.preserved.is_some());
    let here = app.place()?;
    let bound = wish::place_of(app, spec)?.or_else(|| unpublished.then(|| here.clone()));
    let elsewhere = old.queueing.place.as_ref().is_some_and(|place| *place != here);
    if bound.is_some() && (elsewhere || (unpublished && !was_here(app, &old.id))) {
        let what = format!("what {} has done is on another machine", old.key);
        return Err(AppError::usage(what).help("run overnight continue on the machine that worked on it"));
    }
    Ok(bound)
}

fn was_here(app: &App, job: &JobId) -> bool {
    app.log_dir(job).exists()
}
