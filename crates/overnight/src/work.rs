//! Works on a job in the foreground: progress, Ctrl-C, and the last words.
//!
//! Shared by `run`, `retry`, `resume` and `cancel`. Decides nothing about the job; the engine does.

use overnight_core::id::JobId;
use overnight_core::job::{End, EndReason, ExitCode, Job, JobState, ParkReason, Publication};
use overnight_core::text::{for_terminal, one_line};
use overnight_engine::progress::Watcher;
use overnight_engine::{Stop, WorkError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::app::{App, Working, store_error};
use crate::cli::run_args::OutputArgs;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, BOLD, GOOD, Out, WARN, styled};
use crate::render::progress::View;
use crate::render::screen::{self, EventLine, Mode};
use crate::render::words;
use crate::repository::place_of;
use crate::story::Story;
use crate::view::exit_code;

/// Works on the job until it ends or waits, and says what came of it.
///
/// # Errors
/// When it could not be worked on; the job itself is unharmed.
pub async fn foreground(app: &App, working: &Working, job: &Job, output: OutputArgs) -> Outcome {
    let done = quietly_or_not(app, working, job, mode(app.out, output)).await?;
    last_words(app, working, &done, output).await?;
    Ok(exit_code(&done.state))
}

fn mode(out: Out, output: OutputArgs) -> Mode {
    match (output.events, out.quiet) {
        (true, _) => Mode::Events,
        (false, true) => Mode::Silent,
        (false, false) => Mode::Lines,
    }
}

/// Works on the job and shows it in this way, without the last words.
///
/// # Errors
/// As [`foreground`].
pub async fn quietly_or_not(app: &App, working: &Working, job: &Job, mode: Mode) -> Result<Job, AppError> {
    if mode == Mode::Events {
        told_before(app, working, job).await?;
    }
    let stop = Stop::default();
    let signals = listen(&stop, app.out)?;
    let (watcher, progress) = Watcher::channel();
    let screen = tokio::spawn(screen::show(
        job.id.clone(),
        View::new(job.key.clone(), job.spec.limits.attempts),
        mode,
        app.out,
        progress,
    ));
    let result = working.engine.work(&job.id, &watcher, &stop).await;
    drop(watcher);
    // It ends with its last sender; what it could not write is told by nobody.
    let _ = screen.await;
    signals.abort();
    forget_worker(working).await;
    result.map_err(|error| work_error(job, &error))
}

/// The stream of a job's events begins with the first one, whoever wrote it: its numbers have no gap.
async fn told_before(app: &App, working: &Working, job: &Job) -> Result<(), AppError> {
    for record in crate::commands::events(working.engine.store(), &job.id).await? {
        if let Ok(event) = &record.event {
            app.out.ndjson(&EventLine::new(&job.id, record.number, record.at, event))?;
        }
    }
    Ok(())
}

/// The first Ctrl-C cancels the job, the second leaves at once. TERM and HUP leave at once: the job can be resumed.
fn listen(stop: &Stop, out: Out) -> Result<JoinHandle<()>, AppError> {
    let on = |kind| {
        signal(kind).map_err(|error| AppError::unexpected("signals cannot be listened to").because(&error))
    };
    let (mut interrupt, mut terminate, mut hang_up) =
        (on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?);
    let stop = stop.clone();
    Ok(tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => asked = true,
                _ = hang_up.recv() => asked = true,
            }
            if std::mem::replace(&mut asked, true) {
                stop.force.cancel();
            } else {
                out.say("cancelling; Ctrl-C again leaves at once");
                stop.cancel.cancel();
            }
        }
    }))
}

/// A worker that has stopped need not be asked after.
async fn forget_worker(working: &Working) {
    if let Err(error) = working.engine.store().worker_forget(&working.worker).await {
        tracing::debug!(%error, "the worker's row stays");
    }
}

/// What a person is told of a job that could not be worked on.
#[must_use]
pub fn work_error(job: &Job, error: &WorkError) -> AppError {
    let key = &job.key;
    match error {
        WorkError::Held { worker, .. } => AppError::new(
            ExitCode::Pending,
            format!("{key} is being worked on by another process ({worker})"),
        )
        .help(format!("watch it: overnight logs -f {key}; cancel it: overnight cancel {key}")),
        WorkError::Blocked(_) => AppError::new(ExitCode::Pending, format!("{key} waits for other jobs"))
            .help(format!("see which: overnight show {key}")),
        WorkError::Elsewhere { place, .. } => {
            AppError::new(ExitCode::Pending, format!("{key} can only be done on another machine"))
                .help(format!("start a worker there, or resume it there: its data directory is {place}"))
        }
        WorkError::Full { limit, .. } => AppError::new(
            ExitCode::Pending,
            format!("as many jobs of {limit} are running as its limit allows"),
        )
        .help(format!("try again later: overnight resume {key}; or change the limit: overnight limit ls")),
        WorkError::Ended(_) => AppError::usage(format!("{key} has ended already"))
            .help(format!("see what came of it: overnight show {key}; run it again: overnight retry {key}")),
        WorkError::LeaseLost => AppError::new(ExitCode::Pending, format!("another process took {key} over"))
            .help(format!("see how it goes: overnight show {key}")),
        WorkError::Forced => AppError::new(ExitCode::Interrupted, format!("left {key} where it was"))
            .help(format!("go on later: overnight resume {key}; or end it: overnight cancel {key}")),
        WorkError::Store(error) => {
            let error = store_error(error);
            let help = format!(
                "{}\nnothing is lost: overnight resume {key} goes on",
                error.help.clone().unwrap_or_default()
            );
            error.help(help.trim_start())
        }
        WorkError::Illegal(_) => AppError::unexpected(format!("{key} could not go on"))
            .because(error)
            .help(format!("please report this with: overnight show {key} --json")),
    }
}

