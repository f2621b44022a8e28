//! Jobs that are ordered onto one branch: `--line`, `--sprint`, and `"line"` of a batch.

use std::collections::BTreeMap;

use overnight_core::id::TaskKey;
use overnight_core::job::{BranchLine, Label, LineKind};
use overnight_store::{NewJob, Store, on_line};

use crate::app::store_error;
use crate::cli::queue_args::QueueArgs;
use crate::error::AppError;

/// A line that was asked for, and the places of its jobs among those of the command.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    kind: LineKind,
    name: Label,
    jobs: Vec<usize>,
}

/// The lines that these orders ask for.
#[must_use]
pub fn wanted<'a>(sprint: Option<&Label>, orders: impl Iterator<Item = &'a QueueArgs>) -> Vec<Wanted> {
    let mut lines: BTreeMap<&str, Wanted> = BTreeMap::new();
    for (at, order) in orders.enumerate() {
        let (kind, name) = match (sprint, &order.line) {
            (Some(sprint), _) => (LineKind::Sprint, sprint),
            (None, Some(line)) => (LineKind::Story, line),
            (None, None) => continue,
        };
        let line = lines.entry(name.as_str());
        line.or_insert_with(|| Wanted { kind, name: name.clone(), jobs: Vec::new() }).jobs.push(at);
    }
    lines.into_values().collect()
}

/// Gives the jobs their places.
///
/// # Errors
/// When a sprint of that name is there already.
pub async fn placed(
    store: &Store,
    repository: &str,
    mut jobs: Vec<NewJob>,
    lines: &[Wanted],
) -> Result<Vec<NewJob>, AppError> {
    for Wanted { kind, name, jobs: places } in lines {
        let key = key(name)?;
        let mine: Vec<NewJob> = places.iter().filter_map(|at| jobs.get(*at).cloned()).collect();
        let sent_again = mine.iter().all(|job| job.request.is_some());
        let there = there(store, repository, *kind, &key).await?;
        let before = match (kind, there.as_ref().map_or(0, |line| line.number)) {
            // What was added before is found by its key.
            (LineKind::Sprint, 1..) if !sent_again => return Err(used(name)),
            (LineKind::Sprint, _) => 0,
            (LineKind::Story, before) => before,
        };
        // The branch has the name that it got first: a story of the backlog has a title.
        let title = there.as_ref().map_or(name.as_str(), |line| line.title.as_str());
        let mine = on_line(mine, *kind, &key, title, before);
        for (at, job) in places.iter().zip(mine) {
            jobs[*at] = job;
        }
    }
    Ok(jobs)
}

fn key(name: &Label) -> Result<TaskKey, AppError> {
    TaskKey::parse(name.as_str()).map_err(|error| AppError::usage(error.to_string()))
}

/// The last place of a line that is taken.
async fn there(
    store: &Store,
    repository: &str,
    kind: LineKind,
    key: &TaskKey,
) -> Result<Option<BranchLine>, AppError> {
    let line = BranchLine::of(kind, key.clone(), key.as_str(), (1, 1));
    let jobs = store.jobs_of_line(repository, &line).await.map_err(|error| store_error(&error))?;
    let places = jobs.into_iter().filter_map(|job| job.spec.line).map(|line| *line);
    Ok(places.max_by_key(|line| line.number))
}

fn used(name: &Label) -> AppError {
    AppError::usage(format!("there is a sprint {name} in this repository already")).help(
        "give this one another name; to go on with a job of that one: overnight retry or overnight continue",
    )
}
