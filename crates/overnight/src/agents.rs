//! The agents that can be named: those that are built in, and those that the configuration describes.

use overnight_core::agent::adapter::{AdapterName, Argv, Protocol};
use overnight_core::agent::{Adapter, Agent, BackendId};
use overnight_core::text::{nearest, one_line};

use crate::cli::words;
use crate::config::AgentConfig;
use crate::error::AppError;

/// The built-in agents that have a name of their own; an adapter has its own name.
pub fn built_in() -> impl Iterator<Item = BackendId> {
    BackendId::ALL.into_iter().filter(|backend| *backend != BackendId::Adapter)
}

/// The names that can be given.
pub fn names(config: &AgentConfig) -> impl Iterator<Item = &str> {
    let built_in: Vec<&str> = built_in().map(BackendId::as_str).collect();
    built_in.into_iter().chain(config.adapters.keys().map(AdapterName::as_str))
}

/// The agent of this name.
#[must_use]
pub fn find(name: &str, config: &AgentConfig) -> Option<Agent> {
    let described = || config.adapters.values().find(|adapter| adapter.name.as_str() == name);
    let backend = built_in().find(|backend| backend.as_str() == name).map(Agent::from);
    backend.or_else(|| described().cloned().map(Agent::from))
}

/// Why there is no agent of this name, as one sentence.
#[must_use]
pub fn unknown(name: &str, config: &AgentConfig) -> String {
    expected("one of", name, config)
}

/// The same where `none` stands for nobody.
#[must_use]
pub fn unknown_backup(name: &str, config: &AgentConfig) -> String {
    expected("none or one of", name, config)
}

fn expected(some: &str, name: &str, config: &AgentConfig) -> String {
    let near = nearest(name, names(config)).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let known: Vec<&str> = names(config).collect();
    format!("there is no agent {:?}: expected {some} {}{near}", one_line(name, 60), known.join(", "))
}

/// The agent that a person named.
///
/// # Errors
/// When there is none of this name.
pub fn named(name: &str, config: &AgentConfig) -> Result<Agent, AppError> {
    find(name, config).ok_or_else(|| {
        AppError::usage(unknown(name, config)).help(
            "an agent that is not built in is described in [agent.adapters.NAME]: overnight help config",
        )
    })
}

/// An agent that speaks the Agent Client Protocol, by its command line.
///
/// # Errors
/// When the command line cannot be split into words.
pub fn of_command(command: &str) -> Result<Agent, AppError> {
    let unusable = |why: &dyn std::fmt::Display| {
        AppError::usage(format!("--acp {command:?} cannot be used: {why}"))
            .help("it is split into words as a shell does; for pipes and variables: --acp \"sh -c '…'\"")
    };
    let words = words::split(command).map_err(|why| unusable(&why))?;
    let argv = Argv::literal(&words).map_err(|why| unusable(&why))?;
    let name = AdapterName::of_program(argv.program());
    Ok(Adapter { name, argv, env: Vec::new(), login_env: Vec::new(), protocol: Protocol::Acp }.into())
}

#[cfg(test)]
mod tests {
    use overnight_core::agent::AgentSettings;

    use super::*;
    use crate::config::Config;

    #[test]
    fn an_agent_is_found_by_its_name() {
        let mut config = Config::default().agent;
        let adapter = of_command("gemini --acp").unwrap().adapter.unwrap();
        assert_eq!((adapter.name.as_str(), adapter.argv.program()), ("acp-gemini", "gemini"));
        config.adapters.insert(adapter.name.clone(), *adapter);
        assert_eq!(named("claude", &config).unwrap(), BackendId::Claude.into());
        let found = named("acp-gemini", &config).unwrap();
        assert_eq!((found.backend, found.name()), (BackendId::Acp, "acp-gemini"));
        assert!(found.is_of(&found.settings()) && !found.is_of(&AgentSettings::new(BackendId::Acp)));
        let error = named("acp-gemni", &config).unwrap_err().render();
        assert!(error.contains("claude, codex") && error.contains("did you mean acp-gemini?"), "{error}");
        assert!(named("adapter", &config).is_err(), "an adapter has a name of its own");
        assert!(of_command("'").is_err() && of_command(" ").is_err());
    }
}
