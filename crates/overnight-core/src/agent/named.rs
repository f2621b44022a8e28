//! Which agent: a backend, and for those that take one the description that they work by.

use super::{Adapter, AgentSettings, BackendId};

/// An agent: a backend, with the description that it needs where it is not built in. Two agents are the same only where their
/// descriptions are, whatever they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub backend: BackendId,
    pub adapter: Option<Box<Adapter>>,
}

impl From<BackendId> for Agent {
    fn from(backend: BackendId) -> Self {
        Self { backend, adapter: None }
    }
}

impl From<Adapter> for Agent {
    fn from(adapter: Adapter) -> Self {
        Self { backend: adapter.backend(), adapter: Some(Box::new(adapter)) }
    }
}

impl Agent {
    /// The one that these settings are of.
    #[must_use]
    pub fn of(settings: &AgentSettings) -> Self {
        Self { backend: settings.backend, adapter: settings.adapter.clone() }
    }

    /// Its settings with nothing chosen.
    #[must_use]
    pub fn settings(&self) -> AgentSettings {
        AgentSettings { adapter: self.adapter.clone(), ..AgentSettings::new(self.backend) }
    }

    /// Its name for people, and of its section in a configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        self.adapter.as_ref().map_or(self.backend.as_str(), |adapter| adapter.name.as_str())
    }

    /// Whether these are settings of this agent.
    #[must_use]
    pub fn is_of(&self, settings: &AgentSettings) -> bool {
        self.backend == settings.backend && self.adapter == settings.adapter
    }
}
