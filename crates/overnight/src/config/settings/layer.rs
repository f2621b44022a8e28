//! The settings that may differ from job to job. Each stands in every section of a configuration that speaks of some jobs
//! (`[kind.plan]`, `[repository."app"]`, `[agent.codex]`), and once for everything (`[agent]`, `[limits]`).

use std::time::Duration;

use overnight_core::agent::BackendId;
use overnight_core::choose::{Layer, Say, Thinking, name};
use overnight_core::job::JobKind;
use overnight_core::units::MicroDollars;

use super::{Input, Setting, Wrong, assign, put};
use crate::cli::values;

/// One setting of a section.
#[derive(Debug, Clone, Copy)]
pub struct LayerSetting {
    /// Below the section, and in the origins of a job.
    pub key: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
    pub set: fn(&mut Layer, &Input<'_>) -> Result<(), Wrong>,
    pub get: fn(&Layer) -> Option<String>,
}

/// A section that speaks of some jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    Agent(BackendId),
    Kind(JobKind),
    Repository(String),
}

impl Section {
    /// Those of the agents that are built in. What is said of an adapter stands in the section that names it.
    pub fn of_agents() -> impl Iterator<Item = Self> {
        BackendId::ALL.into_iter().filter(|backend| !backend.is_described()).map(Self::Agent)
    }

    /// Those that variables can set, too: a repository's name need not fit into a variable's.
    pub fn of_variables() -> impl Iterator<Item = Self> {
        Self::of_agents().chain(JobKind::ALL.into_iter().map(Self::Kind))
    }

    /// As in a file: `kind.plan`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Agent(backend) => format!("agent.{backend}"),
            Self::Kind(kind) => format!("kind.{kind}"),
            Self::Repository(name) => format!("repository.{name}"),
        }
    }

    /// Whether the setting means something there: an agent's section need not say which agent.
    #[must_use]
    pub fn has(&self, setting: &LayerSetting) -> bool {
        match self {
            Self::Agent(_) => setting.key != name::AGENT,
            Self::Kind(_) | Self::Repository(_) => true,
        }
    }
}

/// The environment variable that sets a key.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("OVERNIGHT_{}", key.replace('.', "_").to_uppercase())
}

/// A setting for everything, made of the one of a section.
macro_rules! general {
    ($key:literal, $default:literal, $one:ident) => {
        Setting {
            key: $key,
            kind: $one.kind,
            default: $default,
            about: $one.about,
            set: |config, input| ($one.set)(&mut config.layers.general, input),
            get: |config| ($one.get)(&config.layers.general),
        }
    };
    // With a value that holds where nobody sets it.
    ($key:literal, built_in $default:literal, $one:ident) => {
        Setting {
            get: |config| Some(($one.get)(&config.layers.general).unwrap_or_else(|| $default.to_owned())),
            ..general!($key, $default, $one)
        }
    };
}

/// For everything, in the order of the documentation.
pub(super) const GENERAL_AGENT: &[Setting] = &[
    Setting {
        about: "which agent works when none is named",
        ..general!("agent.default", "the first one installed", AGENT)
    },
    general!("agent.model", "the vendor's choice", MODEL),
    general!("agent.effort", "the vendor's choice", EFFORT),
    general!("agent.thinking_budget", "the vendor's choice", THINKING_BUDGET),
    general!("agent.permission_mode", "the backend's choice", PERMISSION_MODE),
    general!("agent.allowed_tools", "the backend's choice", ALLOWED_TOOLS),
    general!("agent.disallowed_tools", "the backend's choice", DISALLOWED_TOOLS),
    general!("agent.billing", built_in "subscription", BILLING),
    general!("agent.silence", built_in "15m", SILENCE),
    general!("agent.silence_busy", built_in "2h", SILENCE_BUSY),
    general!("agent.leave", built_in "30s", LEAVE),
    general!("agent.grace", built_in "10s", GRACE),
    general!("agent.compact_after", built_in "3", COMPACT_AFTER),
    general!("agent.backup_agent", built_in "none", BACKUP_AGENT),
    general!("agent.backup_model", "as for its other jobs", BACKUP_MODEL),
    general!("agent.backup_effort", "as for its other jobs", BACKUP_EFFORT),
    general!("agent.backup_patience", built_in "2h", BACKUP_PATIENCE),
];

/// The same for limits.
pub(super) const GENERAL_LIMITS: &[Setting] = &[
    general!("limits.attempts", built_in "3", ATTEMPTS),
    general!("limits.cost", built_in "none", COST),
    general!("limits.tokens", built_in "none", TOKENS),
    general!("limits.turns", built_in "none", TURNS),
    general!("limits.time", built_in "none", TIME),
];

