//! Configuration: from the environment, files and built-in values to one typed [`Config`].
//!
//! The only module that reads the environment, and it does so once. Knows every setting ([`settings::SETTINGS`]) and
//! where each value came from. Must not read a repository's own file: whoever can change a repository must not change
//! what its agent may do.

pub mod accounts;
mod adapters;
pub mod budget;
pub mod environment;
pub mod file;
pub mod load;
pub mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use overnight_core::agent::adapter::AdapterName;
use overnight_core::agent::{Account, Adapter, Agent, BackendId, Billing};
use overnight_core::backlog::idea::REVIEW_ROUNDS;
use overnight_core::choose::{Layer, Layers};
use overnight_core::job::Label;
use overnight_core::policy::circuit::CircuitPolicy;
use overnight_core::policy::preflight::Preflight;
use overnight_core::talk::QuestionPolicy;
use overnight_core::watch::WatchPolicy;
use overnight_core::worker::HealthPolicy;
use overnight_engine::sweep::Retention;
use overnight_forge::{CallBudget, ForgeKind};
use overnight_store::Database;

use crate::cli::args::ColorChoice;
use settings::{LAYER_SETTINGS, Section};

pub use budget::BudgetConfig;
pub use environment::Environment;
pub use load::{ConfigError, Loaded, Origin, load};

/// Every setting, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub agent: AgentConfig,
    /// Whether agents are offered the tools of their job.
    pub agent_tools: bool,
    /// Several logins of one vendor, in the order in which they are preferred.
    pub accounts: Vec<Account>,
    pub quota: QuotaConfig,
    /// What follows when an agent asks something.
    pub questions: QuestionPolicy,
    /// Most rounds of the review of an idea's plan.
    pub review_rounds: u32,
    /// What is said about the agents and limits of jobs, for everything and for some of them.
    pub layers: Layers,
    /// What is done by itself about pull requests after they were opened.
    pub watch: WatchPolicy,
    /// Longest run of one check.
    pub check_timeout: Duration,
    pub budget: BudgetConfig,
    /// By `host` or `host:port`.
    pub hosts: BTreeMap<String, HostConfig>,
    /// Author of commits that the runner makes, `Name <address>`; `None`: the repository's own user.
    pub author: Option<String>,
    pub worker: WorkerConfig,
    pub serve: ServeConfig,
    /// How long things are kept.
    pub retention: Retention,
    /// What is looked for in a change before it goes out.
    pub preflight: Preflight,
    /// How often a worker clears up.
    pub gc_interval: Duration,
    /// `None`: a SQLite file in the data directory.
    pub database: Option<Database>,
    /// Per cent of a forge's limit on calls that we may use.
    pub forge_call_share: u8,
    pub color: ColorChoice,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentConfig {
    /// Agents that are described instead of built in.
    pub adapters: BTreeMap<AdapterName, Adapter>,
    /// The vendors' programs, where they are not found in `PATH` by their usual names.
    pub programs: Programs,
}

/// How long vendors that do not answer are waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaConfig {
    pub policy: CircuitPolicy,
    /// How often an account's probe is asked.
    pub probe_every: Duration,
    /// How long a refused login is left alone while there is another.
    pub login_rest: Duration,
}

impl Config {
    /// Who pays for this agent where no job says otherwise.
    #[must_use]
    pub fn billing(&self, agent: &Agent) -> Billing {
        let own = self.layers.agents.get(agent.name()).and_then(|layer| layer.billing);
        own.or(self.layers.general.billing).unwrap_or_default()
    }

    /// The layer of a section, made where there is none.
    fn layer(&mut self, section: &Section) -> &mut Layer {
        let layers = &mut self.layers;
        match section {
            Section::Agent(backend) => layers.agents.entry(backend.as_str().to_owned()).or_default(),
            Section::Kind(kind) => layers.kinds.entry(*kind).or_default(),
            Section::Repository(name) => layers.repositories.entry(name.clone()).or_default(),
        }
    }

    /// Everything that is said of some jobs only, by its full key, as it would be written.
    pub fn of_sections(&self) -> impl Iterator<Item = (String, String)> {
        let Layers { general: _, agents, kinds, repositories } = &self.layers;
        let agents = agents.iter().map(|(name, layer)| (format!("agent.{name}"), layer));
        let kinds = kinds.iter().map(|(kind, layer)| (format!("kind.{kind}"), layer));
        let repositories = repositories.iter().map(|(name, layer)| (format!("repository.{name}"), layer));
        agents.chain(kinds).chain(repositories).flat_map(|(section, layer)| {
            LAYER_SETTINGS.iter().filter_map(move |setting| {
                Some((format!("{section}.{}", setting.key), (setting.get)(layer)?))
            })
        })
    }
}

