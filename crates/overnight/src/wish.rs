//! From what a person typed to the order of a job: looks at the prompt, the repository and this machine, and changes nothing.
//! Shared by `run`, which works on the order here and now, and `add`, which leaves it to whoever can.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use overnight_agents::how_to_install;
use overnight_core::agent::{Agent, BackendId};
use overnight_core::backlog::idea::DocumentOrder;
use overnight_core::choose::Layer;
use overnight_core::job::{Base, Configured, JobKind, JobSpec, Label, Origin, Publication, TaskOrder};
use overnight_core::text::one_line;
use overnight_engine::{Host, program};
use overnight_git::Source;
use overnight_store::{NewRepository, Repository};

use crate::app::{App, store_error};
use crate::budget_order;
use crate::choose::{About, Advice};
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
    /// The person's own clone; `None`: the order names a remote and nothing else.
    source: Option<Source>,
    host: Host,
    advice: Advice,
    /// Name of the repository, as far as it is known.
    repository: String,
    agent: (Agent, Origin),
}

/// What an order does for the backlog.
#[derive(Debug, Clone, PartialEq)]
pub struct Errand {
    pub title: String,
    pub layer: Layer,
    pub order: ErrandOrder,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ErrandOrder {
    /// Carries out a task.
    Task(TaskOrder),
    /// Writes about an idea.
    Document(DocumentOrder),
}

impl Errand {
    fn kind(&self) -> JobKind {
        match &self.order {
            ErrandOrder::Task(_) => JobKind::default(),
            ErrandOrder::Document(order) => order.part.kind(),
        }
    }
}

/// What was made of one wish.
#[derive(Debug)]
pub struct Ordered {
    pub spec: JobSpec,
    /// What was taken instead of what was said.
    pub notes: Vec<String>,
}

impl Ground {
    /// Looks at the repository, its remote and the agents.
    ///
    /// # Errors
    /// Says what is missing or does not fit.
    pub async fn look(app: &App, args: &WishArgs, site: Site) -> Result<Self, AppError> {
        order::check_verify(&args.order.verify)?;
        let asked = order::asked(&args.order, &app.config().agent)?;
        let git = app.git().await?;
        let source = repository::look(app, &git, &args.repo).await?;
        let host = app.host()?;
        let mut advice = Advice::of(app.config(), &host);
        if advice.usual.is_none() && site == Site::Anywhere && args.publish.pr {
            // A worker elsewhere may have it.
            advice.usual = Some(BackendId::VENDORS[0].into());
        }
        let target = repository::target(app, &source, args, site).await?;
        let new = NewRepository { name: target.name.clone(), remote: target.source.clone() };
        let repository = repository_name(app, &advice, &new).await?;
        let about = About { repository: &repository, kind: JobKind::default() };
        let agent = advice.sources(&Layer::default(), &asked, about).agent();
        let agent = agent.ok_or_else(no_agent)?;
        Ok(Self { target, site, source: Some(source), host, advice, repository, agent })
    }

    /// The same for a repository that is registered by its remote, without a clone of the person's: the work starts from a branch
    /// of the remote and comes back as a pull request.
    ///
    /// # Errors
    /// Says what is missing or does not fit.
    pub fn afar(app: &App, args: &WishArgs, repository: &Repository) -> Result<Self, AppError> {
        order::check_verify(&args.order.verify)?;
        let asked = order::asked(&args.order, &app.config().agent)?;
        let host = app.host()?;
        let mut advice = Advice::of(app.config(), &host);
        if advice.usual.is_none() {
            advice.usual = Some(BackendId::VENDORS[0].into());
        }
        let base = args.base.clone().map_or(Base::RemoteDefault, |branch| Base::RemoteBranch { branch });
        let (name, remote) = (repository.name.clone(), repository.remote.clone());
        let publication = Publication::PullRequest { remote: remote.clone(), draft: args.publish.draft };
        let target = Target { name: name.clone(), source: remote, base, publication, notes: Vec::new() };
        let about = About { repository: &name, kind: JobKind::default() };
        let agent = advice.sources(&Layer::default(), &asked, about).agent();
        let agent = agent.ok_or_else(no_agent)?;
        Ok(Self { target, site: Site::Anywhere, source: None, host, advice, repository: name, agent })
    }

