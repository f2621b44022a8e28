//! Configuration, composition root and command line of Overnight.
//!
//! `main` hands over the environment and gets an exit status back. Everything between is here: arguments ([`cli`]), settings
//! ([`config`]), the parts put together ([`app`]), one file for each command ([`commands`]), and what people see ([`render`]).

#![forbid(unsafe_code)]

mod acp;
pub mod agents;
pub mod app;
pub mod ask;
pub mod batch;
pub mod budget_order;
pub mod choose;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod desk;
pub mod error;
pub mod follow;
pub mod hooks;
pub mod lines;
pub mod logbook;
mod moment;
pub mod order;
pub mod output;
pub mod place;
pub mod rehearse;
pub mod render;
pub mod repository;
pub mod shown;
pub mod story;
pub mod tools;
pub mod view;
pub mod wish;
pub mod work;
pub mod worker;
pub mod workforce;

use std::ffi::OsString;
use std::process::ExitCode as Status;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use overnight_agents::rehearsal::SUBCOMMAND;
use overnight_core::job::ExitCode;
use overnight_core::text::nearest;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::cli::args::{ColorChoice, RehearseArgs};
use crate::cli::{Cli, Command, Global};
use crate::config::Environment;
use crate::error::{AppError, Outcome};
use crate::output::Out;

/// Runs the program whose arguments and environment these are, to its end.
#[must_use]
pub fn main(args: impl Iterator<Item = OsString>, env: Environment) -> Status {
    let args: Vec<OsString> = args.collect();
    let plain = Out::new(None, ColorChoice::Auto, false, &env);
    if args.get(1).is_some_and(|word| word == SUBCOMMAND) {
        return match RehearseArgs::try_parse_from(&args[1..]) {
            Ok(args) => block_on(plain, async { rehearse::perform(&args, &env).await }),
            Err(error) => usage(&error, plain),
        };
    }
    if args.get(1).is_some_and(|word| word == overnight_agents::acp::SUBCOMMAND) {
        return block_on(plain, async { acp::perform(&env).await });
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, plain),
    };
    let out = Out::new(cli.global.color, ColorChoice::Auto, cli.global.quiet, &env);
    trace(&cli, &env);
    block_on(out, dispatch(cli, env))
}

/// Does the work and turns what came of it into an exit status.
fn block_on(out: Out, work: impl Future<Output = Result<u8, AppError>>) -> Status {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(work);
            // A blocking read of standard input or a slow disk must not keep the program from leaving.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(AppError::unexpected("the runtime cannot be started").because(&error)),
    };
    match result {
        Ok(code) => Status::from(code),
        Err(error) => {
            out.error(&error);
            Status::from(error.code.number())
        }
    }
}

/// The runner waits nearly all the time; two threads keep a slow disk from delaying the heartbeat.
const WORKERS: usize = 2;

/// Help and version are data; everything else that the parser says is an error of usage.
fn usage(error: &clap::Error, out: Out) -> Status {
    let text = error.render().ansi().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match out.data(&text) {
            Ok(()) => Status::from(ExitCode::Done.number()),
            Err(error) => Status::from(error.code.number()),
        },
        _ => {
            out.raw(&text);
            if let Some(meant) = meant(error) {
                out.raw(&format!("help: did you mean {meant}?\n"));
            }
            Status::from(ExitCode::Usage.number())
        }
    }
}

/// The command that a mistyped one was meant to be, where the parser itself has no idea.
fn meant(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let root = Cli::command();
    nearest(typed, root.get_subcommands().map(clap::Command::get_name)).map(str::to_owned)
}

/// Logs go to standard error, and only when somebody asks: progress is not logging.
fn trace(cli: &Cli, env: &Environment) {
    let asked = match cli.global.verbose {
        0 => "error",
        1 => "overnight=info,warn",
        2 => "overnight=debug,info",
        _ => "trace",
    };
    let named = env.get("OVERNIGHT_LOG").and_then(|filter| filter.to_str());
    let filter = EnvFilter::builder().parse_lossy(named.unwrap_or(asked));
    let logging =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // It is set already when a test calls this a second time.
    let _ = logging.try_init();
}

