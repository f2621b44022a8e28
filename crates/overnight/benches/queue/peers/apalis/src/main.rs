//! apalis on PostgreSQL and on SQLite: `bench-apalis MODE SCENARIO COUNT` with DATABASE_URL. Prints one line of JSON. The
//! scenarios are those of `measure.mjs`.
//!
//! Modes: `postgres-default` and `sqlite-default` are the first examples of the READMEs; `postgres-pubsub` and
//! `sqlite-hook` are their examples with wake-ups. `sqlite-hook` syncs every commit, because what is compared is durable;
//! the default switches that off on one of its connections.

mod scenario;

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use apalis::prelude::*;
use apalis_postgres::{Config as PgConfig, PostgresStorage};
use apalis_sqlite::{Config as SqliteConfig, SqliteStorage};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use tokio::sync::mpsc::UnboundedSender;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;
/// One message for each handler that starts.
pub(crate) type Starts = UnboundedSender<std::time::Instant>;

const QUEUE: &str = "noop";
const CONCURRENCY: usize = 10;

async fn noop(_: u32, starts: Data<Starts>) -> Result<(), BoxDynError> {
    starts.send(std::time::Instant::now())?;
    Ok(())
}

/// Starts a worker on a backend; the backends have no common type.
macro_rules! work {
    ($backend:expr, $starts:expr) => {
        tokio::spawn(async move {
            let worker = WorkerBuilder::new("bench").backend($backend).concurrency(CONCURRENCY);
            if let Err(error) = worker.data($starts).build(noop).run().await {
                eprintln!("worker: {error}");
            }
        })
    };
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, name, count] = arguments.as_slice() else { return Err("usage: MODE SCENARIO COUNT".into()) };
    let url = std::env::var("DATABASE_URL")?;
    let count = count.parse()?;
    let result = match mode.as_str() {
        "postgres-default" | "postgres-pubsub" => postgres(mode, name, count, &url).await?,
        "sqlite-default" | "sqlite-hook" => sqlite(mode, name, count, &url).await?,
        _ => return Err(format!("unknown mode {mode}").into()),
    };
    println!("{result}");
    // The worker's task would go on for ever.
    std::process::exit(0);
}

async fn postgres(mode: &str, name: &str, count: usize, url: &str) -> Result<serde_json::Value, Failure> {
    let pool = PgPoolOptions::new().max_connections(12).connect(url).await?;
    if name == "setup" {
        PostgresStorage::setup(&pool).await?;
        return Ok(serde_json::json!({}));
    }
    let storage = PostgresStorage::<u32>::new(&pool).with_config(PgConfig::default().queue(QUEUE));
    let starts = scenario::Handlers::new();
    if scenario::works(name) {
        let (backend, sender) = (storage.clone(), starts.sender());
        if mode == "postgres-pubsub" {
            let fallback = Strategy::new().interval(Duration::from_secs(5));
            work!(backend.with_pubsub().poll_with_strategy(fallback), sender);
        } else {
            work!(backend, sender);
        }
    }
    scenario::run(name, count, &storage, starts, async || left_postgres(&pool).await).await
}

async fn left_postgres(pool: &PgPool) -> Result<bool, Failure> {
    let text = "SELECT EXISTS (SELECT 1 FROM apalis.jobs WHERE status <> 'Done')";
    Ok(sqlx::query_scalar(text).fetch_one(pool).await?)
}

async fn sqlite(mode: &str, name: &str, count: usize, url: &str) -> Result<serde_json::Value, Failure> {
    let (pool, listener) = SqliteStorage::connect_with_callback(url)?;
    if mode == "sqlite-hook" {
        let options = SqliteConnectOptions::from_str(url)?.journal_mode(SqliteJournalMode::Wal);
        pool.set_connect_options(
            options.synchronous(SqliteSynchronous::Full).busy_timeout(Duration::from_secs(30)),
        );
        SqliteStorage::migrations().run(&pool).await?;
    } else {
        SqliteStorage::setup(&pool).await?;
    }
    if name == "setup" {
        return Ok(serde_json::json!({}));
    }
    let storage = SqliteStorage::<u32>::new(&pool).with_config(SqliteConfig::default().queue(QUEUE));
    let starts = scenario::Handlers::new();
    if scenario::works(name) {
        let (backend, sender) = (storage.clone(), starts.sender());
        if mode == "sqlite-hook" {
            let strategy = Strategy::new().stream(futures::StreamExt::ready_chunks(listener, CONCURRENCY));
            work!(backend.poll_with_strategy(strategy.interval(Duration::from_millis(500))), sender);
        } else {
            work!(backend, sender);
        }
    }
    scenario::run(name, count, &storage, starts, async || left_sqlite(&pool).await).await
}

async fn left_sqlite(pool: &SqlitePool) -> Result<bool, Failure> {
    let text = "SELECT EXISTS (SELECT 1 FROM Jobs WHERE status <> 'Done')";
    Ok(sqlx::query_scalar(text).fetch_one(pool).await?)
}