/// The result on standard output, and how to go on from it on standard error.
async fn last_words(app: &App, working: &Working, job: &Job, output: OutputArgs) -> Result<(), AppError> {
    let out = app.out;
    if output.json {
        out.json("job", &crate::commands::view(working.engine.store(), job).await?)?;
    }
    let story = story(working, &job.id).await?;
    out.say("");
    for line in summary(job, &story) {
        out.say(&line);
    }
    let published = job.state.end().and_then(|end| end.published.as_ref());
    if let Some(published) = published.filter(|_| !output.json && !output.events) {
        let result =
            published.pull_request.as_ref().map_or(published.branch.to_string(), |pull| pull.url.clone());
        out.data(&format!("{}\n", for_terminal(&result)))?;
    }
    Ok(())
}

/// # Errors
/// When the store fails.
async fn story(working: &Working, job: &JobId) -> Result<Story, AppError> {
    crate::commands::story(working.engine.store(), job).await
}

/// What came of the job and what to do next, in a few lines.
#[must_use]
pub fn summary(job: &Job, story: &Story) -> Vec<String> {
    match &job.state {
        JobState::Parked { reason, detail, wake, .. } => {
            let mut lines = vec![
                format!(
                    "{} {} waits: {}",
                    styled(WARN, "…"),
                    styled(BOLD, job.key.as_str()),
                    words::park(*reason)
                ),
                format!("  {}", one_line(detail, 300)),
            ];
            if !reason.clears_by_itself() && *reason == ParkReason::AgentLogin {
                lines.push(format!("  {}", overnight_agents::login_hint(job.spec.agent.backend)));
            }
            let when = wake.map(|at| format!(" (not before {})", words::moment(at))).unwrap_or_default();
            lines.push(match reason {
                ParkReason::Approval => approval(job),
                ParkReason::Answer => format!(
                    "  see and answer it: overnight questions; overnight answer {0} \"…\"{until}; go on without: overnight resume {0}",
                    job.key,
                    until = wake.map(|at| format!(" (until {})", words::moment(at))).unwrap_or_default()
                ),
                ParkReason::Dependency => "  it goes on by itself when they have ended".to_owned(),
                ParkReason::RateLimited
                | ParkReason::Overloaded
                | ParkReason::AgentLogin
                | ParkReason::ForgeLogin
                | ParkReason::Unavailable
                | ParkReason::DiskFull
                | ParkReason::DailyBudget
                | ParkReason::Velocity
                | ParkReason::Ci
                | ParkReason::Review => format!("  go on: overnight resume {}{when}", job.key),
            });
            lines
        }
        JobState::Ended { end, .. } => ended(job, end, story),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. } => {
            vec![format!("{} is {}; go on: overnight resume {}", job.key, job.state.name(), job.key)]
        }
    }
}

/// What a person can say of a commit that waits.
fn approval(job: &Job) -> String {
    let key = &job.key;
    let approve = words::approval(job).unwrap_or_else(|| format!("overnight approve {key}"));
    format!("  see it: overnight diff {key}; then: {approve}, or overnight reject {key} -m WHY")
}

fn ended(job: &Job, end: &End, story: &Story) -> Vec<String> {
    let key = styled(BOLD, job.key.as_str());
    let used = job.state.trail().map(|trail| words::usage(&trail.used)).unwrap_or_default();
    let used = if used.is_empty() { String::new() } else { format!(" · {used}") };
    if end.reason == EndReason::AlreadyDone {
        return vec![
            format!("{} {key} {}{used}", styled(GOOD, "✓"), words::end(end.reason)),
            format!("  {}", one_line(&end.detail, 500)),
        ];
    }
    if end.reason == EndReason::Published {
        let attempts =
            words::plural(job.state.trail().map_or(0, |trail| u64::from(trail.attempt)), "attempt");
        let mut lines = vec![format!("{} {key} done in {attempts}{used}", styled(GOOD, "✓"))];
        lines.extend(how_to_look(job, end, story).into_iter().map(|line| format!("  {line}")));
        return lines;
    }
    let mut lines = vec![
        format!("{} {key} {}{used}", styled(BAD, "✗"), words::end(end.reason)),
        format!("  {}", one_line(&end.detail, 500)),
    ];
    if let Some(tip) = &end.tip {
        lines.push(format!("  the work so far is kept: {} (overnight diff {})", tip.short(), job.key));
    }
    let next = words::after_end(end.reason, job.key.as_str());
    if !next.is_empty() {
        lines.push(format!("  {next}"));
    }
    lines
}

fn how_to_look(job: &Job, end: &End, story: &Story) -> Vec<String> {
    let Some(published) = &end.published else { return Vec::new() };
    if let Some(pull) = &published.pull_request {
        return vec![format!("pull request: {}", for_terminal(&pull.url))];
    }
    let branch = &published.branch;
    let mut lines = vec![format!("branch {branch} at {}", published.commit.short())];
    if let (Some(base), Some(place)) = (&story.base, place_of(&job.spec.publication)) {
        let git = format!("git -C {}", quoted(&place.display().to_string()));
        lines.push(format!("look:   {git} log --oneline {}..{branch}", base.short()));
        lines.push(format!("        {git} diff {}...{branch}", base.short()));
        lines.push(format!("merge:  {git} merge {branch}"));
    }
    if let Publication::PullRequest { remote, .. } = &job.spec.publication {
        lines.push(format!("on {}", for_terminal(remote)));
    }
    lines
}

/// A path that can be pasted into a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@');
    let text = for_terminal(text);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
#[path = "work_tests.rs"]
pub(crate) mod tests;
