//! Which agent works on a job, and with which settings, as far as that needs this machine: its configuration, and what is
//! installed. The decision itself is `overnight_core::choose`.

use std::sync::{Arc, PoisonError, RwLock};

use overnight_agents::{capabilities_of, efforts_of};
use overnight_core::agent::{Agent, BackendId};
use overnight_core::choose::{Known, Layer, Layers, Resolved, Sources, resolve};
use overnight_core::job::{Configured, Job, JobKind, JobSpec, Origin};
use overnight_engine::{Configure, Host, program};

use crate::config::{AgentConfig, Config};
use crate::order;

/// What a configuration says about agents, on a machine where these are installed.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    layers: Layers,
    agents: AgentConfig,
    /// The first vendor's program that is installed.
    pub usual: Option<Agent>,
}

impl Advice {
    #[must_use]
    pub fn of(config: &Config, host: &Host) -> Self {
        let there = |backend: &BackendId| {
            config.agent.program(*backend).is_some() || program::usual(*backend, host).is_some()
        };
        Self {
            layers: config.layers.clone(),
            agents: config.agent.clone(),
            usual: BackendId::VENDORS.into_iter().find(there).map(Agent::from),
        }
    }

    /// What is said about a new job, and about one that is ordered again.
    #[must_use]
    pub fn sources<'a>(&'a self, task: &'a Layer, job: &'a Layer, about: About<'a>) -> Sources<'a> {
        let About { repository, kind } = about;
        let usual = self.usual.as_ref();
        Sources { task, job, repository, kind, layers: &self.layers, usual, ordered: None }
    }

    /// The settings of a job whose first agent is this one.
    #[must_use]
    pub fn resolve(&self, sources: &Sources<'_>, agent: &(Agent, Origin)) -> Resolved {
        resolve(sources, agent, &|agent| {
            let settings = agent.settings();
            Known {
                can: capabilities_of(&settings),
                efforts: efforts_of(&settings),
                program: self.agents.program(agent.backend).cloned(),
            }
        })
    }

    /// Whether any section speaks of a repository.
    #[must_use]
    pub fn knows_repositories(&self) -> bool {
        !self.layers.repositories.is_empty()
    }

    /// What a worker with this advice makes of a job that was ordered; `None`: what it is already.
    fn again(&self, job: &Job) -> Option<Resolved> {
        let spec = &job.spec;
        if !spec.choice.is_known() || spec.choice.frozen {
            return None;
        }
        let task = Layer::of_job(spec, |origin| origin == Origin::Task);
        let asked = Layer::of_job(spec, |origin| origin == Origin::Job);
        let about = About { repository: &job.repository_name, kind: spec.choice.kind };
        let sources = Sources { ordered: Some(spec), ..self.sources(&task, &asked, about) };
        let resolved = self.resolve(&sources, &sources.agent()?);
        (!same_values(&resolved.settings, spec)).then_some(resolved)
    }
}

/// Which job is spoken of.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Name of its repository.
    pub repository: &'a str,
    pub kind: JobKind,
}

/// Where a value came from makes no difference to the job.
fn same_values(settings: &Configured, spec: &JobSpec) -> bool {
    settings.agent == spec.agent
        && settings.limits == spec.limits
        && settings.choice.backup == spec.choice.backup
}

/// The advice that holds now, for whoever claims jobs. A reload replaces it.
#[derive(Debug)]
pub struct Adviser {
    advice: RwLock<Arc<Advice>>,
    root: bool,
}

impl Adviser {
    #[must_use]
    pub fn new(config: &Config, host: &Host) -> Self {
        Self { advice: RwLock::new(Arc::new(Advice::of(config, host))), root: host.root }
    }

    /// Later claims get this.
    pub fn renew(&self, config: &Config, host: &Host) {
        let advice = Arc::new(Advice::of(config, host));
        *self.advice.write().unwrap_or_else(PoisonError::into_inner) = advice;
    }

    fn advice(&self) -> Arc<Advice> {
        Arc::clone(&self.advice.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Configure for Adviser {
    fn configure(&self, job: &Job) -> Result<Option<Configured>, String> {
        let Some(Resolved { mut settings, notes }) = self.advice().again(job) else { return Ok(None) };
        settings.choice.frozen = true;
        for note in notes {
            tracing::info!(job.id = %job.id, "{note}");
        }
        let spec = job.spec.clone().with_settings(settings.clone());
        order::check_enforceable(&spec, self.root).map_err(|error| {
            let help = error.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("the settings of this worker cannot be used: {}{help}", error.what)
        })?;
        Ok(Some(settings))
    }
}
