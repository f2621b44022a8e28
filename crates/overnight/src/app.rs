//! The composition root: from arguments and environment to store, git and engine, each made when a command first wants it.
//!
//! Owns how the parts are put together and nothing that they do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use overnight_core::id::WorkerId;
use overnight_core::job::{ExitCode, Label};
use overnight_core::units::Timestamp;
use overnight_engine::credentials::{ForgeSettings, HostApp, HostToken};
use overnight_engine::dirs::Dirs;
use overnight_engine::{AccountSettings, Configure, Engine, EngineParts, EngineSettings, Host, ToolDoor};
use overnight_forge::{CallBudget, ForgeKind, KnownForge, KnownForges, Settings, TokenSource};
use overnight_git::{Git, GitError, HostEnv};
use overnight_store::{Claimant, Database, ErrorClass, FindError, OpenError, Store, StoreError};
use tokio::sync::OnceCell;

use crate::choose::Adviser;
use crate::cli::Global;
use crate::config::{Config, Environment, HostConfig, Loaded, load};
use crate::error::AppError;
use crate::output::Out;
use crate::tools::AgentTools;
use crate::{place, worker};

/// What every command stands on.
#[derive(Debug)]
pub struct App {
    pub env: Environment,
    pub loaded: Loaded,
    pub out: Out,
    pub dirs: Dirs,
    database: Database,
    git: OnceCell<Git>,
    /// Every store that was opened, to be closed at the end.
    opened: Mutex<Vec<Store>>,
}

/// Longest wait for the stores to close: a connection that is still busy then is left to the end of the program.
const CLOSING: Duration = Duration::from_secs(2);

/// An engine and the worker it acts as.
#[derive(Debug)]
pub struct Working {
    pub engine: Arc<Engine>,
    pub worker: WorkerId,
    /// Resolves the settings of the jobs that it claims.
    pub adviser: Arc<Adviser>,
}

impl App {
    /// Reads the configuration; touches nothing.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(global: &Global, env: Environment) -> Result<Self, AppError> {
        let loaded = load(global, &env)?;
        let out = Out::new(global.color, loaded.config.color, global.quiet, &env);
        let dirs = Dirs::new(env.data_dir(global.data_dir.as_deref())?);
        let named = global.database.clone().or_else(|| loaded.config.database.clone());
        let database = named.unwrap_or_else(|| Database::Sqlite(dirs.database()));
        Ok(Self { env, loaded, out, dirs, database, git: OnceCell::new(), opened: Mutex::default() })
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Where the jobs are kept.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The identity of the data directory, made when it is first asked for.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn place(&self) -> Result<Label, AppError> {
        place::of(self.dirs.root()).map_err(|error| {
            let root = self.dirs.root().display();
            AppError::new(ExitCode::Store, format!("the data directory {root} cannot be used"))
                .because(&error)
                .help("make it writable for this user, or name another with --data-dir or OVERNIGHT_DATA_DIR")
        })
    }

