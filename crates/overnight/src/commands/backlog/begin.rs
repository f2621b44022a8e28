//! The start of tasks for whoever asks for it, on the command line or through the API: once for each request.

use std::collections::HashMap;

use overnight_core::id::{ItemId, RepositoryId};
use overnight_core::job::Job;
use overnight_core::units::Timestamp;
use overnight_store::{Backlog, Store};

use super::find;
use super::start::make;
use crate::app::{App, store_error};
use crate::cli::backlog_args::StartArgs;
use crate::error::AppError;

/// Jobs that were made of tasks.
#[derive(Debug)]
pub struct Begun {
    /// In the order in which they can be done.
    pub jobs: Vec<Job>,
    /// Jobs that were made before were made by an earlier request.
    pub asked: Timestamp,
    /// Keys of tasks of a group that were left out, with their states.
    pub left: Vec<String>,
    /// What to know about them.
    pub notes: Vec<String>,
}

/// Makes jobs of tasks. `request`: the sender's own name for this, under which it is done once.
///
/// # Errors
/// When one of the tasks cannot be started; no job was made then.
pub async fn begin(
    app: &App,
    store: &Store,
    args: &StartArgs,
    request: Option<&str>,
) -> Result<Begun, AppError> {
    sound(args)?;
    let asked = store.now().await.map_err(|error| store_error(&error))?;
    if let Some(begun) = earlier(store, args, request, asked).await? {
        return Ok(begun);
    }
    match make(app, store, args, request, asked).await {
        // The same request may have come twice at once, and the other one was faster.
        Err(error) => earlier(store, args, request, asked).await?.ok_or(error),
        made => made,
    }
}

fn sound(args: &StartArgs) -> Result<(), AppError> {
    if args.queue.key.is_some() {
        return Err(AppError::usage(
            "--key means nothing here: a task that is started twice has one job anyway",
        )
        .help("leave --key out"));
    }
    if args.queue.line.is_some() {
        return Err(AppError::usage("--line means nothing here: which tasks share a branch is known")
            .help("leave --line out; overnight repo edit NAME --strategy task|story|sprint, or overnight sprint start"));
    }
    Ok(())
}

/// What this request made of these items before.
async fn earlier(
    store: &Store,
    args: &StartArgs,
    request: Option<&str>,
    asked: Timestamp,
) -> Result<Option<Begun>, AppError> {
    let Some(request) = request else { return Ok(None) };
    let mut names = Vec::new();
    let mut backlogs: HashMap<RepositoryId, Backlog> = HashMap::new();
    for key in &args.keys {
        let item = find(store, key).await?;
        if !backlogs.contains_key(&item.repository) {
            let backlog = store.backlog(&item.repository).await.map_err(|error| store_error(&error))?;
            backlogs.insert(item.repository.clone(), backlog);
        }
        let tasks = backlogs.get(&item.repository).map(|backlog| backlog.tasks_of(&item));
        names.extend(tasks.into_iter().flatten().map(|task| named(request, &task.id)));
    }
    let mut jobs = store.jobs_of_requests(&names).await.map_err(|error| store_error(&error))?;
    jobs.sort_by(|one, other| one.id.cmp(&other.id));
    Ok((!jobs.is_empty()).then(|| Begun { jobs, asked, left: Vec::new(), notes: Vec::new() }))
}

/// The name of a request for the job of one of its tasks.
pub(super) fn named(request: &str, task: &ItemId) -> String {
    format!("{request}:{task}")
}