/// Every setting of a section, in the order of the documentation.
pub const LAYER_SETTINGS: &[LayerSetting] = &[
    AGENT,
    MODEL,
    EFFORT,
    THINKING_BUDGET,
    PERMISSION_MODE,
    ALLOWED_TOOLS,
    DISALLOWED_TOOLS,
    BILLING,
    SILENCE,
    SILENCE_BUSY,
    LEAVE,
    GRACE,
    COMPACT_AFTER,
    BACKUP_AGENT,
    BACKUP_MODEL,
    BACKUP_EFFORT,
    BACKUP_PATIENCE,
    ATTEMPTS,
    COST,
    TOKENS,
    TURNS,
    TIME,
];

/// Two ways to say the same; in one place only one of them may stand.
#[must_use]
pub fn other_way(key: &str) -> Option<String> {
    let (above, last) = key.rsplit_once('.').map_or(("", key), |(above, last)| (above, last));
    let other = match last {
        name::EFFORT => THINKING_BUDGET.key,
        last if last == THINKING_BUDGET.key => name::EFFORT,
        _ => return None,
    };
    Some(if above.is_empty() { other.to_owned() } else { format!("{above}.{other}") })
}

const AGENT: LayerSetting = LayerSetting {
    key: name::AGENT,
    kind: "claude, codex, gemini, qwen, opencode, command, rehearsal or an adapter",
    about: "which agent works",
    set: |layer, input| put(&mut layer.agent, input.agent()?),
    get: |layer| layer.agent.as_ref().map(|agent| agent.name().to_owned()),
};

const MODEL: LayerSetting = LayerSetting {
    key: name::MODEL,
    kind: "text",
    about: "the model, by the vendor's name",
    set: |layer, input| put(&mut layer.model, input.text()?.to_owned()),
    get: |layer| layer.model.clone(),
};

const EFFORT: LayerSetting = LayerSetting {
    key: name::EFFORT,
    kind: "low, medium, high, xhigh or max",
    about: "how hard the model should think",
    set: |layer, input| put(&mut layer.thinking, Thinking::Level(values::effort(input.text()?)?)),
    get: |layer| match layer.thinking? {
        Thinking::Level(effort) => Some(effort.as_str().to_owned()),
        Thinking::Budget(_) => None,
    },
};

const THINKING_BUDGET: LayerSetting = LayerSetting {
    key: "thinking_budget",
    kind: "number, or 0",
    about: "the effort as tokens: up to 6k medium, 12k high, 24k xhigh, above max; 0: the vendor's choice",
    set: |layer, input| put(&mut layer.thinking, Thinking::Budget(values::thinking_budget(input.text()?)?)),
    get: |layer| match layer.thinking? {
        Thinking::Level(_) => None,
        Thinking::Budget(tokens) => Some(tokens.to_string()),
    },
};

const PERMISSION_MODE: LayerSetting = LayerSetting {
    key: name::PERMISSION_MODE,
    kind: "text",
    about: "the vendor's own word for its permission mode",
    set: |layer, input| put(&mut layer.permission_mode, input.text()?.to_owned()),
    get: |layer| layer.permission_mode.clone(),
};

const ALLOWED_TOOLS: LayerSetting = LayerSetting {
    key: name::ALLOWED_TOOLS,
    kind: "list of texts",
    about: "tools the agent may use",
    set: |layer, input| put(&mut layer.allowed_tools, input.list()),
    get: |layer| layer.allowed_tools.as_ref().map(|tools| tools.join(", ")),
};

const DISALLOWED_TOOLS: LayerSetting = LayerSetting {
    key: name::DISALLOWED_TOOLS,
    kind: "list of texts",
    about: "tools the agent may not use",
    set: |layer, input| put(&mut layer.disallowed_tools, input.list()),
    get: |layer| layer.disallowed_tools.as_ref().map(|tools| tools.join(", ")),
};

const BILLING: LayerSetting = LayerSetting {
    key: name::BILLING,
    kind: "subscription or key",
    about: "who pays: the agent's own login, or an API key from the environment",
    set: |layer, input| put(&mut layer.billing, values::billing(input.text()?)?),
    get: |layer| layer.billing.map(|billing| values::billing_word(billing).to_owned()),
};

const SILENCE: LayerSetting = LayerSetting {
    key: name::SILENCE,
    kind: "time",
    about: "longest time without output and without work before a turn counts as hung",
    set: |layer, input| put(&mut layer.silence, values::span(input.text()?)?),
    get: |layer| layer.silence.map(values::show_span),
};

const SILENCE_BUSY: LayerSetting = LayerSetting {
    key: name::SILENCE_BUSY,
    kind: "time",
    about: "longest time without output of a turn whose processes work",
    set: |layer, input| put(&mut layer.silence_busy, values::span(input.text()?)?),
    get: |layer| layer.silence_busy.map(values::show_span),
};

