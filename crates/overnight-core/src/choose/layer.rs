//! What one layer says, and the layers of a configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::agent::{Agent, Billing, Effort};
use crate::job::{Backup, Configured, JobKind, JobLimits, JobSpec, Origin};
use crate::units::MicroDollars;

/// The names of the settings, as in a file and in [`Choice::origins`](crate::job::Choice).
pub mod name {
    pub const AGENT: &str = "agent";
    pub const MODEL: &str = "model";
    pub const EFFORT: &str = "effort";
    pub const PERMISSION_MODE: &str = "permission_mode";
    pub const ALLOWED_TOOLS: &str = "allowed_tools";
    pub const DISALLOWED_TOOLS: &str = "disallowed_tools";
    pub const BILLING: &str = "billing";
    pub const SILENCE: &str = "silence";
    pub const SILENCE_BUSY: &str = "silence_busy";
    pub const LEAVE: &str = "leave";
    pub const GRACE: &str = "grace";
    pub const COMPACT_AFTER: &str = "compact_after";
    pub const ATTEMPTS: &str = "limits.attempts";
    pub const COST: &str = "limits.cost";
    pub const TOKENS: &str = "limits.tokens";
    pub const TURNS: &str = "limits.turns";
    pub const TIME: &str = "limits.time";
    pub const BACKUP_AGENT: &str = "backup_agent";
    pub const BACKUP_MODEL: &str = "backup_model";
    pub const BACKUP_EFFORT: &str = "backup_effort";
    pub const BACKUP_PATIENCE: &str = "backup_patience";
}

/// A value, or that there is to be none although a weaker layer has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say<T> {
    Off,
    To(T),
}

impl<T> Say<T> {
    #[must_use]
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Off, Self::To)
    }

    #[must_use]
    pub fn as_ref(&self) -> Say<&T> {
        match self {
            Self::Off => Say::Off,
            Self::To(value) => Say::To(value),
        }
    }

    #[must_use]
    pub fn value(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::To(value) => Some(value),
        }
    }
}

/// How hard the model should think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    Level(Effort),
    /// In tokens; the agent's nearest level that is not above it is taken. 0: as the vendor likes.
    Budget(u64),
}

/// What one layer says. `None`: nothing, the next layer counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    pub agent: Option<Agent>,
    pub model: Option<String>,
    pub thinking: Option<Thinking>,
    pub permission_mode: Option<String>,
    pub allowed_tools: Option<Vec<String>>,
    pub disallowed_tools: Option<Vec<String>>,
    pub billing: Option<Billing>,
    pub silence: Option<Duration>,
    pub silence_busy: Option<Duration>,
    pub leave: Option<Duration>,
    pub grace: Option<Duration>,
    /// In attempts.
    pub compact_after: Option<Say<u32>>,
    pub limits: LimitLayer,
    pub backup: BackupLayer,
}

/// What a layer says about limits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LimitLayer {
    pub attempts: Option<u32>,
    pub cost: Option<Say<MicroDollars>>,
    pub tokens: Option<Say<u64>>,
    pub turns: Option<Say<u32>>,
    /// In milliseconds.
    pub time_ms: Option<Say<u64>>,
}

/// What a layer says about the agent that takes over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BackupLayer {
    pub agent: Option<Say<Agent>>,
    pub model: Option<String>,
    pub thinking: Option<Thinking>,
    pub patience: Option<Duration>,
}

/// The layers of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layers {
    /// For everything.
    pub general: Layer,
    /// By the agent's name.
    pub agents: BTreeMap<String, Layer>,
    pub kinds: BTreeMap<JobKind, Layer>,
    /// By the repository's name.
    pub repositories: BTreeMap<String, Layer>,
}

impl Layer {
    /// What a job's settings say whose origin is one of these. Of a job that does not know its origins everything counts as
    /// asked for by the job.
    #[must_use]
    pub fn of_job(spec: &JobSpec, which: impl Fn(Origin) -> bool) -> Self {
        Self::of(&spec.settings(), which)
    }

