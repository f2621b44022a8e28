//! Hearing of other processes' commits: a hint that makes picking up work fast, never the truth.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::sql::sql;
use crate::store::Store;

/// The channel of PostgreSQL's notifications. They carry nothing: who hears one looks.
const CHANNEL: &str = "overnight";
pub(crate) const NOTIFY: &str = "SELECT pg_notify('overnight', '')";

/// How often a SQLite file is asked whether another process has written to it. The question takes three microseconds.
const ASK: Duration = Duration::from_millis(20);
/// How long after a lost connection the next try to listen comes.
const AGAIN: Duration = Duration::from_secs(2);

/// A running wait for other processes' commits. Ends when it is dropped.
#[derive(Debug)]
pub struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Store {
    /// Lets [`Store::subscribe`] count other processes' commits too, as far as they can be heard of. What is missed while a
    /// connection is lost is made up for by one wake when it is back.
    #[must_use]
    pub fn listen(&self) -> Listening {
        let woken = self.waker();
        Listening(match self.database() {
            Database::Sqlite(_) => tokio::spawn(ask(self.clone(), woken)),
            Database::Postgres(url) => tokio::spawn(hear(url.clone(), woken)),
        })
    }
}

fn wake(woken: &watch::Sender<u64>) {
    woken.send_modify(|count| *count = count.wrapping_add(1));
}

async fn hear(url: String, woken: watch::Sender<u64>) {
    loop {
        if let Err(error) = hear_once(&url, &woken).await {
            tracing::warn!(%error, "notifications of the database are not heard; polling goes on");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear_once(url: &str, woken: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    // Whatever was committed before this moment was not heard.
    wake(woken);
    loop {
        // `None` after a lost connection: it listens again, and something may have been missed.
        listener.try_recv().await?;
        // Many at once are one.
        while listener.next_buffered().is_some() {}
        wake(woken);
    }
}

async fn ask(store: Store, woken: watch::Sender<u64>) {
    let mut ticks = tokio::time::interval(ASK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        ticks.tick().await;
        // The version that a connection sees changes with others' commits and not with its own. So it is asked on the writing
        // connection: this process's own commits wake by themselves.
        let Ok(writer) = store.writer("look for other processes' commits") else { return };
        let asked = writer.one(sql("SELECT data_version FROM pragma_data_version")).await;
        let Ok(Ok(version)) = asked.map(|row| row.number("data_version")) else { continue };
        if last.replace(version).is_some_and(|last| last != version) {
            wake(&woken);
        }
    }
}
