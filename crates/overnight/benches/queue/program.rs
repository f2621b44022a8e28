//! This program as a contestant: `--as NAME SCENARIO COUNT` with DATABASE_URL, one line of JSON, as every contestant.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{ours, raw_postgres, raw_sqlite};

/// Below this many pick-ups a contestant is so slow that warming it up makes no difference and takes minutes.
const FEW: usize = 50;
const WARM: usize = 5;
/// Acknowledged before the clock of an enqueue starts: connections and prepared statements are there in a service too.
pub(crate) const WARM_ENQUEUES: usize = 20;
/// Jobs of one transaction.
pub(crate) const BATCH: usize = 1_000;

/// What the program was told.
pub(crate) struct Order {
    pub(crate) scenario: String,
    pub(crate) count: usize,
    pub(crate) url: String,
}

pub(crate) fn main(arguments: &[String]) {
    let [name, scenario, count] = arguments else { panic!("usage: --as NAME SCENARIO COUNT") };
    let order = Order {
        scenario: scenario.clone(),
        count: count.parse().unwrap(),
        url: variable("DATABASE_URL").expect("DATABASE_URL"),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = runtime.block_on(async {
        match name.as_str() {
            "raw-postgres" => raw_postgres::run(&order, false).await,
            "raw-notify" => raw_postgres::run(&order, true).await,
            "raw-sqlite" => raw_sqlite::run(&order).await,
            "overnight" => ours::run(&order).await,
            other => panic!("unknown contestant {other}"),
        }
    });
    println!("{told}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a contestant of a bench is told its database by the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The first and the last of so many equal parts of a drain are timed under a pinned horizon.
pub(crate) const PINNED_PARTS: usize = 10;

/// A session that has seen the database as it is now: as long as it is there, no row that is replaced can be removed.
pub(crate) async fn pin(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    connection.execute("SELECT COUNT(*) FROM pg_class").await.unwrap();
    connection
}

pub(crate) fn rate(count: usize, began: Instant) -> Value {
    json!({ "rate": count as f64 / began.elapsed().as_secs_f64() })
}

/// Enqueues one job after the other, each some time after the one before was picked up, and gives the milliseconds from
/// the call to the start that `starts` tells of.
pub(crate) async fn pick_up(
    count: usize,
    starts: &mut UnboundedReceiver<Instant>,
    mut enqueue: impl AsyncFnMut(),
) -> Value {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let warm = if count < FEW { 0 } else { WARM };
    let mut ms = Vec::new();
    for index in 0..count + warm {
        tokio::time::sleep(spacing(index)).await;
        let began = Instant::now();
        enqueue().await;
        let started = starts.recv().await.expect("the worker goes on");
        ms.push(started.duration_since(began).as_secs_f64() * 1e3);
    }
    json!({ "ms": ms.split_off(warm) })
}

/// 5 to 25 ms, never twice the same, and the same for every contestant: nobody's polls can fall in step with it.
fn spacing(index: usize) -> Duration {
    Duration::from_secs_f64((5.0 + 20.0 * (index as f64 * 0.618_033_988_7).fract()) / 1e3)
}
