//! `overnight run`: from a wish to a queued job, worked on at once.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use overnight_core::agent::BackendId;
use overnight_core::id::TaskKey;
use overnight_core::job::JobSpec;
use overnight_core::text::{for_terminal, one_line};
use overnight_engine::{Host, program};
use overnight_git::Source;
use overnight_store::{NewJob, NewRepository, Store};

use crate::app::{App, store_error};
use crate::cli::run_args::RunArgs;
use crate::error::{AppError, Outcome};
use crate::order;
use crate::output::{BOLD, styled};
use crate::render::stage::{Mark, line};
use crate::repository::{self, Target};
use crate::work;

/// Author of the runner's commits where neither configuration nor git names one.
const NOBODY: &str = "Overnight <overnight@localhost>";

/// # Errors
/// When the wish, the repository, the agent or the settings cannot be used; nothing was queued then.
pub async fn run(app: &App, args: &RunArgs) -> Outcome {
    let prompt = prompt(args, app)?;
    order::check_prompt(&prompt)?;
    order::check_verify(&args.order.verify)?;
    let named = order::named_backend(&args.order.agent)?;
    let git = app.git().await?;
    let source = repository::look(app, &git, &args.repo).await?;
    let host = app.host()?;
    let backend = choose_backend(app, named, &host)?;
    let target = repository::target(app, &source, args).await?;
    let spec = spec(app, args, prompt, backend, &target, &source)?;
    ready(&spec, &host)?;
    let working = app.working().await?;
    let job = enqueue(working.engine.store(), &target, spec).await?;
    announce(app, &job.key, &target, &job.spec);
    work::foreground(app, &working, &job, args.output).await
}

/// What can be known before anything is queued.
///
/// # Errors
/// Says what is missing or does not fit.
pub fn ready(spec: &JobSpec, host: &Host) -> Result<(), AppError> {
    order::check_enforceable(spec, host.root)?;
    match spec.agent.backend {
        BackendId::Claude if program::find(&spec.agent, host).is_none() => Err(missing(spec)),
        BackendId::Command => command_is_there(&spec.agent.command, host),
        BackendId::Rehearsal => {
            spec.agent.script.as_ref().map_or(Ok(()), |script| order::check_script(script))
        }
        BackendId::Claude => Ok(()),
    }
}

fn missing(spec: &JobSpec) -> AppError {
    let backend = spec.agent.backend;
    match &spec.agent.program {
        Some(program) => {
            AppError::usage(format!("the {backend} agent's program {} is not there", program.display()))
                .help(format!("set agent.program.{backend} to where it is: overnight help config"))
        }
        None => {
            let usual = overnight_agents::usual_programs(backend).join(", ");
            AppError::usage(format!("the {backend} agent is not installed: looked for {usual} in PATH"))
                .help(format!("{}\nthen {}", how_to_install(backend), overnight_agents::login_hint(backend)))
        }
    }
}

/// Where a vendor's program comes from.
#[must_use]
pub fn how_to_install(backend: BackendId) -> &'static str {
    match backend {
        BackendId::Claude => "install it: npm install -g @anthropic-ai/claude-code",
        BackendId::Command => "name a program: --command 'program argument …'",
        BackendId::Rehearsal => "it is built in",
    }
}

/// A relative program is one of the repository, which only the workspace shows.
fn command_is_there(command: &[String], host: &Host) -> Result<(), AppError> {
    let Some(name) = command.first() else { return Ok(()) };
    let there = match Path::new(name) {
        path if path.is_absolute() => path.is_file(),
        path if path.components().count() > 1 => true,
        path => program::in_path(path.as_os_str(), host).is_some(),
    };
    if there {
        return Ok(());
    }
    let name = one_line(name, 120);
    Err(AppError::usage(format!("the command {name:?} was not found"))
        .help("name a program in PATH, or its absolute path"))
}

