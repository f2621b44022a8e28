//! What an engine is made of. How it takes a job through its stages is in `work`.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::id::WorkerId;
use overnight_core::policy::budget::Budgets;
use overnight_core::policy::preflight::Preflight;
use overnight_core::talk::QuestionPolicy;
use overnight_git::{Git, HostEnv, Mirrors};
use overnight_proc::Redact;
use overnight_store::{Claimant, Store};

use crate::accounts::{AccountSettings, Accounts};
use crate::configure::Configure;
use crate::credentials::ForgeSettings;
use crate::desk::ToolDoor;
use crate::dirs::Dirs;
use crate::heart::{Heart, Rhythm};
use crate::host::Host;
use crate::masks::Masks;
use crate::sweep;
use crate::watch::Connections;

/// Times that the engine keeps. All of them are settings.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How long a lease holds without a renewal.
    pub lease: Duration,
    pub heartbeat: Duration,
    /// Bytes kept of one turn's or check's output.
    pub log_bytes: u64,
    /// Longest fetch, clone or push.
    pub git_timeout: Duration,
    /// Longest collect: add, commit and bundle inside the containment.
    pub collect_timeout: Duration,
    /// What is kept for everything that this worker works on.
    pub budgets: Budgets,
    /// How often a running session's use is told to the ledger, and others' is read from it.
    pub spend_report: Duration,
    /// What is looked for in a change before it goes out.
    pub preflight: Preflight,
    /// What follows when an agent asks something.
    pub questions: QuestionPolicy,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            heartbeat: Duration::from_secs(10),
            log_bytes: 64 << 20,
            git_timeout: Duration::from_secs(15 * 60),
            collect_timeout: Duration::from_secs(10 * 60),
            budgets: Budgets::default(),
            spend_report: Duration::from_secs(5),
            preflight: Preflight::default(),
            questions: QuestionPolicy::default(),
        }
    }
}

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineParts {
    pub store: Store,
    pub dirs: Dirs,
    pub git: Git,
    pub host: Host,
    /// Who claims. Its lease is that of the settings.
    pub claimant: Claimant,
    /// Workers that are known to be dead: their leases are taken at once instead of when they run out.
    pub dead_workers: Vec<WorkerId>,
    pub forges: ForgeSettings,
    pub accounts: AccountSettings,
    pub settings: EngineSettings,
    /// Resolves the settings of jobs that nobody has begun.
    pub configure: Arc<dyn Configure>,
    /// Offers agents the tools of their job; `None`: they get none.
    pub tools: Option<Arc<dyn ToolDoor>>,
}

/// Takes jobs through their stages.
pub struct Engine {
    parts: EngineParts,
    mirrors: Mirrors,
    git_env: HostEnv,
    redactor: Arc<dyn Redact>,
    accounts: Accounts,
    heart: Heart,
    connections: Connections,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Engine {
    /// Puts an engine together and starts its heartbeat.
    ///
    /// # Errors
    /// When no thread can be started, or the data directory cannot be written.
    pub fn start(parts: EngineParts) -> std::io::Result<Self> {
        sweep::note_store(&parts.dirs, parts.store.database())?;
        let heart = Heart::start(&parts.store, &parts.claimant.worker, rhythm(&parts.settings))?;
        let mirrors = Mirrors::new(parts.git.clone(), parts.dirs.mirrors());
        let git_env = HostEnv::from_vars(parts.host.env.clone());
        let redactor = Arc::new(Masks::new(&parts.host, &[]));
        let accounts = Accounts::new(parts.accounts.clone());
        Ok(Self { parts, mirrors, git_env, redactor, accounts, heart, connections: Connections::default() })
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    #[must_use]
    pub fn dirs(&self) -> &Dirs {
        &self.parts.dirs
    }

    pub(crate) fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// What git may see of the person's environment.
    pub(crate) fn git_env(&self) -> &HostEnv {
        &self.git_env
    }

    /// Takes known secrets out of every line that is stored.
    pub(crate) fn redactor(&self) -> Arc<dyn Redact> {
        Arc::clone(&self.redactor)
    }

    pub(crate) fn configure(&self) -> &dyn Configure {
        self.parts.configure.as_ref()
    }

    pub(crate) fn tools(&self) -> Option<&dyn ToolDoor> {
        self.parts.tools.as_deref()
    }

    pub(crate) fn host(&self) -> &Host {
        &self.parts.host
    }

    pub(crate) fn forges(&self) -> &ForgeSettings {
        &self.parts.forges
    }

    /// Connections to forges for looks at pull requests.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// The logins of vendors on this machine.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Who this engine claims jobs as.
    #[must_use]
    pub fn claimant(&self) -> &Claimant {
        &self.parts.claimant
    }

    #[must_use]
    pub fn heart(&self) -> &Heart {
        &self.heart
    }

    pub(crate) fn rhythm(&self) -> Rhythm {
        rhythm(&self.parts.settings)
    }

    pub(crate) fn dead_workers(&self) -> &[WorkerId] {
        &self.parts.dead_workers
    }

    pub(crate) fn settings(&self) -> &EngineSettings {
        &self.parts.settings
    }
}

fn rhythm(settings: &EngineSettings) -> Rhythm {
    Rhythm { lease: settings.lease, heartbeat: settings.heartbeat }
}
