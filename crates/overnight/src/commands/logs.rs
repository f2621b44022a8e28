//! `overnight logs`: what the agent and the checks wrote.

use std::ops::ControlFlow;
use std::time::Duration;

use overnight_core::job::{ExitCode, Job, JobState, LogPart};
use overnight_engine::dirs::JobDirs;
use overnight_store::Store;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::{App, find_error, store_error};
use crate::cli::args::LogsArgs;
use crate::error::{AppError, Outcome};
use crate::logbook::{self, TurnLog, turns};
use crate::view::exit_code;

/// How often a followed log is looked at: often enough to feel live, far too seldom to cost anything.
const LOOK: Duration = Duration::from_millis(200);

/// # Errors
/// When there is no such job or turn, or a log cannot be read.
pub async fn run(app: &App, args: &LogsArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let dirs = app.dirs.job(&job.id);
    if args.checks {
        show(app, &job, &dirs, logbook::checks(&dirs))?;
        return Ok(ExitCode::Done);
    }
    if args.follow {
        return follow(app, &store, job, args).await;
    }
    let turns = turns(&job);
    if args.turn.is_some_and(|turn| turn == 0 || turn > turns) {
        let what = format!("{} has {}", job.key, crate::render::words::plural(u64::from(turns), "turn"));
        return Err(AppError::usage(what).help("--turn counts from 1; leave it out to see all"));
    }
    if turns == 0 {
        app.out.say(&format!("{} has not started an agent yet", job.key));
    } else if job.state.is_ended() && !dirs.log().exists() {
        app.out.say(&format!("the logs of {} are not kept any more, or are on another machine", job.key));
    }
    if args.raw {
        raw(app, &job, &dirs, args.turn)?;
        return Ok(ExitCode::Done);
    }
    let wanted = |part: &LogPart| args.turn.is_none() || part.turn() == args.turn;
    show(app, &job, &dirs, logbook::parts(&dirs, turns).into_iter().filter(wanted))?;
    Ok(ExitCode::Done)
}

/// These parts, each below its heading.
fn show(
    app: &App,
    job: &Job,
    dirs: &JobDirs,
    parts: impl IntoIterator<Item = LogPart>,
) -> Result<(), AppError> {
    for part in parts {
        let mut text = logbook::heading(part);
        logbook::show(dirs, &job.spec.agent, part, &mut collect(&mut text))?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        app.out.data(&text)?;
    }
    Ok(())
}

/// As the vendor's CLI wrote it.
fn raw(app: &App, job: &Job, dirs: &JobDirs, wanted: Option<u32>) -> Result<(), AppError> {
    let mut log = TurnLog::new(&job.spec.agent, true);
    for turn in (1..=turns(job)).filter(|turn| wanted.is_none_or(|wanted| wanted == *turn)) {
        let mut text = String::new();
        log.start(turn, &dirs.turn_stdout(turn));
        let _ = log.read(&mut collect(&mut text))?;
        app.out.data(&text)?;
        show(app, job, dirs, [LogPart::Stderr { turn }])?;
    }
    Ok(())
}

fn collect(text: &mut String) -> impl FnMut(&str) -> ControlFlow<()> {
    |piece| {
        text.push_str(piece);
        ControlFlow::Continue(())
    }
}

async fn follow(app: &App, store: &Store, mut job: Job, args: &LogsArgs) -> Outcome {
    let dirs = app.dirs.job(&job.id);
    let mut log = TurnLog::new(&job.spec.agent, args.raw);
    let mut turn = args.turn.unwrap_or(1).max(1);
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        job = store.job(&job.id).await.map_err(|error| store_error(&error))?;
        let over = matches!(job.state, JobState::Ended { .. } | JobState::Parked { .. });
        while turn <= turns(&job) {
            let new = log.start(turn, &dirs.turn_stdout(turn));
            let heading = new && !args.raw;
            let mut text = if heading { logbook::heading(LogPart::Turn { turn }) } else { String::new() };
            let _ = log.read(&mut collect(&mut text))?;
            app.out.data(&text)?;
            if turn == turns(&job) || args.turn.is_some() {
                break;
            }
            turn += 1;
        }
        if over {
            for line in crate::work::summary(&job, &crate::commands::story(store, &job.id).await?) {
                app.out.say(&line);
            }
            return Ok(exit_code(&job.state));
        }
    }
}
