//! Configuration: from the environment, files and built-in values to one typed [`Config`].
//!
//! The only module that reads the environment, and it does so once. Knows every setting ([`settings::SETTINGS`]) and
//! where each value came from. Must not read a repository's own file: whoever can change a repository must not change
//! what its agent may do.

mod adapters;
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
use overnight_core::agent::{Adapter, BackendId, Billing, Effort};
use overnight_core::job::{JobLimits, Label};
use overnight_core::worker::HealthPolicy;
use overnight_engine::sweep::Retention;
use overnight_forge::ForgeKind;
use overnight_store::Database;

use crate::cli::args::ColorChoice;

pub use environment::Environment;
pub use load::{ConfigError, Loaded, Origin, load};

/// Every setting, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub agent: AgentConfig,
    /// Longest run of one check.
    pub check_timeout: Duration,
    pub limits: JobLimits,
    /// By `host` or `host:port`.
    pub hosts: BTreeMap<String, HostConfig>,
    /// Author of commits that the runner makes, `Name <address>`; `None`: the repository's own user.
    pub author: Option<String>,
    pub worker: WorkerConfig,
    pub serve: ServeConfig,
    /// How long things are kept.
    pub retention: Retention,
    /// How often a worker clears up.
    pub gc_interval: Duration,
    /// `None`: a SQLite file in the data directory.
    pub database: Option<Database>,
    pub color: ColorChoice,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// A name: of a backend, or of one of the adapters.
    pub default: Option<String>,
    /// Agents that are described instead of built in.
    pub adapters: BTreeMap<AdapterName, Adapter>,
    /// The vendors' programs, where they are not found in `PATH` by their usual names.
    pub programs: Programs,
    pub model: Option<String>,
    pub effort: Option<Effort>,
    pub permission_mode: Option<String>,
    pub allowed_tools: Vec<String>,
    pub disallowed_tools: Vec<String>,
    pub billing: Billing,
    /// Longest time without output before a turn counts as hung.
    pub silence: Duration,
    /// Time between TERM and KILL.
    pub grace: Duration,
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
            agent: AgentConfig {
                default: None,
                adapters: BTreeMap::new(),
                programs: Programs::default(),
                model: None,
                effort: None,
                permission_mode: None,
                allowed_tools: Vec::new(),
                disallowed_tools: Vec::new(),
                billing: Billing::Subscription,
                silence: Duration::from_secs(15 * 60),
                grace: Duration::from_secs(10),
            },
            check_timeout: Duration::from_secs(30 * 60),
            limits: JobLimits::default(),
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
            gc_interval: Duration::from_secs(60 * 60),
            database: None,
            color: ColorChoice::Auto,
        }
    }
}
