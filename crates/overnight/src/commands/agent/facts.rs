//! What can be known of an agent on this machine without asking its vendor: where it is, which version it is, and whether there
//! is a sign of a login.

use std::cmp::Ordering;
use std::path::PathBuf;

use overnight_agents::environment::login_variables;
use overnight_agents::{KnownGood, LoginPlace, Version, capabilities_of, known_good, login_places};
use overnight_core::agent::{Adapter, Agent, AgentSettings, BackendId, Billing, Capabilities};
use overnight_core::text::one_line;
use overnight_engine::{Host, program};
use serde::Serialize;

use crate::app::App;
use crate::ask;

/// One agent, as in `agent ls --json`.
#[derive(Debug, Clone, Serialize)]
pub struct AgentFacts {
    /// Its name.
    pub agent: String,
    pub backend: BackendId,
    /// What an adapter starts, by the name it was given.
    pub command: Option<String>,
    /// `null`: not installed.
    pub program: Option<PathBuf>,
    /// What the program says of itself; `null`: nothing.
    pub version: Option<String>,
    /// How that compares with the versions that Overnight was tested with.
    pub standing: Standing,
    pub tested_oldest: Option<String>,
    pub tested_newest: Option<String>,
    pub billing: Billing,
    pub login: Login,
    pub capabilities: Capabilities,
}

/// A version beside those that were tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Tested,
    Older,
    Newer,
    /// Not installed, or it does not tell its version.
    Unknown,
}

/// A sign of a login. Whether the vendor takes it is known only when it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "where")]
pub enum Login {
    /// A variable holds it.
    Variable(String),
    /// A file of the CLI's own is there.
    Stored(PathBuf),
    /// There is none of the usual signs; the CLI may have other ways, such as a keyring or a key in its configuration.
    Unknown,
}

impl AgentFacts {
    /// The versions that Overnight was tested with, in words.
    #[must_use]
    pub fn tested(&self) -> String {
        match (&self.tested_oldest, &self.tested_newest) {
            (Some(oldest), Some(newest)) if oldest == newest => oldest.clone(),
            (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
            (Some(_) | None, _) => "none".to_owned(),
        }
    }
}

/// The agents that can be on a machine or not: those of the vendors, and those that are described.
#[must_use]
pub fn known(app: &App) -> Vec<Agent> {
    let adapters = app.config().agent.adapters.values().cloned().map(Agent::from);
    BackendId::VENDORS.into_iter().map(Agent::from).chain(adapters).collect()
}

/// Looks at the agents, one after the other.
pub async fn all(app: &App, host: &Host, agents: &[Agent]) -> Vec<AgentFacts> {
    let mut facts = Vec::new();
    for agent in agents {
        facts.push(of(app, host, agent).await);
    }
    facts
}

/// Looks at one agent.
pub async fn of(app: &App, host: &Host, agent: &Agent) -> AgentFacts {
    let mut settings = agent.settings();
    settings.program = app.config().agent.program(agent.backend).cloned();
    of_settings(app, host, &settings).await
}

/// Looks at the agent that these settings would start.
pub async fn of_settings(app: &App, host: &Host, settings: &AgentSettings) -> AgentFacts {
    let agent = Agent::of(settings);
    let billing = app.config().billing(&agent);
    let program = program::find(settings, host);
    // What a described program does with a flag that was not described is not known.
    let asked = program.as_ref().filter(|_| agent.adapter.is_none());
    let version = match asked {
        Some(program) => ask::version(app, program).await.map(|text| one_line(&text, 60)),
        None => None,
    };
    let known = known_good(agent.backend);
    let variable = |name: &str| app.env.get(name).map(PathBuf::from);
    AgentFacts {
        agent: agent.name().to_owned(),
        backend: agent.backend,
        command: agent.adapter.as_ref().map(|adapter| adapter.argv.program().to_owned()),
        program,
        standing: standing(version.as_deref(), known),
        version,
        tested_oldest: known.map(|known| known.oldest.to_string()),
        tested_newest: known.map(|known| known.newest.to_string()),
        billing,
        login: match &agent.adapter {
            Some(adapter) => described_login(adapter, billing, variable),
            None => login(agent.backend, billing, variable, host),
        },
        capabilities: capabilities_of(settings),
    }
}

fn standing(version: Option<&str>, known: Option<KnownGood>) -> Standing {
    match version.and_then(Version::find).zip(known).map(|(version, known)| known.compare(version)) {
        Some(Ordering::Less) => Standing::Older,
        Some(Ordering::Equal) => Standing::Tested,
        Some(Ordering::Greater) => Standing::Newer,
        None => Standing::Unknown,
    }
}

/// Only the variables that were named can be known.
fn described_login(adapter: &Adapter, billing: Billing, variable: impl Fn(&str) -> Option<PathBuf>) -> Login {
    let names = match billing {
        Billing::Subscription => &adapter.login_env,
        Billing::Key => &adapter.env,
    };
    let set = names.iter().find(|name| variable(name).is_some());
    set.map_or(Login::Unknown, |name| Login::Variable(name.clone()))
}

/// A variable is stronger than a file, as it is for the CLIs. Where a key pays, the CLI's own login is not used.
fn login(
    agent: BackendId,
    billing: Billing,
    variable: impl Fn(&str) -> Option<PathBuf>,
    host: &Host,
) -> Login {
    if let Some(name) = login_variables(agent, billing).iter().find(|name| variable(name).is_some()) {
        return Login::Variable((*name).to_owned());
    }
    if billing == Billing::Key {
        return Login::Unknown;
    }
    let place = |LoginPlace { variable: name, within, at_home }: LoginPlace| match variable(name) {
        Some(directory) => Some(directory.join(within)),
        None => host.home.as_ref().map(|home| home.join(at_home)),
    };
    match login_places(agent).and_then(place).filter(|file| file.is_file()) {
        Some(file) => Login::Stored(file),
        None => Login::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn host(home: &std::path::Path) -> Host {
        Host {
            env: BTreeMap::new(),
            home: Some(home.to_owned()),
            root: false,
            secrets: Vec::new(),
            self_exe: "/bin/true".into(),
        }
    }

    #[test]
    fn a_login_is_a_variable_or_a_file_or_not_known() {
        let home = tempfile::tempdir().unwrap();
        let of = |billing, set: &'static [(&str, &str)]| {
            let variable =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            login(BackendId::Codex, billing, variable, &host(home.path()))
        };
        assert_eq!(of(Billing::Subscription, &[]), Login::Unknown);
        assert_eq!(of(Billing::Subscription, &[("CODEX_API_KEY", "k")]), Login::Unknown);
        assert_eq!(of(Billing::Key, &[("CODEX_API_KEY", "k")]), Login::Variable("CODEX_API_KEY".to_owned()));
        let file = home.path().join(".codex/auth.json");
        std::fs::create_dir(home.path().join(".codex")).unwrap();
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(of(Billing::Subscription, &[]), Login::Stored(file));
        assert_eq!(of(Billing::Subscription, &[("CODEX_HOME", "/elsewhere")]), Login::Unknown);
        assert_eq!(of(Billing::Key, &[]), Login::Unknown, "a stored login does not pay by key");
    }

    #[test]
    fn a_version_stands_beside_the_tested_ones() {
        let known = known_good(BackendId::Codex);
        assert_eq!(standing(Some("codex-cli 0.1.0"), known), Standing::Older);
        assert_eq!(standing(Some("codex-cli 99.0.0"), known), Standing::Newer);
        assert_eq!(standing(Some("what?"), known), Standing::Unknown);
        assert_eq!(standing(None, known), Standing::Unknown);
    }
}