    /// The order for this prompt, which is one that can be worked on.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn spec(&self, app: &App, args: &WishArgs, prompt: String) -> Result<Ordered, AppError> {
        self.spec_for(app, args, prompt, None)
    }

    /// The order for something in the backlog. The settings of a task go before what is asked for.
    ///
    /// # Errors
    /// As [`Ground::spec`].
    pub fn spec_for(
        &self,
        app: &App,
        args: &WishArgs,
        prompt: String,
        errand: Option<Errand>,
    ) -> Result<Ordered, AppError> {
        let config = app.config();
        let asked = order::asked(&args.order, &config.agent)?;
        let task = errand.as_ref().map(|errand| errand.layer.clone()).unwrap_or_default();
        let title = errand.as_ref().map(|errand| errand.title.as_str()).or(args.title.as_deref());
        let kind = errand.as_ref().map(Errand::kind).unwrap_or_default();
        let about = About { repository: &self.repository, kind };
        let sources = self.advice.sources(&task, &asked, about);
        let agent = sources.agent().unwrap_or_else(|| self.agent.clone());
        let resolved = self.advice.resolve(&sources, &agent);
        let settings = order::completed(resolved.settings, &args.order.agent, None, app.env.cwd())?;
        let Configured { agent, limits, choice } = settings;
        let title = order::title(title, &prompt);
        let (task, publication) = match errand.map(|errand| errand.order) {
            Some(ErrandOrder::Task(order)) => (Some(Box::new(order)), self.target.publication.clone()),
            Some(ErrandOrder::Document(order)) => (None, Publication::Document { document: Box::new(order) }),
            None => (None, self.target.publication.clone()),
        };
        let spec = JobSpec {
            title,
            prompt,
            source: self.target.source.clone(),
            // A path that is no text cannot be stored; a local result is refused there anyway.
            ordered_in: self.source.as_ref().and_then(|source| source.common_dir.to_str()).map(PathBuf::from),
            base: self.target.base.clone(),
            publication,
            verify: order::verify(&args.order.verify, config),
            accept_base_failures: args.order.verify.accept_base_failures,
            agent,
            choice,
            follows: None,
            task,
            line: None,
            limits,
            budget: budget_order::of(&args.order.budget, &config.budget.job),
            author: author(app, self.source.as_ref()),
        };
        order::check_enforceable(&spec, self.must_be_here(&spec) && self.host.root)?;
        budget_order::check(&spec, &config.budget.all)?;
        Ok(Ordered { spec, notes: resolved.notes })
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

/// The name that sections of the configuration know the repository by. The store is asked only where there are any.
async fn repository_name(app: &App, advice: &Advice, new: &NewRepository) -> Result<String, AppError> {
    let store = if advice.knows_repositories() { app.store_if_any().await? } else { None };
    match store {
        Some(store) => store.repository_name(new).await.map_err(|error| store_error(&error)),
        None => Ok(new.clean_name()),
    }
}

/// Nobody names an agent, and no vendor's program is there. The rehearsal works only where it was asked for.
pub fn no_agent() -> AppError {
    let vendors = BackendId::VENDORS;
    let looked: Vec<&str> =
        vendors.iter().flat_map(|backend| overnight_agents::usual_programs(*backend)).copied().collect();
    let how = how_to_install(vendors[0]);
    AppError::usage(format!("no agent is installed: looked for {} in PATH", looked.join(", "))).help(format!(
        "{how}\nor let any program do the work: --command 'program argument …'\nor see how it goes without: overnight demo"
    ))
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

fn author(app: &App, source: Option<&Source>) -> String {
    let own = || {
        let source = source?;
        let text = format!("{} <{}>", source.user_name.as_deref()?, source.user_email.as_deref()?);
        crate::cli::values::author(&text).ok()
    };
    app.config().author.clone().or_else(own).unwrap_or_else(|| NOBODY.to_owned())
}
