//! Who takes part, with which settings.

use crate::install::Peer;
use crate::scenario::{Scenario, Sizes, USUAL};

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Another queue's, with its mode.
    Peer(Peer, &'static str),
    /// This program, as one of `program::main`'s.
    Own(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Sqlite,
}

#[derive(Debug)]
pub(crate) struct Contestant {
    pub(crate) engine: Engine,
    tool: &'static str,
    pub(crate) setting: &'static str,
    pub(crate) program: Program,
    /// Scenarios that are not for it.
    without: &'static [Scenario],
    /// Sizes for scenarios in which it mostly waits for its next poll. These are measured in the first round only.
    slow: &'static [(Scenario, usize)],
    /// Scenarios beyond the usual ones that it takes part in.
    also: &'static [Scenario],
}

impl Contestant {
    /// What the figures stand under: unique.
    pub(crate) fn name(&self) -> String {
        if self.setting.is_empty() {
            self.tool.to_owned()
        } else {
            format!("{}, {}", self.tool, self.setting)
        }
    }

    pub(crate) fn takes_part(&self, scenario: Scenario) -> bool {
        let usual = USUAL.contains(&scenario) && !self.without.contains(&scenario);
        usual || self.also.contains(&scenario)
    }

    pub(crate) fn is_slow(&self, scenario: Scenario) -> bool {
        self.slow.iter().any(|(slow, _)| *slow == scenario)
    }

    pub(crate) fn size(&self, scenario: Scenario, sizes: &Sizes) -> usize {
        let usual = sizes.of(scenario);
        self.slow.iter().find(|(slow, _)| *slow == scenario).map_or(usual, |(_, size)| usual.min(*size))
    }
}

/// Names that the aims refer to.
pub(crate) const RAW_POSTGRES: &str = "raw limit of PostgreSQL";
pub(crate) const RAW_NOTIFY: &str = "raw limit of PostgreSQL, insert with NOTIFY";
pub(crate) const RAW_SQLITE: &str = "raw limit of SQLite";
pub(crate) const OURS_POSTGRES: &str = "Overnight on PostgreSQL";
pub(crate) const OURS_SQLITE: &str = "Overnight on SQLite";
pub(crate) const GRAPHILE_DEFAULT: &str = "graphile-worker, default";

const fn peer(
    engine: Engine,
    tool: &'static str,
    setting: &'static str,
    peer: Peer,
    mode: &'static str,
) -> Contestant {
    Contestant {
        engine,
        tool,
        setting,
        program: Program::Peer(peer, mode),
        without: &[],
        slow: &[],
        also: &[],
    }
}

const fn own(engine: Engine, tool: &'static str, setting: &'static str, name: &'static str) -> Contestant {
    Contestant { engine, tool, setting, program: Program::Own(name), without: &[], slow: &[], also: &[] }
}

/// Everybody, in the order of the table.
pub(crate) fn all() -> Vec<Contestant> {
    use Engine::{Postgres, Sqlite};
    use Scenario::{Behind, Drain, EnqueueTen, PickUp, Pinned};
    let mut all = vec![
        Contestant { without: &[PickUp], also: &[Pinned], ..own(Postgres, RAW_POSTGRES, "", "raw-postgres") },
        Contestant { without: &[Drain], ..own(Postgres, RAW_POSTGRES, "insert with NOTIFY", "raw-notify") },
        Contestant { also: &[Behind, Pinned], ..own(Postgres, OURS_POSTGRES, "", "overnight") },
    ];
    all.extend(peers());
    all.extend([
        Contestant { without: &[EnqueueTen, PickUp], ..own(Sqlite, RAW_SQLITE, "", "raw-sqlite") },
        Contestant { also: &[Behind], ..own(Sqlite, OURS_SQLITE, "", "overnight") },
        Contestant {
            slow: &[(PickUp, 2)],
            ..peer(Sqlite, "apalis-sqlite", "default (less durable)", Peer::Apalis, "sqlite-default")
        },
        peer(Sqlite, "apalis-sqlite", "update hook, every commit synced", Peer::Apalis, "sqlite-hook"),
    ]);
    all
}

fn peers() -> [Contestant; 7] {
    use Engine::Postgres;
    use Scenario::{Drain, PickUp};
    [
        peer(Postgres, "graphile-worker", "default", Peer::GraphileWorker, "default"),
        peer(
            Postgres,
            "graphile-worker",
            "localQueue 500, batched completion",
            Peer::GraphileWorker,
            "local-queue",
        ),
        Contestant {
            slow: &[(Drain, 60), (PickUp, 10)],
            ..peer(Postgres, "pg-boss", "default", Peer::PgBoss, "default")
        },
        peer(Postgres, "pg-boss", "batches of 10, burst, notify", Peer::PgBoss, "notify"),
        peer(Postgres, "procrastinate", "default", Peer::Procrastinate, "default"),
        Contestant {
            slow: &[(PickUp, 2)],
            ..peer(Postgres, "apalis-postgres", "default", Peer::Apalis, "postgres-default")
        },
        peer(Postgres, "apalis-postgres", "pubsub", Peer::Apalis, "postgres-pubsub"),
    ]
}
