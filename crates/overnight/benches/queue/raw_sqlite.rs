//! What SQLite itself can do on this machine, with every commit synced: the bare statements in a loop, by one connection,
//! because SQLite has one writer.

use std::str::FromStr;
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor};

use crate::program::{BATCH, Order, WARM_ENQUEUES, rate};

const SETUP: &str = "
    CREATE TABLE raw_jobs (
        id INTEGER PRIMARY KEY,
        priority INTEGER NOT NULL DEFAULT 0,
        state INTEGER NOT NULL DEFAULT 0,
        fence INTEGER NOT NULL DEFAULT 0,
        holder TEXT,
        payload TEXT NOT NULL
    ) STRICT;
    CREATE INDEX raw_ready ON raw_jobs (priority, id) WHERE state = 0;
";
const INSERT: &str = "INSERT INTO raw_jobs (payload) VALUES ('{}')";
const INSERT_MANY: &str = "INSERT INTO raw_jobs (payload) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL \
    SELECT i + 1 FROM n WHERE i < $1) SELECT '{}' FROM n";
const CLAIM: &str = "UPDATE raw_jobs SET state = 1, fence = fence + 1, holder = 'bench' WHERE id = (SELECT id \
    FROM raw_jobs WHERE state = 0 ORDER BY priority, id LIMIT 1) RETURNING id, fence";
const COMPLETE: &str =
    "UPDATE raw_jobs SET state = 2, holder = NULL WHERE id = $1 AND fence = $2 AND state = 1";

pub(crate) async fn run(order: &Order) -> Value {
    let options = SqliteConnectOptions::from_str(&order.url).unwrap();
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.unwrap();
    match order.scenario.as_str() {
        "setup" => {
            connection.execute(SETUP).await.unwrap();
            json!({})
        }
        "load" => {
            many(&mut connection, order.count).await;
            json!({})
        }
        "enqueue-single" => single(&mut connection, order.count).await,
        "enqueue-batch" => {
            let began = Instant::now();
            for _ in 0..order.count / BATCH {
                many(&mut connection, BATCH).await;
            }
            rate(order.count, began)
        }
        "drain" => drain(&mut connection, order.count).await,
        other => panic!("unknown scenario {other}"),
    }
}

async fn many(connection: &mut SqliteConnection, count: usize) {
    sqlx::query(INSERT_MANY).bind(count as i64).execute(connection).await.unwrap();
}

async fn single(connection: &mut SqliteConnection, count: usize) -> Value {
    for _ in 0..WARM_ENQUEUES {
        connection.execute(INSERT).await.unwrap();
    }
    let began = Instant::now();
    for _ in 0..count {
        sqlx::query(INSERT).execute(&mut *connection).await.unwrap();
    }
    rate(count, began)
}

async fn drain(connection: &mut SqliteConnection, count: usize) -> Value {
    let began = Instant::now();
    for _ in 0..count {
        let claimed: (i64, i64) = sqlx::query_as(CLAIM).fetch_one(&mut *connection).await.unwrap();
        let done =
            sqlx::query(COMPLETE).bind(claimed.0).bind(claimed.1).execute(&mut *connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    }
    rate(count, began)
}
