//! The table of settings: the one place where a key, its meaning and its effect stand together. Files, environment, help,
//! `config show` and the documentation are all made from it.

mod agent;
mod budget;
mod idea;
mod layer;
mod preflight;
mod questions;
mod quota;
mod retention;
mod watch;
mod worker;

use std::path::PathBuf;

use overnight_core::agent::Agent;
use overnight_forge::ForgeKind;

use super::{AgentConfig, Config, HostConfig};
use crate::agents;
use crate::cli::args::ColorChoice;
use crate::cli::values;
use agent::PROGRAMS;
use budget::BUDGET;
use idea::IDEA;
use layer::{GENERAL_AGENT, GENERAL_LIMITS};
use preflight::PREFLIGHT;
use questions::QUESTIONS;
use quota::QUOTA;
use retention::RETENTION;
use watch::WATCH;
use worker::WORKER;

pub use layer::{LAYER_SETTINGS, LayerSetting, Section, other_way, variable};

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A text, or a number as its digits.
    Text(String),
    List(Vec<String>),
}

/// A written value, among the agents that it can name.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub written: &'a Written,
    pub agents: &'a AgentConfig,
}

/// Why a value does not fit: completes "it must be …" or stands alone.
type Wrong = String;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// As in a file: `section.name`.
    pub key: &'static str,
    /// What kind of value it takes, for people.
    pub kind: &'static str,
    /// What holds when nobody sets it, as it would be written.
    pub default: &'static str,
    pub about: &'static str,
    pub set: fn(&mut Config, &Input<'_>) -> Result<(), Wrong>,
    pub get: fn(&Config) -> Option<String>,
}

/// One setting of a forge's host, below `forge.hosts.<host>`.
#[derive(Debug, Clone, Copy)]
pub struct HostSetting {
    pub key: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
    pub set: fn(&mut HostConfig, &Input<'_>) -> Result<(), Wrong>,
    pub get: fn(&HostConfig) -> Option<String>,
}

impl Setting {
    /// The environment variable that sets it.
    #[must_use]
    pub fn env(&self) -> String {
        variable(self.key)
    }

    /// The setting of this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

impl Input<'_> {
    pub(super) fn text(&self) -> Result<&str, Wrong> {
        match self.written {
            Written::Text(text) if !text.trim().is_empty() => Ok(text.trim()),
            Written::Text(_) => Err("expected a text that is not empty".to_owned()),
            Written::List(_) => Err("expected one value, not a list".to_owned()),
        }
    }

    pub(super) fn path(&self) -> Result<PathBuf, Wrong> {
        let path = PathBuf::from(self.text()?);
        if path.is_absolute() { Ok(path) } else { Err("expected an absolute path".to_owned()) }
    }

    /// A program and its arguments.
    pub(super) fn argv(&self) -> Result<Vec<String>, Wrong> {
        match self.written {
            Written::List(argv) if !argv.is_empty() => Ok(argv.clone()),
            Written::List(_) | Written::Text(_) => {
                Err("expected a list of a program and its arguments".to_owned())
            }
        }
    }

    /// From the environment: separated by commas.
    fn list(&self) -> Vec<String> {
        let clean = |item: &str| Some(item.trim().to_owned()).filter(|item| !item.is_empty());
        match self.written {
            Written::Text(text) => text.split(',').filter_map(clean).collect(),
            Written::List(items) => items.iter().filter_map(|item| clean(item)).collect(),
        }
    }

    /// A value that `none` takes away.
    fn limit<T>(&self, read: fn(&str) -> Result<T, Wrong>) -> Result<Option<T>, Wrong> {
        match self.text()? {
            "none" => Ok(None),
            text => read(text).map(Some).map_err(|why| format!("{why}, or none")),
        }
    }

    /// The agent of this name, built in or described.
    fn agent(&self) -> Result<Agent, Wrong> {
        let name = self.text()?;
        agents::find(name, self.agents).ok_or_else(|| agents::unknown(name, self.agents))
    }

    /// The same, where `none` stands for nobody.
    fn agent_or_none(&self) -> Result<Option<Agent>, Wrong> {
        match self.text()? {
            "none" => Ok(None),
            name => match agents::find(name, self.agents) {
                Some(agent) => Ok(Some(agent)),
                None => Err(agents::unknown_backup(name, self.agents)),
            },
        }
    }
}

/// The tables, in the order of the documentation.
const PARTS: [&[Setting]; 13] = [
    GENERAL_AGENT,
    PROGRAMS,
    QUOTA,
    IDEA,
    QUESTIONS,
    VERIFY,
    PREFLIGHT,
    GENERAL_LIMITS,
    GENERAL,
    WATCH,
    BUDGET,
    WORKER,
    RETENTION,
];

/// Every setting outside `forge.hosts` and the sections that speak of some jobs, in the order of the documentation.
pub const SETTINGS: &[Setting] = &together::<{ count() }>();

const fn count() -> usize {
    let (mut part, mut sum) = (0, 0);
    while part < PARTS.len() {
        sum += PARTS[part].len();
        part += 1;
    }
    sum
}

const fn together<const ALL: usize>() -> [Setting; ALL] {
    let parts = PARTS;
    let mut all = [GENERAL[0]; ALL];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut within = 0;
        while within < parts[part].len() {
            all[at] = parts[part][within];
            at += 1;
            within += 1;
        }
        part += 1;
    }
    all
}

const VERIFY: &[Setting] = &[Setting {
    key: "verify.timeout",
    kind: "time",
    default: "30m",
    about: "longest run of one check",
    set: |config, input| assign(&mut config.check_timeout, values::span(input.text()?)?),
    get: |config| Some(values::show_span(config.check_timeout)),
}];

