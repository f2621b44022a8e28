//! `overnight cascade --dry-run`: what the failure of a task would lead to now, or what is left of a cascade.

use std::fmt::Write;

use overnight_core::backlog::ItemKind;
use overnight_core::id::TaskKey;
use overnight_core::job::{ExitCode, Job};
use overnight_core::policy::cascade::{self, CascadeStep, Planned, What};
use overnight_core::text::{for_terminal, one_line};
use overnight_engine::cascade::{CascadePreview, preview};
use overnight_store::{FindError, Store};
use serde::Serialize;

use crate::app::{App, find_error, store_error};
use crate::cli::cascade_args::CascadeArgs;
use crate::error::{AppError, Outcome};
use crate::output::{DIM, styled};

/// The document of `--json`. The field names are public.
#[derive(Debug, Serialize)]
struct Document<'a> {
    job: &'a TaskKey,
    epic: &'a TaskKey,
    /// Whether failures of the epic's tasks are carried on.
    on: bool,
    /// Whether the job has ended in a way that is; `null`: it has not ended.
    fails: Option<bool>,
    steps: Vec<StepView<'a>>,
    /// Work of which the forge says nothing at this moment.
    unknown: Vec<UnknownView<'a>>,
}

#[derive(Debug, Serialize)]
struct StepView<'a> {
    step: &'a CascadeStep,
    /// `false`: it would only be told that it is not done, and why.
    done: bool,
    why: Option<&'a str>,
    command: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct UnknownView<'a> {
    key: &'a TaskKey,
    why: &'a str,
}

/// # Errors
/// When there is no such job, it belongs to no epic, or the store fails.
pub async fn run(app: &App, args: &CascadeArgs) -> Outcome {
    let store = app.store_for(&args.key).await?;
    let job = job(&store, &args.key).await?;
    let (forges, host) = (app.forges()?, app.host()?);
    let found = preview(&store, &forges, &host, &job).await.map_err(|error| store_error(&error))?;
    let Some(found) = found else {
        return Err(AppError::usage(format!(
            "{} belongs to no epic, so nothing depends on its end",
            job.key
        ))
        .help("see what it belongs to: overnight show JOB"));
    };
    if args.json {
        app.out.json("cascade", &document(&job, &found))?;
    } else {
        app.out.data(&page(&job, &found))?;
    }
    Ok(ExitCode::Done)
}

/// The job of this name, or the newest of the task of this name.
async fn job(store: &Store, wanted: &str) -> Result<Job, AppError> {
    let newest = match store.item_find(wanted).await {
        Ok(item) if item.kind() == ItemKind::Task => {
            store.item_runs(&item.id).await.map_err(|error| store_error(&error))?.pop()
        }
        Ok(_) | Err(_) => None,
    };
    match newest {
        Some(run) => match store.job(&run.job).await {
            Ok(job) => Ok(job),
            Err(error) => Err(store_error(&error)),
        },
        None => store.job_find(wanted).await.map_err(|error: FindError| find_error(&error)),
    }
}

/// Whether its end is one that is carried on; `None`: it has not come to its end.
fn fails(job: &Job) -> Option<bool> {
    job.state.end().map(|end| cascade::epic_of(&job.spec, end.reason).is_some())
}

fn document<'a>(job: &'a Job, found: &'a CascadePreview) -> Document<'a> {
    Document {
        job: &job.key,
        epic: &found.epic,
        on: found.on,
        fails: fails(job),
        steps: found.planned.iter().map(view).collect(),
        unknown: found.unknown.iter().map(|(key, why)| UnknownView { key, why }).collect(),
    }
}

fn view(planned: &Planned) -> StepView<'_> {
    let (done, why, command) = match &planned.what {
        What::Do => (true, None, None),
        What::Leave { why, command } => (false, Some(why.as_str()), command.as_deref()),
    };
    StepView { step: &planned.step, done, why, command }
}

fn page(job: &Job, found: &CascadePreview) -> String {
    let mut text = format!("{}\n", heading(job, found));
    if found.planned.is_empty() && found.unknown.is_empty() {
        text += "  nothing: no other job of the epic runs, waits or has published anything\n";
    }
    for planned in &found.planned {
        // Writing to a String cannot fail.
        let _ = match &planned.what {
            What::Do => writeln!(text, "  {}", for_terminal(&planned.step.words())),
            What::Leave { why, command } => {
                let _ =
                    writeln!(text, "  not: {}: {}", for_terminal(&planned.step.words()), one_line(why, 300));
                command
                    .iter()
                    .try_for_each(|command| writeln!(text, "       {}", styled(DIM, &one_line(command, 400))))
            }
        };
    }
    for (key, why) in &found.unknown {
        let _ = writeln!(text, "  ? what {key} has published cannot be looked at: {}", one_line(why, 300));
    }
    text
}

fn heading(job: &Job, found: &CascadePreview) -> String {
    let CascadePreview { epic, on, .. } = found;
    let key = &job.key;
    match (on, fails(job)) {
        (false, _) => format!("{epic} does not carry failures on; if it did, {key} would"),
        (true, Some(true)) => {
            format!("{key} failed; to take the other work of {epic} back, what is left is to")
        }
        (true, Some(false)) => {
            format!("{key} has not failed in a way that is carried on to {epic}; if it had, it would")
        }
        (true, None) => format!("if {key} failed now, it would take the other work of {epic} back, and"),
    }
}
