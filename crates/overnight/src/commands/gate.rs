//! `overnight approve` and `overnight reject`: a person's word on the commit that a job waits with. The word is recorded first; then the
//! job goes on, by a worker or here.

use overnight_core::job::{ExitCode, Job};
use overnight_store::{Answer, Heard, Store, Word};

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
        Asked { job: &args.job, commit: args.commit.as_deref(), no_wait: args.no_wait, output: args.output };
    say(app, &asked, Answer::Approve { message: args.message.clone() }).await
}

/// # Errors
/// As [`approve`]; also without a reason.
pub async fn reject(app: &App, args: &RejectArgs) -> Outcome {
    if args.message.trim().is_empty() {
        return Err(AppError::usage("the message is empty").help("say why: the agent is told it"));
    }
    let asked =
        Asked { job: &args.job, commit: args.commit.as_deref(), no_wait: args.no_wait, output: args.output };
    say(app, &asked, Answer::Reject { message: args.message.clone(), end: args.end }).await
}

struct Asked<'a> {
    job: &'a str,
    commit: Option<&'a str>,
    no_wait: bool,
    output: OutputArgs,
}

async fn say(app: &App, asked: &Asked<'_>, answer: Answer) -> Outcome {
    let store = app.store_for(asked.job).await?;
    let job = store.job_find(asked.job).await.map_err(|error| find_error(&error))?;
    let Some(commit) = job.state.awaits_approval().cloned() else { return Err(not_asked(&job)) };
    if asked.commit.is_some_and(|wanted| !commit.as_str().starts_with(wanted)) {
        return Err(other_commit(&job, commit.short()));
    }
    let what = match &answer {
        Answer::Approve { .. } => "approved",
        Answer::Reject { end: false, .. } => "rejected: its agent is told",
        Answer::Reject { end: true, .. } => "rejected, and ends",
    };
    let word = Word { by: app.person(), commit: commit.clone(), answer };
    heard(&store, &job, &word).await?;
    app.out.say(&format!("{} at {} is {what}", job.key, commit.short()));
    if asked.no_wait {
        return Ok(ExitCode::Done);
    }
    let args = ResumeArgs { job: Some(job.id.to_string()), all: false, here: false, output: asked.output };
    Box::pin(resume::run(app, &args)).await
}

async fn heard(store: &Store, job: &Job, word: &Word) -> Result<(), AppError> {
    let key = &job.key;
    match store.job_word(&job.id, word).await.map_err(|error| store_error(&error))? {
        Heard::Done => Ok(()),
        Heard::OtherCommit(tip) => Err(other_commit(job, tip.short())),
        Heard::NotAsked => Err(not_asked(&store.job(&job.id).await.map_err(|error| store_error(&error))?)),
        Heard::Cancelled => Err(AppError::new(
            ExitCode::Cancelled,
            format!("{key} is to be cancelled, and nothing of it is published"),
        )),
        Heard::Held => {
            Err(AppError::new(ExitCode::Pending, format!("a worker looks at {key} at this moment"))
                .help("nothing was recorded; say it again in a moment"))
        }
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
