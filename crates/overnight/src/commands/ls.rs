//! `overnight ls`: jobs, unfinished ones first.

use std::collections::HashMap;
use std::fmt::Write;

use overnight_core::id::{JobId, RepositoryId};
use overnight_core::job::{ExitCode, Job};
use overnight_core::text::{nearest, one_line};
use overnight_core::units::Timestamp;
use overnight_store::{JobFilter, Jobs, Phase, QueueStanding, Store};

use crate::app::{App, store_error};
use crate::cli::queue_args::LsArgs;
use crate::commands::views;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, BOLD, DIM, GOOD, WARN, styled};
use crate::render::{queue, words};
use crate::view::JobView;

/// Characters of a title in the list.
const TITLE: usize = 50;

/// # Errors
/// When the store fails, or there is no such repository.
pub async fn run(app: &App, args: &LsArgs) -> Outcome {
    let Some(store) = app.store_if_any().await? else {
        return empty(app, args);
    };
    let list = jobs(&store, args).await?;
    if list.jobs.is_empty() && list.unreadable.is_empty() {
        return empty(app, args);
    }
    for row in &list.unreadable {
        app.out.say(&format!("{} {row}", styled(WARN, "!")));
    }
    if args.json {
        app.out.json("jobs", &views(&store, &list.jobs).await?)?;
        return Ok(ExitCode::Done);
    }
    let ids: Vec<JobId> = list.jobs.iter().map(|job| job.id.clone()).collect();
    let standings = store.standings(&ids).await.map_err(|error| store_error(&error))?;
    let now = store.now().await.map_err(|error| store_error(&error))?;
    app.out.data(&table(&list.jobs, &standings, now))?;
    Ok(ExitCode::Done)
}

fn empty(app: &App, args: &LsArgs) -> Outcome {
    if args.json {
        app.out.json("jobs", &Vec::<JobView>::new())?;
    }
    let asked = !args.state.is_empty() || args.label.is_some() || args.repo.is_some();
    app.out.say(if asked {
        "no such jobs; overnight ls --all lists every job"
    } else {
        "no jobs yet; start one: overnight run \"what you want\""
    });
    Ok(ExitCode::Done)
}

/// Unfinished jobs, then as many ended ones as fit; newest first within each.
async fn jobs(store: &Store, args: &LsArgs) -> Result<Jobs, AppError> {
    let repository = match &args.repo {
        Some(name) => Some(repository(store, name).await?),
        None => None,
    };
    let wanted = JobFilter {
        repository,
        states: args.state.iter().map(|state| state.as_str().to_owned()).collect(),
        label: args.label.clone(),
        ..JobFilter::default()
    };
    let limit = (!args.all).then_some(args.limit);
    let of = |ended, limit| JobFilter { ended: Some(ended), limit, ..wanted.clone() };
    let mut list = store.jobs(&of(false, None)).await.map_err(|error| store_error(&error))?;
    let room = limit.map(|limit| limit.saturating_sub(u32::try_from(list.jobs.len()).unwrap_or(u32::MAX)));
    if room != Some(0) {
        let ended = store.jobs(&of(true, room)).await.map_err(|error| store_error(&error))?;
        list.jobs.extend(ended.jobs);
        list.unreadable.extend(ended.unreadable);
    }
    Ok(list)
}

async fn repository(store: &Store, name: &str) -> Result<RepositoryId, AppError> {
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    if let Some(found) = all.iter().find(|repository| repository.name == name) {
        return Ok(found.id.clone());
    }
    let names = || all.iter().map(|repository| repository.name.as_str());
    let error = AppError::usage(format!("there is no repository {name:?}"));
    Err(match nearest(name, names()) {
        Some(nearest) => error.help(format!("did you mean {nearest}?")),
        None => error.help(format!("those there are: {}", names().collect::<Vec<_>>().join(", "))),
    })
}

