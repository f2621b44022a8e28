//! `overnight demo`: the whole way on a sample repository, offline, with a scripted agent, in well under a minute.
//!
//! Uses the same commands as a person would, in a temporary directory with its own data. Owns the sample and the story that
//! is told around it.

mod crash;
mod sample;

use std::path::{Path, PathBuf};

use overnight_core::job::ExitCode;
use overnight_core::text::human_duration;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::app::App;
use crate::cli::Global;
use crate::cli::args::{ColorChoice, DemoArgs, DiffArgs, ShowArgs};
use crate::cli::run_args::{AgentArgs, OrderArgs, RunArgs, VerifyArgs, WishArgs};
use crate::commands;
use crate::config::Environment;
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, GOOD, Out, styled};
use sample::Sample;

/// What the sample's person wants.
const WISH: &str = "Make the failing test pass";

/// # Errors
/// When the sample cannot be made, or the demo does not end as it should.
pub async fn run(global: &Global, env: &Environment, args: &DemoArgs) -> Outcome {
    let began = Instant::now();
    let out = Out::new(global.color, ColorChoice::Auto, global.quiet, env);
    let home = temporary(env)?;
    let done = Box::pin(play(global, env, out, home.path())).await;
    let took = human_duration(began.elapsed());
    if args.keep {
        out.say(&format!("kept: {}", home.keep().display()));
    } else if let Err(error) = home.close() {
        tracing::debug!(%error, "the demo's directory could not be removed whole");
    }
    done?;
    out.say(&format!("\n{} That was all of it, in {took}. On your own repository:", styled(GOOD, "✓")));
    out.say(&styled(BOLD, "\n    cd your/repository && overnight run \"what you want\"\n"));
    out.say("overnight doctor says what is missing for that; overnight run --help lists what can be set.");
    Ok(ExitCode::Done)
}

fn temporary(env: &Environment) -> Result<TempDir, AppError> {
    let parent = env.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    tempfile::Builder::new().prefix("overnight-demo-").tempdir_in(&parent).map_err(|error| {
        AppError::unexpected(format!("no temporary directory can be made in {}", parent.display()))
            .because(&error)
            .help("set TMPDIR to a directory that can be written")
    })
}

async fn play(global: &Global, env: &Environment, out: Out, home: &Path) -> Result<(), AppError> {
    let env = own_environment(env, home);
    let global = Global {
        data_dir: Some(home.join("data")),
        database: None,
        config: None,
        no_config: true,
        color: global.color,
        quiet: global.quiet,
        verbose: global.verbose,
    };
    let app = App::new(&global, env)?;
    out.say(&styled(
        BOLD,
        "Overnight, offline: a small repository whose test fails, and a job that mends it.",
    ));
    out.say("The agent here is not a model: it is a script that plays one. Everything else is real.");
    let sample = Sample::make(&app.env, home).await?;
    first(&app, &sample).await?;
    Box::pin(crash::second(&app, &sample)).await
}

/// The person's settings are not the demo's: only what programs need to run is kept.
fn own_environment(env: &Environment, home: &Path) -> Environment {
    let kept = |name: &std::ffi::OsStr| !name.to_string_lossy().starts_with("OVERNIGHT_");
    let vars =
        env.vars().iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone()));
    Environment::of(vars, home)
}

/// What a person would type.
fn order(sample: &Sample, script: &Path) -> RunArgs {
    let wish = WishArgs {
        prompt: vec![WISH.to_owned()],
        repo: sample.repository.clone(),
        order: OrderArgs {
            agent: AgentArgs { script: Some(script.to_owned()), ..AgentArgs::default() },
            verify: VerifyArgs { verify: vec![sample::CHECK.to_owned()], ..VerifyArgs::default() },
            ..OrderArgs::default()
        },
        ..WishArgs::default()
    };
    RunArgs { wish, ..RunArgs::default() }
}

fn chapter(out: Out, title: &str) {
    out.say(&format!("\n{}", styled(BOLD, &format!("── {title} ──"))));
}

fn typed(out: Out, command: &str) {
    out.say(&styled(DIM, &format!("$ {command}")));
}

/// A first attempt that fails, its feedback, a second that passes, and the branch.
async fn first(app: &App, sample: &Sample) -> Result<(), AppError> {
    chapter(app.out, "1. From a sentence to a verified branch");
    app.out.say("The first attempt mends half of it. The runner finds out by itself, tells the agent, and pays for a second.\n");
    typed(app.out, &format!("overnight run --script agent.toml --verify '{}' \"{WISH}\"", sample::CHECK));
    let code = Box::pin(commands::run::run(app, &order(sample, &sample.first_script()?))).await?;
    expect(code == ExitCode::Done, "the first job did not end well")?;
    expect(sample.starts("first") == 2, "the agent was not started exactly twice")?;
    let key = sample::FIRST_KEY.to_owned();
    app.out.say("");
    typed(app.out, &format!("overnight show {key}"));
    commands::show::run(app, &ShowArgs { job: key.clone(), json: false, events: false }).await?;
    app.out.say("");
    typed(app.out, &format!("overnight diff {key}"));
    Box::pin(commands::diff::run(app, &DiffArgs { job: key, stat: false })).await?;
    Ok(())
}

fn expect(held: bool, otherwise: &str) -> Result<(), AppError> {
    if held {
        return Ok(());
    }
    Err(AppError::unexpected(format!("the demo went wrong: {otherwise}"))
        .help("overnight doctor looks at this machine; overnight demo --keep leaves the traces"))
}
