//! SIGHUP: reads the configuration again and hands on what can change while a worker runs. A configuration that cannot be
//! used changes nothing.

use overnight_engine::Host;
use overnight_engine::dispatch::DispatchSettings;
use tokio::sync::watch;

use super::settings;
use crate::app::App;
use crate::cli::Global;
use crate::cli::work_args::OfferArgs;
use crate::config::settings::SETTINGS;
use crate::config::{Config, Environment, load};
use crate::error::AppError;

/// What a running worker takes over at once. Everything else holds from its next start on.
const AT_ONCE: [&str; 18] = [
    "agent.program.claude",
    "agent.program.codex",
    "agent.program.gemini",
    "agent.program.qwen",
    "agent.program.opencode",
    "worker.slots",
    "worker.offer",
    "worker.poll",
    "worker.sweep",
    "worker.most_losses",
    "worker.move_after",
    "worker.disk_floor",
    "worker.drain_timeout",
    "worker.backoff_start",
    "worker.backoff_max",
    "worker.unhealthy_after",
    "worker.probe",
    "worker.login_probe",
];

/// What a worker makes no use of: orders are complete when they are queued.
const NOT_A_WORKERS: [&str; 6] = ["agent.", "verify.", "limits.", "task.", "git.", "ui."];

/// Keys that have another value than before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) at_once: Vec<String>,
    pub(super) at_next_start: Vec<String>,
}

pub(super) struct Reloader {
    global: Global,
    env: Environment,
    flags: OfferArgs,
    config: Config,
    settings: watch::Sender<DispatchSettings>,
}

impl Reloader {
    pub(super) fn new(
        app: &App,
        global: &Global,
        flags: &OfferArgs,
        settings: watch::Sender<DispatchSettings>,
    ) -> Self {
        let (env, config) = (app.env.clone(), app.config().clone());
        Self { global: global.clone(), env, flags: flags.clone(), config, settings }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// # Errors
    /// What is wrong with the configuration; the old one stays.
    pub(super) fn reload(&mut self, host: &Host) -> Result<Changes, AppError> {
        let config = load(&self.global, &self.env)?.config;
        let changes = changes(&self.config, &config);
        self.settings.send_replace(settings::of(&config, &self.flags, host));
        self.config = config;
        Ok(changes)
    }
}

fn changes(old: &Config, new: &Config) -> Changes {
    let mut changes = Changes::default();
    for setting in SETTINGS.iter().filter(|setting| (setting.get)(old) != (setting.get)(new)) {
        let key = setting.key.to_owned();
        if AT_ONCE.contains(&setting.key) {
            changes.at_once.push(key);
        } else if !NOT_A_WORKERS.iter().any(|section| key.starts_with(section)) {
            changes.at_next_start.push(key);
        }
    }
    if old.hosts != new.hosts {
        changes.at_next_start.push("forge.hosts".to_owned());
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_changed_is_named_with_when_it_holds() {
        let old = Config::default();
        let mut new = Config::default();
        assert_eq!(changes(&old, &new), Changes::default());
        new.worker.slots = Some(4);
        new.worker.lease = Duration::from_secs(90);
        new.limits.attempts = 9;
        new.hosts.insert("git.example.org".to_owned(), crate::config::HostConfig::default());
        let found = changes(&old, &new);
        assert_eq!(found.at_once, ["worker.slots"]);
        assert_eq!(found.at_next_start, ["worker.lease", "forge.hosts"]);
    }

    #[test]
    fn the_names_are_those_of_settings() {
        for key in AT_ONCE {
            assert!(crate::config::settings::Setting::find(key).is_some(), "{key}");
        }
    }
}
