//! `overnight approve` and `overnight reject`: a person's word on the commit that a job waits with. The word is recorded first; then the
//! job goes on, by a worker or here.

use overnight_core::git::CommitPrefix;
use overnight_core::job::{ExitCode, Job};
use overnight_store::{Answer, WordError};

use crate::app::{App, find_error, store_error};
use crate::cli::gate_args::{ApproveArgs, RejectArgs};
use crate::cli::queue_args::ResumeArgs;
use crate::cli::run_args::OutputArgs;
use crate::commands::resume;
use crate::error::{AppError, Outcome};

/// # Errors
/// When there is no such job, it does not wait for a word, or waits with another commit than the one named.
pub async fn approve(app: &App, args: &ApproveArgs) -> Outcome {
    let asked =
        Asked { job: &args.job, commit: args.commit.as_ref(), no_wait: args.no_wait, output: args.output };
    say(app, &asked, Answer::Approve { message: args.message.clone() }).await
}

/// # Errors
/// As [`approve`]; also without a reason.
pub async fn reject(app: &App, args: &RejectArgs) -> Outcome {
    let asked =
        Asked { job: &args.job, commit: args.commit.as_ref(), no_wait: args.no_wait, output: args.output };
    say(app, &asked, Answer::Reject { message: args.message.clone(), end: args.end }).await
}

struct Asked<'a> {
    job: &'a str,
    commit: Option<&'a CommitPrefix>,
    no_wait: bool,
    output: OutputArgs,
}

async fn say(app: &App, asked: &Asked<'_>, answer: Answer) -> Outcome {
    let store = app.store_for(asked.job).await?;
    let job = store.job_find(asked.job).await.map_err(|error| find_error(&error))?;
    let what = match &answer {
        Answer::Approve { .. } => "approved",
        Answer::Reject { end: false, .. } => "rejected: its agent is told",
        Answer::Reject { end: true, .. } => "rejected, and ends",
    };
    let said = store.job_say(&job, asked.commit, &app.person(), answer).await;
    let commit = said.map_err(|error| refused(&job, &error))?;
    app.out.say(&format!("{} at {} is {what}", job.key, commit.short()));
    if asked.no_wait {
        return Ok(ExitCode::Done);
    }
    let args = ResumeArgs { job: Some(job.id.to_string()), all: false, here: false, output: asked.output };
    Box::pin(resume::run(app, &args)).await
}

/// What was not said, and what to do.
fn refused(job: &Job, error: &WordError) -> AppError {
    let key = &job.key;
    match error {
        WordError::Words(error) => AppError::usage(error.to_string()).help("say why: the agent is told it"),
        WordError::OtherCommit { tip, .. } => other_commit(job, tip.short()),
        WordError::NotAsked { job } => not_asked(job),
        WordError::Cancelled { .. } => AppError::new(ExitCode::Cancelled, error.to_string()),
        WordError::Held { .. } => {
            AppError::new(ExitCode::Pending, format!("a worker looks at {key} at this moment"))
                .help("nothing was recorded; say it again in a moment")
        }
        WordError::Store(error) => store_error(error),
    }
}

fn other_commit(job: &Job, tip: &str) -> AppError {
    let key = &job.key;
    AppError::usage(format!("{key} waits with another commit by now: {tip}"))
        .help(format!("look at that one: overnight diff {key}; then name it: --commit {tip}"))
}

fn not_asked(job: &Job) -> AppError {
    let key = &job.key;
    AppError::usage(format!(
        "{key} does not wait for approval: it is {}",
        crate::render::words::state(&job.state)
    ))
    .help(format!("see where it is: overnight show {key}"))
}
