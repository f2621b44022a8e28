//! From what a person typed to the order of a job: looks at the prompt, the repository and this machine, and changes nothing.
//! Shared by `run`, which works on the order here and now, and `add`, which leaves it to whoever can.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use overnight_agents::how_to_install;
use overnight_core::agent::BackendId;
use overnight_core::job::{Choice, JobSpec, Label};
use overnight_core::text::one_line;
use overnight_engine::{Host, program};
use overnight_git::Source;

use crate::agents::{self, Agent};
use crate::app::App;
use crate::cli::run_args::WishArgs;
use crate::error::AppError;
use crate::order;
use crate::repository::{self, Target};

/// Author of the runner's commits where neither configuration nor git names one.
const NOBODY: &str = "Overnight <overnight@localhost>";

/// Where the order is to be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// On this machine: what is missing here keeps the job from being queued.
    Here,
    /// Wherever a worker takes it: what is missing here is only worth a word, unless the job can be done nowhere else.
    Anywhere,
}

/// What all orders of one command have in common.
#[derive(Debug)]
pub struct Ground {
    pub target: Target,
    site: Site,
    source: Source,
    host: Host,
    agent: Agent,
}

impl Ground {
    /// Looks at the repository, its remote and the agents.
    ///
    /// # Errors
    /// Says what is missing or does not fit.
    pub async fn look(app: &App, args: &WishArgs, site: Site) -> Result<Self, AppError> {
        order::check_verify(&args.order.verify)?;
        let named = order::named_agent(&args.order.agent, app.config())?;
        let git = app.git().await?;
        let source = repository::look(app, &git, &args.repo).await?;
        let host = app.host()?;
        let elsewhere = site == Site::Anywhere && args.publish.pr;
        let agent = choose_agent(app, named, &host, elsewhere)?;
        let target = repository::target(app, &source, args, site).await?;
        Ok(Self { target, site, source, host, agent })
    }

    /// The order for this prompt, which is one that can be worked on.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn spec(&self, app: &App, args: &WishArgs, prompt: String) -> Result<JobSpec, AppError> {
        let config = app.config();
        let spec = JobSpec {
            title: order::title(args.title.as_deref(), &prompt),
            prompt,
            source: self.target.source.clone(),
            // A path that is no text cannot be stored; a local result is refused there anyway.
            ordered_in: self.source.common_dir.to_str().map(PathBuf::from),
            base: self.target.base.clone(),
            publication: self.target.publication.clone(),
            verify: order::verify(&args.order.verify, config),
            accept_base_failures: args.order.verify.accept_base_failures,
            agent: order::agent(&self.agent, &args.order.agent, config, app.env.cwd())?,
            choice: Choice::default(),
            limits: order::limits(&args.order.limits, &config.limits),
            author: author(app, &self.source),
        };
        order::check_enforceable(&spec, self.must_be_here(&spec) && self.host.root)?;
        Ok(spec)
    }

    /// Whether what the agent needs is on this machine. Where the job may be done elsewhere, what is missing is the answer;
    /// otherwise it is the error.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn missing(&self, spec: &JobSpec) -> Result<Option<AppError>, AppError> {
        match present(spec, &self.host) {
            Ok(()) => Ok(None),
            Err(missing) if self.must_be_here(spec) => Err(missing),
            Err(missing) => Ok(Some(missing)),
        }
    }

    fn must_be_here(&self, spec: &JobSpec) -> bool {
        self.site == Site::Here || order::is_local(spec)
    }
}

/// The data directory that a job of this order has to be done in; `None`: any.
///
/// # Errors
/// When this data directory has no identity and cannot be given one.
pub fn place_of(app: &App, spec: &JobSpec) -> Result<Option<Label>, AppError> {
    order::is_local(spec).then(|| app.place()).transpose()
}

/// What can be known before a job of this order is queued, to be worked on here.
///
/// # Errors
/// Says what is missing or does not fit.
pub fn ready(spec: &JobSpec, host: &Host) -> Result<(), AppError> {
    order::check_enforceable(spec, host.root)?;
    present(spec, host)
}

fn present(spec: &JobSpec, host: &Host) -> Result<(), AppError> {
    match spec.agent.backend {
        BackendId::Command => command_is_there(&spec.agent.command, host),
        BackendId::Acp | BackendId::Adapter => match spec.agent.adapter.as_deref() {
            Some(adapter) => command_is_there(&[adapter.argv.program().to_owned()], host),
            None => Ok(()),
        },
        BackendId::Rehearsal => {
            spec.agent.script.as_ref().map_or(Ok(()), |script| order::check_script(script))
        }
        BackendId::Claude | BackendId::Codex | BackendId::Gemini | BackendId::Qwen | BackendId::Opencode => {
            program::find(&spec.agent, host).map(drop).ok_or_else(|| missing(spec))
        }
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

/// Named, else configured, else the first vendor's program that is installed, or that a worker elsewhere may have. Never the
/// rehearsal unless it was asked for.
fn choose_agent(app: &App, named: Option<Agent>, host: &Host, elsewhere: bool) -> Result<Agent, AppError> {
    let config = &app.config().agent;
    match (named, &config.default) {
        (Some(agent), _) => return Ok(agent),
        (None, Some(name)) => return agents::named(name, config),
        (None, None) => {}
    }
    let vendors = BackendId::VENDORS;
    let configured = |backend: &BackendId| config.program(*backend).is_some();
    let found =
        vendors.into_iter().find(|backend| configured(backend) || program::usual(*backend, host).is_some());
    let usual = elsewhere.then_some(vendors[0]);
    found.or(usual).map(Agent::from).ok_or_else(|| {
        let looked: Vec<&str> = vendors.iter().flat_map(|backend| overnight_agents::usual_programs(*backend)).copied().collect();
        let how = how_to_install(vendors[0]);
        AppError::usage(format!("no agent is installed: looked for {} in PATH", looked.join(", "))).help(format!(
            "{how}\nor let any program do the work: --command 'program argument …'\nor see how it goes without: overnight demo"
        ))
    })
}

/// The words of the command line, a file, or standard input.
///
/// # Errors
/// When the file or standard input cannot be read.
pub fn prompt(args: &WishArgs, app: &App) -> Result<String, AppError> {
    if let Some(file) = &args.prompt_file {
        let path = app.env.absolute(file);
        let open = || std::fs::File::open(&path).and_then(|file| text_of(file, order::MAX_PROMPT));
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
    text_of(std::io::stdin().lock(), order::MAX_PROMPT).map_err(|error| {
        AppError::usage("standard input cannot be read").because(&error).help("give text in UTF-8")
    })
}

/// One byte more than is taken, so that a longer text is refused instead of cut.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn text_of(reader: impl Read, most: usize) -> std::io::Result<String> {
    let mut text = String::new();
    reader.take(most as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn author(app: &App, source: &Source) -> String {
    let own = || {
        let text = format!("{} <{}>", source.user_name.as_deref()?, source.user_email.as_deref()?);
        crate::cli::values::author(&text).ok()
    };
    app.config().author.clone().or_else(own).unwrap_or_else(|| NOBODY.to_owned())
}
