//! What PostgreSQL itself can do on this machine: the bare statements that any queue must run, by `pgbench`, and the bare
//! way of a notification.

use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgListener};
use sqlx::{Connection, Executor};
use tokio::sync::mpsc::unbounded_channel;

use crate::machine::command;
use crate::program::{BATCH, Order, PINNED_PARTS, pick_up, pin, variable};

const SETUP: &str = "
    CREATE TABLE raw_jobs (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        priority BIGINT NOT NULL DEFAULT 0,
        state BIGINT NOT NULL DEFAULT 0,
        fence BIGINT NOT NULL DEFAULT 0,
        holder TEXT,
        payload TEXT NOT NULL
    ) WITH (fillfactor = 70);
    CREATE INDEX raw_ready ON raw_jobs (priority, id) WHERE state = 0;
";
const INSERT: &str = "INSERT INTO raw_jobs (payload) VALUES ('{}');\n";
const INSERT_BATCH: &str = "INSERT INTO raw_jobs (payload) SELECT '{}' FROM generate_series(1, 1000);\n";
const NOTIFY: &str = "SELECT pg_notify('raw', '');\n";
/// Two commits: between them a real job runs.
const CLAIM_AND_COMPLETE: &str = "\
    UPDATE raw_jobs SET state = 1, fence = fence + 1, holder = 'bench' WHERE id = (SELECT id FROM raw_jobs \
    WHERE state = 0 ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, fence \\gset\n\
    UPDATE raw_jobs SET state = 2, holder = NULL WHERE id = :id AND fence = :fence AND state = 1;\n";
/// A claim that finds nothing would end its client.
const SPARE: usize = 1_000;

pub(crate) async fn run(order: &Order, notify: bool) -> Value {
    let insert = |text: &str| {
        if notify { format!("BEGIN;\n{text}{NOTIFY}END;\n") } else { text.to_owned() }
    };
    match order.scenario.as_str() {
        "setup" => execute(order, SETUP).await,
        "load" => {
            let count = order.count + SPARE;
            let text =
                format!("INSERT INTO raw_jobs (payload) SELECT '{{}}' FROM generate_series(1, {count})");
            execute(order, &text).await
        }
        "enqueue-single" => pgbench(order, &insert(INSERT), 1, order.count, 1),
        "enqueue-ten" => pgbench(order, &insert(INSERT), 10, order.count / 10, 1),
        "enqueue-batch" => pgbench(order, &insert(INSERT_BATCH), 1, order.count / BATCH, BATCH),
        "drain" => pgbench(order, CLAIM_AND_COMPLETE, 10, order.count / 10, 1),
        "pickup" => notified(order).await,
        "pinned" => {
            let _pin = pin(&order.url).await;
            let part = order.count / PINNED_PARTS;
            let some = |parts: usize| pgbench(order, CLAIM_AND_COMPLETE, 10, part * parts / 10, 1);
            let (first, _, last) = (some(1), some(PINNED_PARTS - 2), some(1));
            json!({ "fade": [first["rate"], last["rate"]] })
        }
        other => panic!("unknown scenario {other}"),
    }
}

async fn execute(order: &Order, text: &str) -> Value {
    let mut connection = PgConnection::connect(&order.url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(text.to_owned())).await.unwrap();
    json!({})
}

/// So many transactions by each client, each of so many jobs.
fn pgbench(order: &Order, script: &str, clients: usize, transactions: usize, jobs: usize) -> Value {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let threads = clients.min(2).to_string();
    let mut pgbench = command(variable("PGBENCH").expect("PGBENCH"));
    pgbench.args([
        "--no-vacuum",
        "--protocol=prepared",
        "--client",
        &clients.to_string(),
        "--jobs",
        &threads,
    ]);
    pgbench.args(["--transactions", &transactions.to_string(), "--file"]).arg(file.path()).arg(&order.url);
    let output = pgbench.output().expect("pgbench");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let per_second =
        printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    json!({ "rate": per_second.expect("pgbench tells its rate") * jobs as f64 })
}

/// A transaction that inserts and notifies, to the moment at which a listening connection hears it.
async fn notified(order: &Order) -> Value {
    let mut listener = PgListener::connect(&order.url).await.unwrap();
    listener.listen("raw").await.unwrap();
    let (sender, mut starts) = unbounded_channel();
    tokio::spawn(async move {
        while listener.recv().await.is_ok() {
            if sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let mut connection = PgConnection::connect(&order.url).await.unwrap();
    pick_up(order.count, &mut starts, async || {
        let mut transaction = connection.begin().await.unwrap();
        for text in [INSERT, NOTIFY] {
            sqlx::query(text).execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    })
    .await
}
