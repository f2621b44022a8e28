//! The tables of a queue, read with a connection of our own.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::runtime::{Builder, Runtime};

/// Reads a queue. A connection is made when it is first needed, and again after it was lost.
pub(crate) struct Tables {
    at: At,
    connection: Option<Connected>,
    runtime: Runtime,
}

enum At {
    Sqlite(PathBuf),
    Postgres(String),
}

enum Connected {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A job as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) state: String,
    pub(crate) phase: String,
    pub(crate) ended: bool,
    pub(crate) fence: i64,
    pub(crate) holder: Option<String>,
    pub(crate) lost: i64,
    pub(crate) last_event: i64,
    pub(crate) end_reason: Option<String>,
}

const JOBS: &str = "SELECT id, key, state_name, phase, CASE WHEN ended THEN 'yes' ELSE 'no' END, CAST(fence AS TEXT), holder, \
                    CAST(lost AS TEXT), CAST(last_event AS TEXT), end_reason FROM jobs ORDER BY created_at, id";

impl Tables {
    pub(crate) fn sqlite(path: PathBuf) -> Self {
        Self::at(At::Sqlite(path))
    }

    pub(crate) fn postgres(url: String) -> Self {
        Self::at(At::Postgres(url))
    }

    fn at(at: At) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { at, connection: None, runtime }
    }

    /// The rows of a query whose columns are all text.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    /// The same where the database may be away, or not made yet.
    pub(crate) fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, sqlx::Error> {
        let Self { at, connection, runtime } = self;
        runtime.block_on(async {
            let connected = match connection.take() {
                Some(connected) => connected,
                None => connect(at).await?,
            };
            let (connected, rows) = ask(connected, sql).await?;
            *connection = Some(connected);
            Ok(rows)
        })
    }

    /// Whether nobody is within a writing transaction of SQLite's just now. PostgreSQL's writers do not keep each other out.
    pub(crate) fn can_be_written(&self) -> bool {
        let At::Sqlite(path) = &self.at else { return true };
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::ZERO);
        self.runtime.block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let free = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut connection).await.is_ok();
            connection.close().await.unwrap();
            free
        })
    }

    /// Lets go of the connection: a process that is killed then leaves the database to nobody.
    pub(crate) fn close(&mut self) {
        let connection = self.connection.take();
        self.runtime.block_on(async {
            match connection {
                Some(Connected::Sqlite(connection)) => connection.close().await.unwrap(),
                Some(Connected::Postgres(connection)) => drop(connection.close().await),
                None => {}
            }
        });
    }

    pub(crate) fn try_jobs(&mut self) -> Result<Vec<JobRow>, sqlx::Error> {
        Ok(self.try_rows(JOBS)?.iter().map(|row| job(row)).collect())
    }

    #[track_caller]
    pub(crate) fn jobs(&mut self) -> Vec<JobRow> {
        self.try_jobs().unwrap()
    }

    #[track_caller]
    pub(crate) fn job(&mut self, key: &str) -> JobRow {
        let jobs = self.jobs();
        jobs.into_iter().find(|job| job.key == key).unwrap_or_else(|| panic!("no job {key}"))
    }

    /// Events of a job, without their envelope.
    #[track_caller]
    pub(crate) fn events(&mut self, key: &str) -> Vec<Value> {
        self.numbered_events(key).into_iter().map(|(_, event)| event).collect()
    }

    #[track_caller]
    pub(crate) fn numbered_events(&mut self, key: &str) -> Vec<(i64, Value)> {
        let sql = format!(
            "SELECT CAST(events.number AS TEXT), event FROM events JOIN jobs ON jobs.id = job_id WHERE key = '{key}' ORDER BY events.number"
        );
        let event = |row: Vec<Option<String>>| {
            let text = row[1].as_deref().unwrap();
            (number(&row, 0), serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
        };
        self.rows(&sql).into_iter().map(event).collect()
    }

    /// How many events of all jobs are recorded.
    pub(crate) fn count_events(&mut self) -> u64 {
        let rows = self.try_rows("SELECT CAST(COUNT(*) AS TEXT) FROM events").unwrap_or_default();
        rows.first().map_or(0, |row| u64::try_from(number(row, 0)).unwrap())
    }
}

async fn connect(at: &At) -> Result<Connected, sqlx::Error> {
    match at {
        At::Sqlite(path) => {
            let options = SqliteConnectOptions::new().filename(path).read_only(true);
            SqliteConnection::connect_with(&options).await.map(Connected::Sqlite)
        }
        At::Postgres(url) => PgConnection::connect(url).await.map(Connected::Postgres),
    }
}

async fn ask(connected: Connected, sql: &str) -> Result<(Connected, Vec<Vec<Option<String>>>), sqlx::Error> {
    let query = AssertSqlSafe(sql.to_owned());
    match connected {
        Connected::Sqlite(mut connection) => {
            let rows = sqlx::raw_sql(query).fetch_all(&mut connection).await?;
            let rows = rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect();
            Ok((Connected::Sqlite(connection), rows))
        }
        Connected::Postgres(mut connection) => {
            let rows = sqlx::query(query).fetch_all(&mut connection).await?;
            let rows = rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect();
            Ok((Connected::Postgres(connection), rows))
        }
    }
}

fn job(row: &[Option<String>]) -> JobRow {
    let text = |at: usize| row[at].clone().unwrap();
    JobRow {
        id: text(0),
        key: text(1),
        state: text(2),
        phase: text(3),
        ended: text(4) == "yes",
        fence: number(row, 5),
        holder: row[6].clone(),
        lost: number(row, 7),
        last_event: number(row, 8),
        end_reason: row[9].clone(),
    }
}

fn number(row: &[Option<String>], at: usize) -> i64 {
    row[at].as_deref().unwrap().parse().unwrap()
}
