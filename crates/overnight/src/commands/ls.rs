//! `overnight ls`: jobs, unfinished ones first.

use std::fmt::Write;

use overnight_core::job::{ExitCode, Job};
use overnight_core::text::one_line;
use overnight_core::units::Timestamp;
use overnight_store::{JobFilter, Jobs, Store};

use crate::app::{App, store_error};
use crate::cli::args::LsArgs;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, BOLD, DIM, GOOD, WARN, styled};
use crate::render::words;
use crate::view::JobView;

/// Characters of a title in the list.
const TITLE: usize = 50;

/// # Errors
/// When the store fails.
pub async fn run(app: &App, args: &LsArgs) -> Outcome {
    let Some(store) = app.store_if_any().await? else {
        return empty(app, args.json);
    };
    let limit = (!args.all).then_some(args.limit);
    let list = jobs(&store, limit).await?;
    if list.jobs.is_empty() && list.unreadable.is_empty() {
        return empty(app, args.json);
    }
    for row in &list.unreadable {
        app.out.say(&format!("{} {row}", styled(WARN, "!")));
    }
    if args.json {
        app.out.json("jobs", &list.jobs.iter().map(JobView::of).collect::<Vec<_>>())?;
        return Ok(ExitCode::Done);
    }
    let now = store.now().await.map_err(|error| store_error(&error))?;
    app.out.data(&table(&list.jobs, now))?;
    Ok(ExitCode::Done)
}

fn empty(app: &App, json: bool) -> Outcome {
    if json {
        app.out.json("jobs", &Vec::<JobView>::new())?;
    }
    app.out.say("no jobs yet; start one: overnight run \"what you want\"");
    Ok(ExitCode::Done)
}

/// Unfinished jobs, then as many ended ones as fit; newest first within each.
async fn jobs(store: &Store, limit: Option<u32>) -> Result<Jobs, AppError> {
    let of = |ended, limit| JobFilter { ended: Some(ended), limit, ..JobFilter::default() };
    let mut list = store.jobs(&of(false, None)).await.map_err(|error| store_error(&error))?;
    let room = limit.map(|limit| limit.saturating_sub(u32::try_from(list.jobs.len()).unwrap_or(u32::MAX)));
    if room != Some(0) {
        let ended = store.jobs(&of(true, room)).await.map_err(|error| store_error(&error))?;
        list.jobs.extend(ended.jobs);
        list.unreadable.extend(ended.unreadable);
    }
    Ok(list)
}

/// One line for each job.
#[must_use]
pub fn table(jobs: &[Job], now: Timestamp) -> String {
    let wide = |head: &str, text: fn(&Job) -> String| {
        jobs.iter().map(|job| text(job).chars().count()).max().unwrap_or(0).max(head.len())
    };
    let (keys, states) =
        (wide("JOB", |job| job.key.to_string()), wide("STATE", |job| words::state(&job.state)));
    let head =
        format!("{:<keys$}  {:<states$}  {:>7}  {:>8}  {:>4}  TITLE", "JOB", "STATE", "AGE", "COST", "TRY");
    let mut text = format!("{}\n", styled(DIM, &head));
    for job in jobs {
        let trail = job.state.trail();
        let age = words::age(now.since(job.created_at));
        let attempt = trail.map_or(0, |trail| trail.attempt);
        let state = format!("{:<states$}", words::state(&job.state));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {}  {age:>7}  {:>8}  {attempt:>2}/{}  {}",
            styled(BOLD, &format!("{:<keys$}", job.key.as_str())),
            coloured(job, &state),
            cost(job),
            job.spec.limits.attempts,
            one_line(&job.spec.title, TITLE),
        );
    }
    text
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
        let jobs = [job(JobState::Queued), long, unknown];
        let text = table(&jobs, Timestamp(7_500_000));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
