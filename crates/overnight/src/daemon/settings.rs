//! How a worker works, from configuration and flags.

use std::num::NonZero;

use overnight_core::agent::{AgentSettings, BackendId};
use overnight_engine::dispatch::DispatchSettings;
use overnight_engine::{Host, program};
use overnight_store::Offer;

use crate::cli::work_args::OfferArgs;
use crate::config::Config;

/// Flags, else configuration, else what the machine suggests.
#[must_use]
pub fn of(config: &Config, flags: &OfferArgs, host: &Host) -> DispatchSettings {
    let worker = &config.worker;
    let slots = flags.slots.or(worker.slots).unwrap_or_else(suggested_slots);
    let labels = if flags.offer.is_empty() { &worker.offer } else { &flags.offer };
    DispatchSettings {
        slots: usize::try_from(slots).unwrap_or(usize::MAX),
        offer: Offer::of(backends(config, &flags.backend, host), labels.clone()),
        poll: worker.poll,
        sweep: worker.sweep,
        most_losses: worker.most_losses,
        move_after: worker.move_after,
        disk_floor: worker.disk_floor,
        health: worker.health,
        watch: config.watch,
    }
}

/// An agent waits for its vendor most of the time; checks want processors. Half of them, as far as this process may use
/// them, from 2 to 8.
#[must_use]
pub fn suggested_slots() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(processors / 2).unwrap_or(u32::MAX).clamp(2, 8)
}

/// Those that were named, else those whose program is there.
fn backends(config: &Config, named: &[BackendId], host: &Host) -> Vec<BackendId> {
    if !named.is_empty() {
        let mut named = named.to_vec();
        named.dedup();
        return named;
    }
    let installed = |backend: &BackendId| {
        let mut settings = AgentSettings::new(*backend);
        settings.program = config.agent.program(*backend).cloned();
        program::find(&settings, host).is_some()
    };
    BackendId::ALL.into_iter().filter(installed).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn host(path: &str) -> Host {
        let env = BTreeMap::from([("PATH".into(), path.into())]);
        Host { env, home: None, root: false, secrets: Vec::new(), self_exe: "/bin/true".into() }
    }

    #[test]
    fn flags_are_stronger_than_the_configuration() {
        let mut config = Config::default();
        let plain = of(&config, &OfferArgs::default(), &host("/nowhere"));
        assert!((2..=8).contains(&plain.slots));
        assert_eq!(
            plain.offer.backends,
            [BackendId::Acp, BackendId::Adapter, BackendId::Command, BackendId::Rehearsal]
        );
        config.worker.slots = Some(5);
        config.worker.offer = vec![crate::cli::values::label("gpu").unwrap()];
        assert_eq!(of(&config, &OfferArgs::default(), &host("/nowhere")).slots, 5);
        let flags = OfferArgs {
            slots: Some(0),
            backend: vec![BackendId::Claude],
            offer: vec![crate::cli::values::label("big").unwrap()],
            ..OfferArgs::default()
        };
        let settings = of(&config, &flags, &host("/nowhere"));
        assert_eq!((settings.slots, settings.offer.backends.as_slice()), (0, [BackendId::Claude].as_slice()));
        assert_eq!(settings.offer.labels, flags.offer);
    }

    #[test]
    fn a_vendor_is_offered_where_its_program_is() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("claude");
        std::fs::write(&program, "").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let host = host(dir.path().to_str().unwrap());
        let offered = of(&Config::default(), &OfferArgs::default(), &host).offer.backends;
        assert!(offered.contains(&BackendId::Claude));
    }
}