    /// The store, made where there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> Result<Store, AppError> {
        self.connect(&self.database).await
    }

    /// The store of some database, made where there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn connect(&self, database: &Database) -> Result<Store, AppError> {
        let store = Store::connect(database).await.map_err(|error| open_error(&error))?;
        Ok(self.keep(store))
    }

    /// Remembers a store that was opened, to be closed at the end.
    pub fn keep(&self, store: Store) -> Store {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(store.clone());
        store
    }

    /// Closes the stores, so that the database is one whole file that can be read where nothing can be written.
    pub async fn close(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for store in opened {
            if tokio::time::timeout(CLOSING, store.close()).await.is_err() {
                tracing::debug!("a connection to the database was still busy at the end");
            }
        }
    }

    /// The store, if anything was ever queued. Works in a data directory that cannot be written, too.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub async fn store_if_any(&self) -> Result<Option<Store>, AppError> {
        let opened = match &self.database {
            Database::Sqlite(path) if !path.exists() => return Ok(None),
            Database::Sqlite(path) => match Store::open(path).await {
                Err(error) if error.class() == ErrorClass::ReadOnly => Store::open_read_only(path).await,
                opened => opened,
            },
            Database::Postgres(_) => Store::connect(&self.database).await,
        };
        opened.map(|store| Some(self.keep(store))).map_err(|error| open_error(&error))
    }

    /// The store, which must be there to look anything up in it.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub async fn store_for(&self, wanted: &str) -> Result<Store, AppError> {
        let none = || {
            let place = &self.database;
            AppError::usage(format!("there is no job {wanted:?}: nothing was ever queued in {place}"))
                .help("overnight run \"what you want\" queues the first one; --data-dir names another place")
        };
        self.store_if_any().await?.ok_or_else(none)
    }

    /// git, checked once.
    ///
    /// # Errors
    /// When it is missing or too old, or its home cannot be made.
    pub async fn git(&self) -> Result<Git, AppError> {
        self.git.get_or_try_init(|| self.start_git()).await.cloned()
    }

    async fn start_git(&self) -> Result<Git, AppError> {
        let home = self.dirs.root().join("git-home");
        private_dir(&home).map_err(|error| {
            let place = self.dirs.root().display();
            AppError::new(ExitCode::Store, format!("the data directory {place} cannot be used"))
                .because(&error)
                .help("make it writable for this user, or name another with --data-dir or OVERNIGHT_DATA_DIR")
        })?;
        let env = HostEnv::from_vars(self.env.vars().clone());
        let git = Git::start(env, &home).await.map_err(|error| git_error("git cannot be used", &error))?;
        Ok(git.with_network_limit(self.config().worker.git_timeout))
    }

    /// # Errors
    /// When our own program cannot be named.
    pub fn host(&self) -> Result<Host, AppError> {
        let self_exe = std::env::current_exe()
            .map_err(|error| AppError::unexpected("the path of this program is not known").because(&error))?;
        let keys = self.config().accounts.iter().filter_map(|account| account.key_env.clone());
        let hooks = self.config().hosts.values().filter_map(|host| host.webhook_secret_env.clone());
        let secrets = keys.chain(hooks).collect();
        let (env, home) = (self.env.vars().clone(), self.env.home());
        Ok(Host { env, home, root: worker::is_root(), secrets, self_exe })
    }

    /// An engine that acts as a newly registered worker.
    ///
    /// # Errors
    /// When one of its parts cannot be had.
    pub async fn working(&self) -> Result<Working, AppError> {
        self.working_on(self.store().await?).await
    }

    /// The same, on a store that is open already.
    ///
    /// # Errors
    /// When one of the other parts cannot be had.
    pub async fn working_on(&self, store: Store) -> Result<Working, AppError> {
        let git = self.git().await?;
        let dead_workers = worker::dead(&store).await?;
        let place = self.place()?;
        let worker = worker::register(&store, &place).await?;
        let claimant = Claimant { worker: worker.clone(), place, lease: self.config().worker.lease };
        let host = self.host()?;
        let adviser = Arc::new(Adviser::new(self.config(), &host));
        let parts = EngineParts {
            store,
            dirs: self.dirs.clone(),
            git,
            host,
            claimant,
            dead_workers,
            forges: self.forges()?,
            accounts: self.accounts(),
            settings: self.engine_settings(),
            configure: Arc::clone(&adviser) as Arc<dyn Configure>,
            tools: self.config().agent_tools.then(|| Arc::new(AgentTools::default()) as Arc<dyn ToolDoor>),
        };
        let engine = Engine::start(parts)
            .map_err(|error| AppError::unexpected("this worker cannot be started").because(&error))?;
        Ok(Working { engine: Arc::new(engine), worker, adviser })
    }

    fn accounts(&self) -> AccountSettings {
        let config = self.config();
        AccountSettings {
            known: config.accounts.clone(),
            policy: config.quota.policy,
            login_rest: config.quota.login_rest,
            probe_every: config.quota.probe_every,
        }
    }

    /// Who types the commands: the system's name of the user, for the record.
    #[must_use]
    pub fn person(&self) -> String {
        let name = ["USER", "LOGNAME"].iter().find_map(|name| self.env.get(name)?.to_str());
        name.filter(|name| !name.is_empty()).unwrap_or("somebody").to_owned()
    }

    fn engine_settings(&self) -> EngineSettings {
        let worker = &self.config().worker;
        EngineSettings {
            lease: worker.lease,
            heartbeat: worker.heartbeat,
            log_bytes: worker.log_bytes,
            git_timeout: worker.git_timeout,
            collect_timeout: worker.collect_timeout,
            budgets: self.config().budget.all,
            spend_report: self.config().budget.report,
            preflight: self.config().preflight.clone(),
            questions: self.config().questions,
        }
    }

    /// The forges of the configuration, github.com and gitlab.com.
    ///
    /// # Errors
    /// When a host's settings cannot be used.
    pub fn forges(&self) -> Result<ForgeSettings, AppError> {
        let mut known = Vec::new();
        let mut tokens = Vec::new();
        for (host, config) in &self.config().hosts {
            let kind = kind_of(host, config)?;
            known.push(known_forge(host, kind, config)?);
            tokens.push(HostToken { host: host.clone(), sources: token_sources(kind, config) });
        }
        for (host, kind) in [(GITHUB, ForgeKind::GitHub), (GITLAB, ForgeKind::GitLab)] {
            if !self.config().hosts.contains_key(host) {
                let sources = token_sources(kind, &HostConfig::default());
                tokens.push(HostToken { host: host.to_owned(), sources });
            }
        }
        let apps = self.config().hosts.iter().filter_map(|(host, config)| app_of(host, config));
        let apps = apps.collect::<Result<Vec<_>, _>>()?;
        let calls = CallBudget { share: self.config().forge_call_share, ..CallBudget::default() };
        let http = Settings { proxy: self.proxy(), calls, ..Settings::default() };
        let secret_files =
            self.config().hosts.values().filter_map(|host| host.webhook_secret_file.clone()).collect();
        Ok(ForgeSettings {
            known: KnownForges::new(known),
            tokens,
            apps,
            secret_files,
            http,
            ..ForgeSettings::default()
        })
    }

    fn proxy(&self) -> Option<String> {
        let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        names.iter().find_map(|name| self.env.get(name)).and_then(|value| value.to_str()).map(str::to_owned)
    }

    /// Logs of a job, for people.
    #[must_use]
    pub fn log_dir(&self, job: &overnight_core::id::JobId) -> PathBuf {
        self.dirs.job(job).log()
    }
}