/// One line for each job. Where jobs stand in the queue is a column as long as one of them has not ended.
#[must_use]
pub fn table(jobs: &[Job], standings: &HashMap<JobId, QueueStanding>, now: Timestamp) -> String {
    let position = |job: &Job| match standings.get(&job.id) {
        Some(standing) => queue::position(job, standing, now),
        None => "-".to_owned(),
    };
    let wide = |head: &str, text: &dyn Fn(&Job) -> String| {
        jobs.iter().map(|job| text(job).chars().count()).max().unwrap_or(0).max(head.len())
    };
    let keys = wide("JOB", &|job| job.key.to_string());
    let states = wide("STATE", &|job| words::state(&job.state));
    let unfinished = standings.values().any(|standing| standing.phase != Phase::Ended);
    let queue = if unfinished { wide("QUEUE", &position) + 2 } else { 0 };
    let head = format!(
        "{:<keys$}  {:<states$}  {:<queue$}{:>7}  {:>8}  {:>4}  TITLE",
        "JOB",
        "STATE",
        if unfinished { "QUEUE" } else { "" },
        "AGE",
        "COST",
        "TRY"
    );
    let mut text = format!("{}\n", styled(DIM, &head));
    for job in jobs {
        let trail = job.state.trail();
        let age = words::age(now.since(job.created_at));
        let attempt = trail.map_or(0, |trail| trail.attempt);
        let state = format!("{:<states$}", words::state(&job.state));
        let position = if unfinished { position(job) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {}  {position:<queue$}{age:>7}  {:>8}  {attempt:>2}/{}  {}",
            styled(BOLD, &format!("{:<keys$}", job.key.as_str())),
            coloured(job, &state),
            cost(job),
            job.spec.limits.attempts,
            title(job),
        );
    }
    text
}

/// Its place on its line before it; behind it the task, where its key is another, and the epic.
fn title(job: &Job) -> String {
    let place = job.spec.line.as_ref().map(|line| format!("[{} {}/{}] ", line.key, line.number, line.count));
    let title = one_line(&format!("{}{}", place.unwrap_or_default(), job.spec.title), TITLE);
    let Some(task) = job.spec.task.as_deref() else { return title };
    let named = Some(&task.key).filter(|key| **key != job.key).into_iter().chain(&task.epic);
    let named: Vec<&str> = named.map(|key| key.as_str()).collect();
    if named.is_empty() { title } else { format!("{title} [{}]", named.join(", ")) }
}

fn coloured(job: &Job, text: &str) -> String {
    match crate::view::exit_code(&job.state) {
        ExitCode::Done => styled(GOOD, text),
        ExitCode::Pending => text.to_owned(),
        ExitCode::Unexpected
        | ExitCode::Usage
        | ExitCode::Verification
        | ExitCode::Agent
        | ExitCode::Store => styled(BAD, text),
        ExitCode::Cancelled | ExitCode::Login | ExitCode::Budget | ExitCode::Interrupted => {
            styled(WARN, text)
        }
    }
}

/// What is known of the cost; a `+` says that it was more.
fn cost(job: &Job) -> String {
    let Some(trail) = job.state.trail().filter(|trail| trail.turns > 0) else { return "-".to_owned() };
    match (trail.used.cost, trail.cost_unknown) {
        (Some(cost), false) => cost.to_string(),
        (Some(cost), true) => format!("{cost}+"),
        (None, _) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::job::{EndReason, JobState};

    use super::*;
    use crate::work::tests::{end, job};

    #[test]
    fn the_list_lines_up() {
        let mut long = job(end(EndReason::VerificationFailed, None));
        long.spec.title = format!("a\nb\u{1b}[2J {}", "x".repeat(100));
        let mut unknown = job(end(EndReason::Cancelled, None));
        if let JobState::Ended { trail, .. } = &mut unknown.state {
            (trail.turns, trail.cost_unknown) = (2, true);
        }
        let mut queued = job(JobState::Queued);
        queued.id = JobId::parse("0190-2").unwrap();
        let standing = QueueStanding { phase: Phase::Ready, wake: None, place: None, waits_for: Vec::new() };
        let standings = HashMap::from([(queued.id.clone(), standing)]);
        let now = Timestamp(7_500_000);
        let ended = [long, unknown];
        let all = [&[queued], ended.as_slice()].concat();
        let text = format!("{}\n{}", table(&all, &standings, now), table(&ended, &HashMap::new(), now));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