/// Does what was asked, and gives the exit status.
async fn dispatch(cli: Cli, env: Environment) -> Result<u8, AppError> {
    let out = Out::new(cli.global.color, ColorChoice::Auto, cli.global.quiet, &env);
    // These need no configuration, and must work when it is broken.
    match &cli.command {
        Command::Completions(args) => return commands::completions::run(out, args).map(ExitCode::number),
        Command::Help(args) => return commands::help::run(out, args).map(ExitCode::number),
        Command::Api(args) => return commands::api::run(out, args).map(ExitCode::number),
        Command::Demo(args) => {
            return Box::pin(demo::run(&cli.global, &env, args)).await.map(ExitCode::number);
        }
        Command::Run(_)
        | Command::Add(_)
        | Command::Repo(_)
        | Command::Epic(_)
        | Command::Story(_)
        | Command::Task(_)
        | Command::Sprint(_)
        | Command::Idea(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Limit(_)
        | Command::Budget(_)
        | Command::Cost(_)
        | Command::Work(_)
        | Command::Serve(_)
        | Command::Mcp(_)
        | Command::Worker(_)
        | Command::Status(_)
        | Command::Ls(_)
        | Command::Show(_)
        | Command::Logs(_)
        | Command::Diff(_)
        | Command::Cancel(_)
        | Command::Cascade(_)
        | Command::Approve(_)
        | Command::Reject(_)
        | Command::Exception(_)
        | Command::Retry(_)
        | Command::Continue(_)
        | Command::Pr(_)
        | Command::Questions(_)
        | Command::Answer(_)
        | Command::Tell(_)
        | Command::Inbox(_)
        | Command::Compact(_)
        | Command::Resume(_)
        | Command::Agent(_)
        | Command::Doctor(_)
        | Command::Db(_)
        | Command::Token(_)
        | Command::Gc(_)
        | Command::Config(_) => {}
    }
    let app = App::new(&cli.global, env)?;
    let done = if let Command::Work(args) = &cli.command {
        // Its exit codes are a contract of their own.
        Box::pin(commands::work::run(&app, &cli.global, args)).await
    } else {
        on_app(&app, &cli.global, &cli.command).await.map(ExitCode::number)
    };
    app.close().await;
    done
}

async fn on_app(app: &App, global: &Global, command: &Command) -> Outcome {
    match command {
        Command::Run(args) => Box::pin(commands::run::run(app, args)).await,
        Command::Add(args) => Box::pin(commands::add::run(app, args)).await,
        Command::Repo(args) => Box::pin(commands::backlog::repo::run(app, args)).await,
        Command::Epic(args) => Box::pin(commands::backlog::run(app, &args.action)).await,
        Command::Story(args) => Box::pin(commands::backlog::run(app, &args.action)).await,
        Command::Task(args) => Box::pin(commands::backlog::run(app, &args.action)).await,
        Command::Sprint(args) => Box::pin(commands::backlog::run(app, &args.action)).await,
        Command::Idea(args) => Box::pin(commands::backlog::idea::run(app, &args.action)).await,
        Command::Import(args) => Box::pin(commands::backlog::plan::import(app, args)).await,
        Command::Export(args) => commands::backlog::plan::export(app, args).await,
        Command::Limit(args) => commands::limit::run(app, args).await,
        Command::Budget(args) => Box::pin(commands::budget::run(app, args)).await,
        Command::Cost(args) => commands::cost::run(app, args).await,
        Command::Serve(args) => Box::pin(commands::serve::run(app, global, args)).await,
        Command::Mcp(args) => Box::pin(commands::mcp::run(app, global, args)).await,
        Command::Worker(args) => commands::worker::run(app, args).await,
        Command::Status(args) => commands::status::run(app, *args).await,
        Command::Ls(args) => commands::ls::run(app, args).await,
        Command::Show(args) => commands::show::run(app, args).await,
        Command::Logs(args) => Box::pin(commands::logs::run(app, args)).await,
        Command::Diff(args) => Box::pin(commands::diff::run(app, args)).await,
        Command::Cancel(args) => Box::pin(commands::cancel::run(app, args)).await,
        Command::Cascade(args) => Box::pin(commands::cascade::run(app, args)).await,
        Command::Approve(args) => Box::pin(commands::gate::approve(app, args)).await,
        Command::Reject(args) => Box::pin(commands::gate::reject(app, args)).await,
        Command::Exception(args) => commands::exception::run(app, args).await,
        Command::Continue(args) => Box::pin(commands::follow_up::run(app, args)).await,
        Command::Pr(args) => commands::pr::run(app, args).await,
        Command::Questions(args) => commands::questions::list(app, args).await,
        Command::Answer(args) => commands::questions::answer(app, args).await,
        Command::Tell(args) => commands::messages::tell(app, args).await,
        Command::Inbox(args) => commands::messages::inbox(app, args).await,
        Command::Compact(args) => commands::compact::run(app, args).await,
        Command::Retry(args) => Box::pin(commands::retry::run(app, args)).await,
        Command::Resume(args) => Box::pin(commands::resume::run(app, args)).await,
        Command::Agent(args) => Box::pin(commands::agent::run(app, args)).await,
        Command::Doctor(args) => Box::pin(commands::doctor::run(app, args)).await,
        Command::Db(args) => Box::pin(commands::db::run(app, args)).await,
        Command::Token(args) => commands::token::run(app, args).await,
        Command::Gc(args) => Box::pin(commands::gc::run(app, args)).await,
        Command::Config(args) => commands::config::run(app, args),
        Command::Completions(_)
        | Command::Help(_)
        | Command::Demo(_)
        | Command::Work(_)
        | Command::Api(_) => Ok(ExitCode::Done),
    }
}