const LEAVE: LayerSetting = LayerSetting {
    key: name::LEAVE,
    kind: "time",
    about: "how long an agent that has given its result may take to leave",
    set: |layer, input| put(&mut layer.leave, values::span(input.text()?)?),
    get: |layer| layer.leave.map(values::show_span),
};

const GRACE: LayerSetting = LayerSetting {
    key: name::GRACE,
    kind: "time",
    about: "time between asking an agent to end and killing it",
    set: |layer, input| put(&mut layer.grace, values::span(input.text()?)?),
    get: |layer| layer.grace.map(values::show_span),
};

const COMPACT_AFTER: LayerSetting = LayerSetting {
    key: name::COMPACT_AFTER,
    kind: "number, or none",
    about: "attempts in one conversation after which the next begins a fresh one, from what the earlier came to",
    set: |layer, input| put(&mut layer.compact_after, Say::of(input.limit(values::count)?)),
    get: |layer| shown(layer.compact_after, |count| count.to_string()),
};

const BACKUP_AGENT: LayerSetting = LayerSetting {
    key: name::BACKUP_AGENT,
    kind: "the name of an agent, or none",
    about: "who takes over when the agent gives up",
    set: |layer, input| put(&mut layer.backup.agent, Say::of(input.agent_or_none()?)),
    get: |layer| shown(layer.backup.agent.as_ref().map(Say::as_ref), |agent| agent.name().to_owned()),
};

const BACKUP_MODEL: LayerSetting = LayerSetting {
    key: name::BACKUP_MODEL,
    kind: "text",
    about: "the model of the agent that takes over",
    set: |layer, input| put(&mut layer.backup.model, input.text()?.to_owned()),
    get: |layer| layer.backup.model.clone(),
};

const BACKUP_EFFORT: LayerSetting = LayerSetting {
    key: name::BACKUP_EFFORT,
    kind: "low, medium, high, xhigh or max",
    about: "how hard the model of the agent that takes over should think",
    set: |layer, input| put(&mut layer.backup.thinking, Thinking::Level(values::effort(input.text()?)?)),
    get: |layer| match layer.backup.thinking? {
        Thinking::Level(effort) => Some(effort.as_str().to_owned()),
        Thinking::Budget(_) => None,
    },
};

const BACKUP_PATIENCE: LayerSetting = LayerSetting {
    key: name::BACKUP_PATIENCE,
    kind: "time",
    about: "how long the agent's quota, vendor or login is waited for before another takes over",
    set: |layer, input| put(&mut layer.backup.patience, values::span(input.text()?)?),
    get: |layer| layer.backup.patience.map(values::show_span),
};

const ATTEMPTS: LayerSetting = LayerSetting {
    key: name::ATTEMPTS,
    kind: "number",
    about: "paid tries of one job",
    set: |layer, input| put(&mut layer.limits.attempts, values::count(input.text()?)?),
    get: |layer| layer.limits.attempts.map(|attempts| attempts.to_string()),
};

const COST: LayerSetting = LayerSetting {
    key: name::COST,
    kind: "US dollars, or none",
    about: "money for one job",
    set: |layer, input| put(&mut layer.limits.cost, Say::of(input.limit(values::money)?)),
    get: |layer| shown(layer.limits.cost, exact),
};

const TOKENS: LayerSetting = LayerSetting {
    key: name::TOKENS,
    kind: "number, or none",
    about: "input, output and cache-write tokens of one job",
    set: |layer, input| put(&mut layer.limits.tokens, Say::of(input.limit(values::tokens)?)),
    get: |layer| shown(layer.limits.tokens, |tokens| tokens.to_string()),
};

const TURNS: LayerSetting = LayerSetting {
    key: name::TURNS,
    kind: "number, or none",
    about: "answers of the model for one job",
    set: |layer, input| put(&mut layer.limits.turns, Say::of(input.limit(values::count)?)),
    get: |layer| shown(layer.limits.turns, |turns| turns.to_string()),
};

const TIME: LayerSetting = LayerSetting {
    key: name::TIME,
    kind: "time, or none",
    about: "agent and check time of one job",
    set: |layer, input| {
        let span = input.limit(values::span)?;
        assign(&mut layer.limits.time_ms, Some(Say::of(span.map(crate::order::whole_millis))))
    },
    get: |layer| shown(layer.limits.time_ms, |ms| values::show_span(Duration::from_millis(ms))),
};

fn shown<T>(say: Option<Say<T>>, text: impl Fn(T) -> String) -> Option<String> {
    Some(say?.value().map_or_else(|| "none".to_owned(), text))
}

/// An amount as it is written: no digit lost, none too many.
fn exact(cost: MicroDollars) -> String {
    let text = format!("{}.{:06}", cost.0 / 1_000_000, cost.0 % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