/// Named, else configured, else the first vendor's program that is installed. Never the rehearsal unless it was asked for.
fn choose_backend(app: &App, named: Option<BackendId>, host: &Host) -> Result<BackendId, AppError> {
    if let Some(backend) = named.or(app.config().agent.default) {
        return Ok(backend);
    }
    let vendors = [BackendId::Claude];
    let configured = |backend: &BackendId| match backend {
        BackendId::Claude => app.config().agent.program_claude.is_some(),
        BackendId::Command | BackendId::Rehearsal => false,
    };
    let found =
        vendors.into_iter().find(|backend| configured(backend) || program::usual(*backend, host).is_some());
    found.ok_or_else(|| {
        let looked: Vec<&str> = vendors.iter().flat_map(|backend| overnight_agents::usual_programs(*backend)).copied().collect();
        let how = vendors.map(how_to_install).join("\n");
        AppError::usage(format!("no agent is installed: looked for {} in PATH", looked.join(", "))).help(format!(
            "{how}\nor let any program do the work: --command 'program argument …'\nor see how it goes without: overnight demo"
        ))
    })
}

/// The words of the command line, a file, or standard input.
fn prompt(args: &RunArgs, app: &App) -> Result<String, AppError> {
    if let Some(file) = &args.prompt_file {
        let path = app.env.absolute(file);
        let open = || std::fs::File::open(&path).and_then(text_of);
        return open().map_err(|error| {
            AppError::usage(format!("the prompt file {} cannot be read", path.display()))
                .because(&error)
                .help("--prompt-file takes a text file in UTF-8")
        });
    }
    let from_input = match args.prompt.as_slice() {
        [] => !std::io::stdin().is_terminal(),
        [one] => one == "-",
        _ => false,
    };
    if !from_input {
        return Ok(args.prompt.join(" "));
    }
    text_of(std::io::stdin().lock()).map_err(|error| {
        AppError::usage("standard input cannot be read").because(&error).help("give text in UTF-8")
    })
}

/// One byte more than is taken, so that a longer text is refused instead of cut.
fn text_of(reader: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    reader.take(order::MAX_PROMPT as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn spec(
    app: &App,
    args: &RunArgs,
    prompt: String,
    backend: BackendId,
    target: &Target,
    source: &Source,
) -> Result<JobSpec, AppError> {
    let config = app.config();
    Ok(JobSpec {
        title: order::title(args.title.as_deref(), &prompt),
        prompt,
        source: target.source.clone(),
        // A path that is no text cannot be stored; a local result is refused there anyway.
        ordered_in: source.common_dir.to_str().map(PathBuf::from),
        base: target.base.clone(),
        publication: target.publication.clone(),
        verify: order::verify(&args.order.verify, config),
        accept_base_failures: args.order.verify.accept_base_failures,
        agent: order::agent(backend, &args.order.agent, config, app.env.cwd())?,
        limits: order::limits(&args.order.limits, &config.limits),
        author: author(app, source),
    })
}

fn author(app: &App, source: &Source) -> String {
    let own = || {
        let text = format!("{} <{}>", source.user_name.as_deref()?, source.user_email.as_deref()?);
        crate::cli::values::author(&text).ok()
    };
    app.config().author.clone().or_else(own).unwrap_or_else(|| NOBODY.to_owned())
}

/// Registers the repository and queues the job.
///
/// # Errors
/// When the store fails.
async fn enqueue(
    store: &Store,
    target: &Target,
    spec: JobSpec,
) -> Result<overnight_core::job::Job, AppError> {
    let repository = NewRepository { name: target.name.clone(), remote: target.source.clone() };
    let repository = store.repository_ensure(&repository).await.map_err(|error| store_error(&error))?;
    let new = NewJob::new(repository.id, spec);
    store.job_enqueue(&new).await.map_err(|error| store_error(&error))
}

fn announce(app: &App, key: &TaskKey, target: &Target, spec: &JobSpec) {
    let title = for_terminal(&spec.title);
    let model =
        spec.agent.model.as_deref().map(|model| format!(" ({})", one_line(model, 60))).unwrap_or_default();
    app.out.say(&format!("{} {title}", styled(BOLD, key.as_str())));
    app.out.say(&line(Mark::Fact, "agent", None, &format!("{}{model}", spec.agent.backend)));
    for note in &target.notes {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(note)));
    }
}