    /// The same of settings that stand alone.
    #[must_use]
    pub fn of(settings: &Configured, which: impl Fn(Origin) -> bool) -> Self {
        let Configured { agent, limits, choice } = settings;
        let said = |name: &str| which(if choice.is_known() { choice.origin(name) } else { Origin::Job });
        Self {
            agent: said(name::AGENT).then(|| Agent::of(agent)),
            model: agent.model.clone().filter(|_| said(name::MODEL)),
            thinking: said(name::EFFORT).then(|| as_thinking(agent.effort)),
            permission_mode: agent.permission_mode.clone().filter(|_| said(name::PERMISSION_MODE)),
            allowed_tools: said(name::ALLOWED_TOOLS).then(|| agent.allowed_tools.clone()),
            disallowed_tools: said(name::DISALLOWED_TOOLS).then(|| agent.disallowed_tools.clone()),
            billing: said(name::BILLING).then_some(agent.billing),
            silence: said(name::SILENCE).then_some(agent.silence),
            silence_busy: said(name::SILENCE_BUSY).then_some(agent.silence_busy),
            leave: said(name::LEAVE).then_some(agent.leave),
            grace: said(name::GRACE).then_some(agent.grace),
            compact_after: said(name::COMPACT_AFTER).then(|| Say::of(agent.compact_after)),
            limits: LimitLayer::of(limits, &said),
            backup: BackupLayer::of(choice.backup.as_deref(), &said),
        }
    }

    /// What this layer says, and where it says nothing what `weaker` says.
    #[must_use]
    pub fn over(self, weaker: Self) -> Self {
        let (limits, weaker_limits) = (self.limits, weaker.limits);
        let (backup, weaker_backup) = (self.backup, weaker.backup);
        Self {
            agent: self.agent.or(weaker.agent),
            model: self.model.or(weaker.model),
            thinking: self.thinking.or(weaker.thinking),
            permission_mode: self.permission_mode.or(weaker.permission_mode),
            allowed_tools: self.allowed_tools.or(weaker.allowed_tools),
            disallowed_tools: self.disallowed_tools.or(weaker.disallowed_tools),
            billing: self.billing.or(weaker.billing),
            silence: self.silence.or(weaker.silence),
            silence_busy: self.silence_busy.or(weaker.silence_busy),
            leave: self.leave.or(weaker.leave),
            grace: self.grace.or(weaker.grace),
            compact_after: self.compact_after.or(weaker.compact_after),
            limits: LimitLayer {
                attempts: limits.attempts.or(weaker_limits.attempts),
                cost: limits.cost.or(weaker_limits.cost),
                tokens: limits.tokens.or(weaker_limits.tokens),
                turns: limits.turns.or(weaker_limits.turns),
                time_ms: limits.time_ms.or(weaker_limits.time_ms),
            },
            backup: BackupLayer {
                agent: backup.agent.or(weaker_backup.agent),
                model: backup.model.or(weaker_backup.model),
                thinking: backup.thinking.or(weaker_backup.thinking),
                patience: backup.patience.or(weaker_backup.patience),
            },
        }
    }

    /// Without what only the vendor of its agent understands.
    #[must_use]
    pub fn without_vendor_words(self) -> Self {
        Self {
            model: None,
            thinking: None,
            permission_mode: None,
            allowed_tools: None,
            disallowed_tools: None,
            ..self
        }
    }
}

/// No effort was chosen on purpose: said as such, it goes before what weaker layers say.
fn as_thinking(effort: Option<Effort>) -> Thinking {
    effort.map_or(Thinking::Budget(0), Thinking::Level)
}

impl LimitLayer {
    fn of(limits: &JobLimits, said: &impl Fn(&str) -> bool) -> Self {
        Self {
            attempts: said(name::ATTEMPTS).then_some(limits.attempts),
            cost: said(name::COST).then(|| Say::of(limits.cost)),
            tokens: said(name::TOKENS).then(|| Say::of(limits.tokens)),
            turns: said(name::TURNS).then(|| Say::of(limits.turns)),
            time_ms: said(name::TIME).then(|| Say::of(limits.time_ms)),
        }
    }
}

impl BackupLayer {
    fn of(backup: Option<&Backup>, said: &impl Fn(&str) -> bool) -> Self {
        let agent = backup.map(|backup| &backup.agent);
        Self {
            agent: said(name::BACKUP_AGENT).then(|| Say::of(agent.map(Agent::of))),
            model: agent.and_then(|agent| agent.model.clone()).filter(|_| said(name::BACKUP_MODEL)),
            thinking: agent.filter(|_| said(name::BACKUP_EFFORT)).map(|agent| as_thinking(agent.effort)),
            patience: backup.filter(|_| said(name::BACKUP_PATIENCE)).map(|backup| backup.patience),
        }
    }
}
