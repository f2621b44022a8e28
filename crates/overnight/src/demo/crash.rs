//! The second chapter: the runner is killed with SIGKILL in the middle, and another goes on without paying for a turn again.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::command::{CommandSpec, Isolation};
use overnight_core::job::ExitCode;
use overnight_proc::{Capture, Line, LineHandler, NoRedaction, Reply};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::sample::Sample;
use super::{WISH, chapter, expect, order, sample, typed};
use crate::app::App;
use crate::cli::queue_args::ResumeArgs;
use crate::cli::run_args::OutputArgs;
use crate::commands;
use crate::error::AppError;

/// The runner is killed when this turn's end is on record: every turn that the job needs is then paid for.
const TURN: u64 = 2;
/// Longest wait for that moment.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn second(app: &App, sample: &Sample) -> Result<(), AppError> {
    chapter(app.out, "2. The same job, and the runner dies");
    app.out.say("A runner of its own works on it. When the agent's second turn is on record, the runner is killed\nwith SIGKILL: no farewell, nothing flushed.\n");
    typed(app.out, &format!("overnight run … \"{WISH}\"   # and kill -9"));
    run_until_killed(app, sample).await?;
    let before = sample.starts("second");
    expect(before == 2, "the agent was not started exactly twice before the kill")?;
    app.out.say(&format!("killed; the agent had been started {before} times\n"));
    typed(app.out, "overnight resume");
    let args = ResumeArgs { job: None, all: false, here: true, output: OutputArgs::default() };
    let code = Box::pin(commands::resume::run(app, &args)).await?;
    expect(code == ExitCode::Done, "the killed job did not end well")?;
    let after = sample.starts("second");
    expect(after == before, "a finished agent turn was started again")?;
    app.out
        .say(&format!("\nThe agent was started {after} times in all: no finished turn was paid for twice."));
    Ok(())
}

/// Starts a runner and kills it, with everything below it, at the moment.
async fn run_until_killed(app: &App, sample: &Sample) -> Result<(), AppError> {
    let spec = runner(app, sample)?;
    let logs = sample.home();
    let capture =
        Capture { stdout: logs.join("runner.out"), stderr: logs.join("runner.err"), exit_record: None };
    let failed = || AppError::unexpected("the demo's second runner cannot be started");
    let running = overnight_proc::spawn(&spec, &capture, Arc::new(NoRedaction))
        .map_err(|error| failed().because(&error))?;
    let mut watch = Watch { moment: Arc::new(Notify::new()) };
    let moment = Arc::clone(&watch.moment);
    let never = CancellationToken::new();
    tokio::select! {
        // Dropping the other branch's future closes the lifeline: the runner's keeper sends SIGKILL to all of it.
        () = moment.notified() => Ok(()),
        _ = running.drive(&mut watch, &never) => {
            expect(false, "the second runner ended before it was killed; its words are in runner.err")
        }
    }
}

fn runner(app: &App, sample: &Sample) -> Result<CommandSpec, AppError> {
    let host = app.host()?;
    let order = order(sample, &sample.second_script()?);
    let mut spec =
        CommandSpec::new(host.self_exe, sample.home()).arg("run").arg("--events").arg("--no-config");
    spec = spec.arg("--data-dir").arg(app.dirs.root()).arg("-C").arg(&order.wish.repo);
    if let Some(script) = &order.wish.order.agent.script {
        spec = spec.arg("--script").arg(script);
    }
    spec = spec.arg("--verify").arg(sample::CHECK).arg(WISH);
    spec.env.clone_from(app.env.vars());
    spec.isolation = Isolation::Tethered;
    spec.limits.wall = Some(PATIENCE);
    Ok(spec)
}

/// Waits for the moment in the runner's own stream of events: what stands there is in the store.
struct Watch {
    moment: Arc<Notify>,
}

impl LineHandler for Watch {
    fn on_line(&mut self, line: Line<'_>) -> Reply {
        let event: serde_json::Value = serde_json::from_slice(line.bytes).unwrap_or_default();
        if event["event"]["type"] == "turn_ended" && event["event"]["turn"] == TURN {
            self.moment.notify_one();
        }
        Reply::default()
    }
}
