//! SIGHUP: reads the configuration again and hands on what can change while a worker runs. A configuration that cannot be
//! used changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use overnight_engine::Host;
use overnight_engine::dispatch::DispatchSettings;
use tokio::sync::watch;

use super::settings;
use crate::app::App;
use crate::choose::Adviser;
use crate::cli::Global;
use crate::cli::work_args::OfferArgs;
use crate::config::settings::SETTINGS;
use crate::config::{Config, Environment, load};
use crate::error::AppError;

/// What a running worker takes over at once. Everything else holds from its next start on.
const AT_ONCE: [&str; 13] = [
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

/// The same for whole sections: jobs that are claimed from now on get them.
const SECTIONS_AT_ONCE: [&str; 4] = ["agent.", "limits.", "kind.", "repository."];

/// What a worker makes no use of: it is part of an order when it is queued.
const NOT_A_WORKERS: [&str; 6] = ["verify.", "task.", "limits.attempt_", "limits.sessions", "git.", "ui."];

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
    adviser: Arc<Adviser>,
}

impl Reloader {
    pub(super) fn new(
        app: &App,
        global: &Global,
        flags: &OfferArgs,
        settings: watch::Sender<DispatchSettings>,
        adviser: Arc<Adviser>,
    ) -> Self {
        let (env, config) = (app.env.clone(), app.config().clone());
        Self { global: global.clone(), env, flags: flags.clone(), config, settings, adviser }
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
        self.adviser.renew(&config, host);
        self.config = config;
        Ok(changes)
    }
}

fn changes(old: &Config, new: &Config) -> Changes {
    let plain = SETTINGS.iter().filter(|setting| (setting.get)(old) != (setting.get)(new));
    let of_sections = |config: &Config| config.of_sections().collect::<BTreeSet<_>>();
    let (before, after) = (of_sections(old), of_sections(new));
    let of_sections: BTreeSet<String> =
        before.symmetric_difference(&after).map(|(key, _)| key.clone()).collect();
    let mut changes = Changes::default();
    for key in plain.map(|setting| setting.key.to_owned()).chain(of_sections) {
        let begins = |sections: &[&str]| sections.iter().any(|section| key.starts_with(section));
        if begins(&NOT_A_WORKERS) {
            continue;
        }
        if AT_ONCE.contains(&key.as_str()) || begins(&SECTIONS_AT_ONCE) {
            changes.at_once.push(key);
        } else {
            changes.at_next_start.push(key);
        }
    }
    if old.accounts != new.accounts {
        changes.at_next_start.push("agent.accounts".to_owned());
    }
    if old.agent.adapters != new.agent.adapters {
        changes.at_once.push("agent.adapters".to_owned());
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
        let only = overnight_core::agent::AccountId::only(overnight_core::agent::BackendId::Claude);
        new.accounts.push(overnight_core::agent::Account::new(only));
        new.budget.job.sessions = Some(3);
        new.worker.slots = Some(4);
        new.worker.lease = Duration::from_secs(90);
        new.layers.general.limits.attempts = Some(9);
        new.layers.repositories.entry("app".to_owned()).or_default().model = Some("m".to_owned());
        new.color = crate::cli::args::ColorChoice::Never;
        new.hosts.insert("git.example.org".to_owned(), crate::config::HostConfig::default());
        let adapter = *crate::agents::of_command("x").unwrap().adapter.unwrap();
        new.agent.adapters.insert(adapter.name.clone(), adapter);
        let found = changes(&old, &new);
        let at_once = ["limits.attempts", "worker.slots", "repository.app.model", "agent.adapters"];
        assert_eq!(found.at_once, at_once);
        assert_eq!(found.at_next_start, ["worker.lease", "agent.accounts", "forge.hosts"]);
    }

    #[test]
    fn the_names_are_those_of_settings() {
        for key in AT_ONCE {
            assert!(crate::config::settings::Setting::find(key).is_some(), "{key}");
        }
    }
}
