//! `overnight cancel`: asks whoever works on a job to end it and waits until it has; ends it here when nobody does.

use std::time::Duration;

use overnight_core::job::{CancelledBy, EndReason, ExitCode, Job};
use overnight_core::text::for_terminal;
use overnight_store::{CancelRequest, Store};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::app::{App, find_error, store_error};
use crate::cli::queue_args::CancelArgs;
use crate::commands::resume::{home, is_free};
use crate::commands::view;
use crate::error::{AppError, Outcome};
use crate::render::screen::Mode;
use crate::render::words;
use crate::view::JobView;
use crate::work;
use crate::workforce::Workforce;

/// How often it is looked whether a job has ended.
const LOOK: Duration = Duration::from_millis(200);
/// How often somebody who waits is told so.
const STILL: Duration = Duration::from_secs(10);
/// How long a job is left to the worker of this data directory before it is ended here: all its slots may be busy.
const TAKE_UP: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Cancelled {
    /// `false`: somebody works on it and was asked.
    ended: bool,
    job: JobView,
}

/// # Errors
/// When one of the jobs is not there, and then none was cancelled. One that cannot be cancelled does not keep the others
/// from it; the first such error is the exit code.
pub async fn run(app: &App, args: &CancelArgs) -> Outcome {
    let store = app.store_for(args.jobs.first().map_or("", String::as_str)).await?;
    let mut jobs: Vec<Job> = Vec::new();
    for wanted in &args.jobs {
        let job = store.job_find(wanted).await.map_err(|error| find_error(&error))?;
        if !jobs.iter().any(|known| known.id == job.id) {
            jobs.push(job);
        }
    }
    let cancel = Cancel { app, args, store };
    // All of them hear of it before the first is waited for.
    let mut asked = Vec::new();
    for job in jobs {
        let result = cancel.ask(&job).await;
        asked.push((job, result));
    }
    let mut first = ExitCode::Done;
    for (job, result) in asked {
        let done = match result {
            Ok(request) => Box::pin(cancel.see_to_it(job, request)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            app.out.error(&error);
            if first == ExitCode::Done {
                first = error.code;
            }
        }
    }
    Ok(first)
}

struct Cancel<'a> {
    app: &'a App,
    args: &'a CancelArgs,
    store: Store,
}

impl Cancel<'_> {
    async fn ask(&self, job: &Job) -> Result<CancelRequest, AppError> {
        self.store.cancel_request(&job.id, CancelledBy::Command).await.map_err(|error| store_error(&error))
    }

    async fn see_to_it(&self, job: Job, request: CancelRequest) -> Result<(), AppError> {
        match request {
            CancelRequest::AlreadyEnded => return Err(already_ended(&self.again(&job).await?)),
            CancelRequest::Ended => {}
            CancelRequest::Asked | CancelRequest::Recorded if self.args.no_wait => {
                let how = match request {
                    CancelRequest::Asked => "is being worked on; its worker was asked to end it",
                    CancelRequest::Recorded | CancelRequest::Ended | CancelRequest::AlreadyEnded => {
                        "is ended by whoever takes it up next"
                    }
                };
                return self.tell(&self.again(&job).await?, &format!("{} {how}", job.key)).await;
            }
            CancelRequest::Asked | CancelRequest::Recorded => Box::pin(self.until_ended(&job)).await?,
        }
        let job = self.again(&job).await?;
        match job.state.end().map(|end| end.reason) {
            Some(EndReason::Cancelled | EndReason::Interrupted) => {
                let left = left_outside(&job).map(|left| format!("; {left}")).unwrap_or_default();
                self.tell(&job, &format!("{} is cancelled{left}", job.key)).await
            }
            Some(_) | None => Err(already_ended(&job)),
        }
    }

    async fn again(&self, job: &Job) -> Result<Job, AppError> {
        self.store.job(&job.id).await.map_err(|error| store_error(&error))
    }

    /// Waits for whoever holds the job, or ends it here where nobody does.
    async fn until_ended(&self, job: &Job) -> Result<(), AppError> {
        let began = Instant::now();
        let mut said = began;
        let mut free_since: Option<Instant> = None;
        loop {
            let job = self.again(job).await?;
            if job.state.is_ended() {
                return Ok(());
            }
            let workforce = Workforce::of(&self.store).await?;
            if is_free(&job, &workforce.dead, workforce.now) {
                let left_to_others = free_since.get_or_insert_with(Instant::now).elapsed() < TAKE_UP;
                if self.nobody_but_us(&job, &workforce, left_to_others).await? {
                    self.end_here(&job).await?;
                }
            } else if said == began {
                self.app.out.say(&format!("{} is being worked on; its worker was asked to end it", job.key));
                said = Instant::now();
            }
            if said.elapsed() >= STILL {
                let waited = words::age(began.elapsed());
                self.app.out.say(&format!(
                    "{} has not ended yet: {}, asked {waited} ago",
                    job.key,
                    job.state.name()
                ));
                said = Instant::now();
            }
            sleep(LOOK).await;
        }
    }

    /// Whether a job that nobody holds is to be ended here: what is to be cleared up is here, or nowhere in particular.
    async fn nobody_but_us(&self, job: &Job, workforce: &Workforce, wait: bool) -> Result<bool, AppError> {
        let standing = self.store.standing(&job.id).await.map_err(|error| store_error(&error))?;
        let home = home(job, &standing);
        let served = workforce.serves(home);
        let here = self.app.place()?;
        match home.filter(|home| **home != here) {
            None => Ok(!(served && wait)),
            Some(_) if served => Ok(false),
            Some(home) => {
                let what = format!("{} is to be cancelled, but no worker is there to clear it up", job.key);
                let help =
                    format!("it ends as soon as one runs where it was worked on: data directory {home}");
                Err(AppError::new(ExitCode::Pending, what).help(help))
            }
        }
    }

    /// Whoever claims a job that is to be cancelled ends it, and clears up what a dead worker left.
    async fn end_here(&self, job: &Job) -> Result<(), AppError> {
        let working = self.app.working().await?;
        match work::quietly_or_not(self.app, &working, job, Mode::Silent).await {
            // Somebody was faster, and ends it in the same way.
            Err(error) if error.code == ExitCode::Pending => Ok(()),
            done => done.map(drop),
        }
    }

    async fn tell(&self, job: &Job, what: &str) -> Result<(), AppError> {
        if self.args.json {
            let cancelled = Cancelled { ended: job.state.is_ended(), job: view(&self.store, job).await? };
            self.app.out.json("cancel", &cancelled)?;
        }
        self.app.out.say(what);
        Ok(())
    }
}

/// What had reached the outside before the cancel did anything.
fn left_outside(job: &Job) -> Option<String> {
    let published = job.state.end()?.published.as_ref()?;
    let pull = published
        .pull_request
        .as_ref()
        .map(|pull| format!(", and its pull request {}", for_terminal(&pull.url)));
    Some(format!(
        "its branch {}{} had been pushed already and stays",
        published.branch,
        pull.unwrap_or_default()
    ))
}

fn already_ended(job: &Job) -> AppError {
    let key = &job.key;
    let how = job.state.end().map(|end| format!(": {}", words::end(end.reason))).unwrap_or_default();
    let left = left_outside(job).map(|left| format!("\n{left}")).unwrap_or_default();
    AppError::usage(format!("{key} has ended already{how}"))
        .help(format!("see what came of it: overnight show {key}{left}"))
}
