//! `overnight run`: from a wish to a queued job, worked on at once.

use std::time::Duration;

use overnight_core::job::{Job, JobSpec, Queueing};
use overnight_core::text::{for_terminal, one_line};
use overnight_store::{NewJob, NewRepository, Repository, Store};

use crate::app::{App, store_error};
use crate::cli::run_args::RunArgs;
use crate::commands::agent::age;
use crate::error::{AppError, Outcome};
use crate::order;
use crate::output::{BOLD, styled};
use crate::render::stage::{Mark, line};
use crate::repository::Target;
use crate::wish::{self, Ground, Ordered, Site};
use crate::work;

/// How long a job is left to the command that made it before workers may take it: far longer than the command needs to
/// claim it, and short enough when the command is killed in between.
pub const HEAD_START: Duration = Duration::from_secs(10);

/// # Errors
/// When the wish, the repository, the agent or the settings cannot be used; nothing was queued then.
pub async fn run(app: &App, args: &RunArgs) -> Outcome {
    let prompt = wish::prompt(&args.wish, app)?;
    order::check_prompt(&prompt)?;
    let ground = Ground::look(app, &args.wish, Site::Here).await?;
    let Ordered { spec, notes } = ground.spec(app, &args.wish, prompt)?;
    ground.missing(&spec)?;
    let working = app.working().await?;
    age::tell(app, &spec.agent).await;
    let store = working.engine.store();
    let repository = registered(store, &ground.target).await?;
    let queueing = Queueing { place: wish::place_of(app, &spec)?, ..Queueing::default() };
    let new = NewJob { queueing: ahead(store, queueing).await?, ..NewJob::new(repository.id, spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| store_error(&error))?;
    announce(app, &job, ground.target.notes.iter().chain(&notes));
    work::foreground(app, &working, &job, args.output).await
}

/// The job's repository, registered if it was not.
///
/// # Errors
/// When the store fails.
pub async fn registered(store: &Store, target: &Target) -> Result<Repository, AppError> {
    let new = NewRepository { name: target.name.clone(), remote: target.source.clone() };
    store.repository_ensure(&new).await.map_err(|error| store_error(&error))
}

/// The same place in the queue with a head start for this command, which is about to claim the job by its name.
///
/// # Errors
/// When the store fails.
pub async fn ahead(store: &Store, queueing: Queueing) -> Result<Queueing, AppError> {
    let now = store.now().await.map_err(|error| store_error(&error))?;
    Ok(Queueing { not_before: Some(now.plus(HEAD_START)), ..queueing })
}

fn announce<'a>(app: &App, job: &Job, notes: impl Iterator<Item = &'a String>) {
    app.out.say(&format!("{} {}", styled(BOLD, job.key.as_str()), for_terminal(&job.spec.title)));
    app.out.say(&line(Mark::Fact, "agent", None, &agent(&job.spec)));
    for note in notes {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(note)));
    }
}

/// The agent of an order, and its model when one is named.
#[must_use]
pub fn agent(spec: &JobSpec) -> String {
    let model = spec.agent.model.as_deref().map(|model| format!(" ({})", one_line(model, 60)));
    format!("{}{}", spec.agent.name(), model.unwrap_or_default())
}
