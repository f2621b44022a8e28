//! What the tests of copying share: a database of each engine, and rows of every kind to be carried over.

mod backups;
mod damage;
mod killed;
mod refusals;
mod schema;
mod seed;
mod whole;

use std::path::PathBuf;

use overnight_testkit::postgres::Postgres;

use super::{CopyError, CopyProgress, CopyReport, CopyStep, TableSum, copy, sums};
use crate::database::Database;
use crate::dialect::Engine;
use crate::sql::sql;
use crate::store::Store;

/// Databases of one test.
struct Places {
    dir: tempfile::TempDir,
    postgres: &'static Postgres,
}

impl Places {
    /// `None`, said on standard output, where there is no PostgreSQL.
    fn new(test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        match Postgres::shared() {
            Ok(postgres) => Some(Self { dir, postgres }),
            Err(reason) => {
                println!("skipped: {test}: {reason}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn database(&self, engine: Engine, name: &str) -> Database {
        match engine {
            Engine::Sqlite => Database::Sqlite(self.path(name)),
            Engine::Postgres => Database::parse(&self.postgres.database()).unwrap(),
        }
    }

    async fn store(&self, engine: Engine, name: &str) -> Store {
        Store::connect(&self.database(engine, name)).await.unwrap()
    }
}

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const BOTH_WAYS: [(Engine, Engine); 2] =
    [(Engine::Sqlite, Engine::Postgres), (Engine::Postgres, Engine::Sqlite)];

fn quietly() -> impl FnMut(CopyProgress) + Send {
    |_| {}
}

async fn copied(from: &Store, to: &Store) -> Result<CopyReport, CopyError> {
    copy(from, to, false, &mut quietly()).await
}

async fn sums_of(store: &Store) -> Vec<TableSum> {
    sums(store, CopyStep::Comparing, &mut quietly()).await.unwrap()
}

/// The one number that a query gives.
async fn number(store: &Store, text: &str) -> i64 {
    store
        .one("ask in a test", sql(format!("SELECT CAST(({text}) AS BIGINT) AS n")))
        .await
        .unwrap()
        .number("n")
        .unwrap()
}

async fn change(store: &Store, text: &str) -> u64 {
    store.run("change something in a test", sql(text)).await.unwrap()
}

/// Every table is empty.
async fn is_empty(store: &Store) -> bool {
    sums_of(store).await.iter().all(|table| table.rows == 0)
}