/// Made with everything above it, closed to other users.
fn private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

const GITHUB: &str = "github.com";
const GITLAB: &str = "gitlab.com";

/// The GitHub App of a host, where one is named.
fn app_of(host: &str, config: &HostConfig) -> Option<Result<HostApp, AppError>> {
    let (id, key_file) = match (&config.app_id, &config.app_key_file) {
        (None, None) => return None,
        (Some(id), Some(key_file)) => (id.clone(), key_file.clone()),
        (Some(_), None) | (None, Some(_)) => {
            let what = format!("forge.hosts.{host} names half of a GitHub App");
            return Some(Err(AppError::usage(what).help("set both app_id and app_key_file, or neither")));
        }
    };
    match kind_of(host, config) {
        Ok(ForgeKind::GitHub) => {}
        Ok(ForgeKind::Gitea | ForgeKind::GitLab) => {
            let what = format!("forge.hosts.{host} has an app_id, but only GitHub has Apps");
            return Some(Err(
                AppError::usage(what).help("use a token there: token_file, token_env or token_command")
            ));
        }
        Err(error) => return Some(Err(error)),
    }
    let now = || Timestamp(jiff::Timestamp::now().as_millisecond());
    Some(Ok(HostApp { host: host.to_owned(), id, key_file, now }))
}

/// What speaks at a host.
///
/// # Errors
/// When nobody says.
pub fn kind_of(host: &str, config: &HostConfig) -> Result<ForgeKind, AppError> {
    let public = match host {
        GITHUB => Some(ForgeKind::GitHub),
        GITLAB => Some(ForgeKind::GitLab),
        _ => None,
    };
    config.kind.or(public).ok_or_else(|| {
        AppError::usage(format!("forge.hosts.{host} does not say what speaks there"))
            .help(format!("add kind = \"forgejo\" (or gitea, github, gitlab) below [forge.hosts.\"{host}\"]"))
    })
}

fn known_forge(host: &str, kind: ForgeKind, config: &HostConfig) -> Result<KnownForge, AppError> {
    KnownForge::new(kind, &format!("https://{host}"), config.api.as_deref())
        .map_err(|error| AppError::usage(format!("forge.hosts.{host} cannot be used")).because(&error))
}

/// What the configuration names, in the order file, command, variable; else the variables that other tools use.
fn token_sources(kind: ForgeKind, config: &HostConfig) -> Vec<TokenSource> {
    let file = config.token_file.clone().map(TokenSource::File);
    let command =
        (!config.token_command.is_empty()).then(|| TokenSource::Command(config.token_command.clone()));
    let variable = config.token_env.clone().map(TokenSource::Env);
    let named: Vec<TokenSource> = [file, command, variable].into_iter().flatten().collect();
    if !named.is_empty() {
        return named;
    }
    let usual: [&str; 2] = match kind {
        ForgeKind::GitHub => ["GH_TOKEN", "GITHUB_TOKEN"],
        ForgeKind::Gitea => ["GITEA_TOKEN", "FORGEJO_TOKEN"],
        ForgeKind::GitLab => ["GITLAB_TOKEN", "GL_TOKEN"],
    };
    usual.map(|name| TokenSource::Env(name.to_owned())).to_vec()
}

/// A store that cannot be opened.
#[must_use]
pub fn open_error(error: &OpenError) -> AppError {
    with_hint(AppError::new(ExitCode::Store, "the store cannot be opened").because(error), error.hint())
}

/// A store that failed.
#[must_use]
pub fn store_error(error: &StoreError) -> AppError {
    with_hint(AppError::new(ExitCode::Store, "the store failed").because(error), error.hint())
}

/// No one job for what was typed.
#[must_use]
pub fn find_error(error: &FindError) -> AppError {
    let plain = AppError::usage(error.to_string());
    match error {
        FindError::NotFound { nearest, .. } if nearest.is_empty() => {
            plain.help("overnight ls --all lists every job")
        }
        FindError::NotFound { nearest, .. } => {
            let nearest: Vec<&str> = nearest.iter().map(|key| key.as_str()).collect();
            plain.help(format!("did you mean {}?", nearest.join(" or ")))
        }
        FindError::Ambiguous { matches, .. } => {
            let lines: Vec<String> = matches.iter().map(|(key, id)| format!("{key}  {id}")).collect();
            plain.help(format!("name one of these:\n{}", lines.join("\n")))
        }
        FindError::Store(error) => store_error(error),
    }
}

/// A git command of ours that failed.
#[must_use]
pub fn git_error(what: &str, error: &GitError) -> AppError {
    AppError::usage(what).because(error).help("overnight doctor looks at git and the data directory")
}

fn with_hint(error: AppError, hint: Option<&'static str>) -> AppError {
    match hint {
        Some(hint) => error.help(hint),
        None => error,
    }
}