/// Where the vendors' programs are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Programs {
    pub claude: Option<PathBuf>,
    pub codex: Option<PathBuf>,
    pub gemini: Option<PathBuf>,
    pub qwen: Option<PathBuf>,
    pub opencode: Option<PathBuf>,
}

impl AgentConfig {
    /// The configured program of a backend; `None`: to be looked for, or not needed.
    #[must_use]
    pub fn program(&self, backend: BackendId) -> Option<&PathBuf> {
        match backend {
            BackendId::Claude => self.programs.claude.as_ref(),
            BackendId::Codex => self.programs.codex.as_ref(),
            BackendId::Gemini => self.programs.gemini.as_ref(),
            BackendId::Qwen => self.programs.qwen.as_ref(),
            BackendId::Opencode => self.programs.opencode.as_ref(),
            BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => None,
        }
    }
}

/// One forge's host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostConfig {
    pub kind: Option<ForgeKind>,
    pub api: Option<String>,
    pub token_env: Option<String>,
    pub token_file: Option<PathBuf>,
    pub token_command: Vec<String>,
    pub app_id: Option<String>,
    pub app_key_file: Option<PathBuf>,
    pub webhook_secret_env: Option<String>,
    pub webhook_secret_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct WorkerConfig {
    /// How long a job stays with a worker that is not heard of.
    pub lease: Duration,
    pub heartbeat: Duration,
    /// Bytes kept of one turn's or check's output.
    pub log_bytes: u64,
    /// Longest fetch, clone or push.
    pub git_timeout: Duration,
    /// Longest collect.
    pub collect_timeout: Duration,
    /// Jobs at a time; `None`: as many as the machine's processors suggest.
    pub slots: Option<u32>,
    pub offer: Vec<Label>,
    /// How often the queue is looked at when nothing is heard of it.
    pub poll: Duration,
    /// How often lost jobs are looked for.
    pub sweep: Duration,
    pub most_losses: u32,
    /// How long a place may be away before its jobs go on elsewhere.
    pub move_after: Duration,
    /// In bytes.
    pub disk_floor: u64,
    pub health: HealthPolicy,
    /// How long a drain may take; `None`: as long as the jobs do.
    pub drain_timeout: Option<Duration>,
}

/// What is answered over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeConfig {
    pub listen: SocketAddr,
    pub allowed_hosts: Vec<String>,
}

impl Default for Config {
    /// The built-in values; [`settings::SETTINGS`] documents each of them, and a test holds the two together.
    fn default() -> Self {
        Self {
            agent: AgentConfig::default(),
            agent_tools: true,
            layers: Layers::default(),
            accounts: Vec::new(),
            quota: QuotaConfig {
                policy: CircuitPolicy::default(),
                probe_every: Duration::from_secs(60),
                login_rest: Duration::from_secs(10 * 60),
            },
            questions: QuestionPolicy::default(),
            review_rounds: REVIEW_ROUNDS,
            watch: WatchPolicy::default(),
            check_timeout: Duration::from_secs(30 * 60),
            budget: BudgetConfig::default(),
            hosts: BTreeMap::new(),
            author: None,
            worker: WorkerConfig {
                lease: Duration::from_secs(60),
                heartbeat: Duration::from_secs(10),
                log_bytes: 64 << 20,
                git_timeout: Duration::from_secs(15 * 60),
                collect_timeout: Duration::from_secs(10 * 60),
                slots: None,
                offer: Vec::new(),
                poll: Duration::from_secs(10),
                sweep: Duration::from_secs(15),
                most_losses: 3,
                move_after: Duration::from_secs(24 * 60 * 60),
                disk_floor: 1 << 30,
                health: HealthPolicy::default(),
                drain_timeout: None,
            },
            serve: ServeConfig {
                listen: SocketAddr::from(([127, 0, 0, 1], 7377)),
                allowed_hosts: Vec::new(),
            },
            retention: Retention::default(),
            preflight: Preflight::default(),
            gc_interval: Duration::from_secs(60 * 60),
            database: None,
            forge_call_share: CallBudget::default().share,
            color: ColorChoice::Auto,
        }
    }
}