/// What belongs neither to an agent, nor to a worker, nor to clearing up.
const GENERAL: &[Setting] = &[
    Setting {
        key: "git.author",
        kind: "name and address",
        default: "the repository's own user",
        about: "author of the commits that the runner makes",
        set: |config, input| put(&mut config.author, values::author(input.text()?)?),
        get: |config| config.author.clone(),
    },
    Setting {
        key: "database.url",
        kind: "postgres://… or absolute path",
        default: "a SQLite file in the data directory",
        about: "where jobs are kept; several machines share one queue through PostgreSQL",
        set: |config, input| put(&mut config.database, values::database(input.text()?)?),
        get: |config| config.database.as_ref().map(ToString::to_string),
    },
    Setting {
        key: "forge.call_share",
        kind: "per cent, 1 to 100",
        default: "50",
        about: "how much of a forge's limit on calls may be used: the rest is kept for people",
        set: |config, input| {
            let share = input.text()?.trim_end_matches('%').trim().parse::<u8>().ok();
            let share = share.filter(|number| (1..=100).contains(number));
            assign(&mut config.forge_call_share, share.ok_or("expected a number from 1 to 100")?)
        },
        get: |config| Some(config.forge_call_share.to_string()),
    },
    Setting {
        key: "ui.color",
        kind: "auto, always or never",
        default: "auto",
        about: "when to colour the output",
        set: |config, input| assign(&mut config.color, color(input.text()?)?),
        get: |config| Some(color_word(config.color).to_owned()),
    },
];

/// Every setting below `forge.hosts.<host>`.
pub const HOST_SETTINGS: &[HostSetting] = &[
    HostSetting {
        key: "kind",
        kind: "github, gitea, forgejo or gitlab",
        about: "what speaks there",
        set: |host, input| put(&mut host.kind, forge_kind(input.text()?)?),
        get: |host| host.kind.map(|kind| kind_word(kind).to_owned()),
    },
    HostSetting {
        key: "api",
        kind: "URL",
        about: "the API, where it is not at the usual place",
        set: |host, input| put(&mut host.api, input.text()?.to_owned()),
        get: |host| host.api.clone(),
    },
    HostSetting {
        key: "token_env",
        kind: "name",
        about: "environment variable that holds the token",
        set: |host, input| put(&mut host.token_env, input.text()?.to_owned()),
        get: |host| host.token_env.clone(),
    },
    HostSetting {
        key: "token_file",
        kind: "absolute path",
        about: "file that holds the token",
        set: |host, input| put(&mut host.token_file, input.path()?),
        get: |host| host.token_file.as_ref().map(|path| path.display().to_string()),
    },
    HostSetting {
        key: "token_command",
        kind: "list: program and arguments",
        about: "program whose first line of output is the token; no shell",
        set: |host, input| assign(&mut host.token_command, input.argv()?),
        get: |host| shown_list(&host.token_command),
    },
    HostSetting {
        key: "app_id",
        kind: "text",
        about: "GitHub only: id or client id of an App that is spoken for instead of a token; its installation is found by the repository",
        set: |host, input| put(&mut host.app_id, input.text()?.to_owned()),
        get: |host| host.app_id.clone(),
    },
    HostSetting {
        key: "app_key_file",
        kind: "absolute path",
        about: "the App's private key in PEM; only its owner may be able to read it",
        set: |host, input| put(&mut host.app_key_file, input.path()?),
        get: |host| host.app_key_file.as_ref().map(|path| path.display().to_string()),
    },
    HostSetting {
        key: "webhook_secret_env",
        kind: "name",
        about: "environment variable that holds the secret of webhooks",
        set: |host, input| put(&mut host.webhook_secret_env, input.text()?.to_owned()),
        get: |host| host.webhook_secret_env.clone(),
    },
    HostSetting {
        key: "webhook_secret_file",
        kind: "absolute path",
        about: "file that holds the secret of webhooks",
        set: |host, input| put(&mut host.webhook_secret_file, input.path()?),
        get: |host| host.webhook_secret_file.as_ref().map(|path| path.display().to_string()),
    },
];

fn put<T>(place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    *place = Some(value);
    Ok(())
}

fn assign<T>(place: &mut T, value: T) -> Result<(), Wrong> {
    *place = value;
    Ok(())
}

fn or_none(value: Option<String>) -> String {
    value.unwrap_or_else(|| "none".to_owned())
}

fn shown_list(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| items.join(", "))
}

fn color(text: &str) -> Result<ColorChoice, Wrong> {
    let all = [ColorChoice::Auto, ColorChoice::Always, ColorChoice::Never];
    let found = all.into_iter().find(|choice| color_word(*choice) == text);
    found.ok_or_else(|| "expected auto, always or never".to_owned())
}

fn color_word(choice: ColorChoice) -> &'static str {
    match choice {
        ColorChoice::Auto => "auto",
        ColorChoice::Always => "always",
        ColorChoice::Never => "never",
    }
}

fn forge_kind(text: &str) -> Result<ForgeKind, Wrong> {
    match text {
        "github" => Ok(ForgeKind::GitHub),
        "gitea" | "forgejo" => Ok(ForgeKind::Gitea),
        "gitlab" => Ok(ForgeKind::GitLab),
        _ => Err("expected github, gitea, forgejo or gitlab".to_owned()),
    }
}

fn kind_word(kind: ForgeKind) -> &'static str {
    match kind {
        ForgeKind::GitHub => "github",
        ForgeKind::Gitea => "gitea",
        ForgeKind::GitLab => "gitlab",
    }
}
