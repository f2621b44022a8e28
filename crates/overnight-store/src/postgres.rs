//! Opening a PostgreSQL database: its connections, its schema, and precise refusals.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use crate::database::Database;
use crate::error::OpenError;
use crate::migrate::{SCHEMA_VERSION, Schema, migrate_postgres};
use crate::sql::Pool;
use crate::store::Store;

/// Connections of one process. The server has a hundred by default, and many machines may share it.
const CONNECTIONS: u32 = 8;
/// How long a task waits for a free connection, or for the server to accept one: a restart of the server is ridden out.
pub(crate) const TURN: Duration = Duration::from_secs(30);
/// How long a connection is trusted that nobody uses.
const IDLE: Duration = Duration::from_secs(1);
/// A stopped process must not keep its row locks for ever, nor may anybody wait for ever on one. Every statement of ours finds
/// rows by an index: what a server knows of a queue's sizes is always old, and with old figures a join of five jobs is planned as
/// a walk over all of them. So the plan does not depend on the values either, and is made once.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '20s'; \
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET jit = off; \
    SET plan_cache_mode = force_generic_plan";

impl Store {
    /// Opens it; `turn`: how long a task waits for a free connection, or for the server to accept one, now and later.
    pub(crate) async fn open_postgres(
        database: Database,
        url: &str,
        turn: Duration,
    ) -> Result<Self, OpenError> {
        let name = |source| OpenError::Server { database: database.to_string(), source };
        let options: PgConnectOptions = url.parse().map_err(name)?;
        let options = options.application_name("overnight");
        let mut connection = first_connection(&options, turn).await.map_err(name)?;
        let found = migrate_postgres(&mut connection).await.map_err(name)?;
        // A goodbye that is not heard changes nothing.
        let _ = connection.close().await;
        let place = database.to_string();
        match found {
            Schema::Version(found) if found > SCHEMA_VERSION => {
                Err(OpenError::Newer { place, found, supported: SCHEMA_VERSION })
            }
            Schema::Foreign => Err(OpenError::Foreign { place }),
            Schema::Empty | Schema::Version(_) => {
                let pool = Pool::Postgres(pool(options, CONNECTIONS, turn));
                Ok(Self::new(database, Some(pool.clone()), pool))
            }
        }
    }

    /// A store on the same database whose connection belongs to the runtime that first uses it, so that it goes on working
    /// when all other connections and tasks of this process are busy.
    #[must_use]
    pub fn separate(&self) -> Self {
        let Database::Postgres(url) = self.database() else { return self.clone() };
        let Ok(options) = url.parse::<PgConnectOptions>() else { return self.clone() };
        let pool = Pool::Postgres(pool(options.application_name("overnight heartbeat"), 1, TURN));
        Self::new(self.database().clone(), Some(pool.clone()), pool)
    }
}

/// A server that takes a connection and says nothing must not hold anybody up for ever.
async fn first_connection(options: &PgConnectOptions, turn: Duration) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(turn, PgConnection::connect_with(options)).await {
        Ok(connected) => connected,
        Err(_) => {
            let silent = format!("the server has not answered for {} s", turn.as_secs());
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, silent)))
        }
    }
}

fn pool(options: PgConnectOptions, size: u32, turn: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .acquire_timeout(turn)
        // A round trip before every use would cost more than the rare retry after a lost connection. One that lay idle may
        // have been lost long ago.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for >= IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options)
}
