//! Changes of many jobs with one round trip: state and events together, as one transaction. PostgreSQL does it with one
//! statement; SQLite, which has no statements within statements that change anything, with several that are sent together.
//!
//! PostgreSQL locks the rows in the order in which they are listed, because they are joined one after the other, by their ids
//! (`enable_hashjoin` and `enable_mergejoin` are off). So whoever lists them does it in the order of ids, as a heartbeat locks
//! them, and nobody waits in a circle; a statement that locked them first cost a tenth more.
//!
//! A step that needs more (effects, the ledger, questions and messages, pull requests, slots to be freed, jobs that wait for this one's end,
//! a cancel that came in between) is left to be written statement by statement.

use std::collections::HashMap;
use std::sync::LazyLock;

use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;

use crate::apply::{Applied, LEADING, WRITE, Write, numbered, update_of_v, values_of};
use crate::backlog;
use crate::dialect::Engine;
use crate::error::StoreError;
use crate::placement::IN_V;
use crate::records::{Column, records, recordset};
use crate::row::{self, to_json};
use crate::sql::{Value, sql};
use crate::store::Store;

/// A change for each engine: the jobs and their events are two parameters, as [`records`] and [`events_value`] make them.
#[derive(Debug)]
pub(crate) struct Change {
    sqlite: String,
    postgres: String,
}

/// What a [`Change`] is made of.
pub(crate) struct Parts<'a> {
    /// Number of the parameter that holds the changes; the events are the next one.
    pub(crate) parameter: usize,
    pub(crate) columns: &'a [Column],
    pub(crate) update: fn() -> String,
    /// Columns of the answer.
    pub(crate) returned: &'a str,
}

const EVENTS: [Column; 3] = [("e_job", "TEXT"), ("e_number", "BIGINT"), ("e_event", "TEXT")];

impl Change {
    pub(crate) fn new(parts: &Parts<'_>) -> Self {
        Self { sqlite: sqlite(parts), postgres: postgres(parts) }
    }

    pub(crate) fn text(&self, engine: Engine) -> &str {
        match engine {
            Engine::Sqlite => &self.sqlite,
            Engine::Postgres => &self.postgres,
        }
    }
}

fn postgres(parts: &Parts<'_>) -> String {
    let Parts { parameter, columns, update, returned } = parts;
    format!(
        "WITH v AS MATERIALIZED (SELECT * FROM {}), \
         done AS ({} RETURNING jobs.id, {returned}, v_events), \
         e AS (SELECT * FROM {}), \
         written AS (INSERT INTO events (job_id, number, at, event, tx) \
           SELECT e_job, last_event - v_events + e_number, updated_at, e_event, {{tx}} FROM e JOIN done ON id = e_job) \
         SELECT id, {returned} FROM done",
        recordset(Engine::Postgres, *parameter, columns),
        update(),
        recordset(Engine::Postgres, parameter + 1, &EVENTS),
    )
}

/// A job was changed when it counts more events than there are.
fn sqlite(parts: &Parts<'_>) -> String {
    let Parts { parameter, columns, update, returned } = parts;
    format!(
        "BEGIN IMMEDIATE; \
         WITH v AS MATERIALIZED (SELECT * FROM {}) {} RETURNING jobs.id, {returned}; \
         INSERT INTO events (job_id, number, at, event, tx) SELECT e_job, known + e_number, updated_at, e_event, {{tx}} FROM \
           (SELECT r.*, (SELECT COALESCE(MAX(number), 0) FROM events WHERE job_id = e_job) AS known FROM {}) \
           JOIN jobs ON id = e_job WHERE last_event > known; \
         COMMIT",
        recordset(Engine::Sqlite, *parameter, columns),
        update(),
        recordset(Engine::Sqlite, parameter + 1, &EVENTS),
    )
}

/// The value of the parameter for the events: each event's number counts within its step.
pub(crate) fn events_value<'a>(
    steps: impl Iterator<Item = (&'a str, &'a [JobEvent])>,
) -> Result<String, StoreError> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (job, events) in steps {
        for (number, event) in (1_i64..).zip(events) {
            rows.push(vec![job.into(), number.into(), to_json("event", event)?.into()]);
        }
    }
    Ok(records(&EVENTS, rows.iter().map(Vec::as_slice)))
}

/// A step that lets go of its job may have to tell others; only one that certainly has not is written here.
const ONLY: &str = "AND (v_phase = 'held' OR (NOT dependents AND cancel IS NULL \
                    AND NOT EXISTS (SELECT 1 FROM slots s WHERE s.job_id = jobs.id)))";

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| LEADING.into_iter().chain(IN_V).collect());

static STEPS: LazyLock<Change> = LazyLock::new(|| {
    Change::new(&Parts {
        parameter: 1,
        columns: &COLUMNS,
        update: || update_of_v("", ONLY),
        returned: "last_event, updated_at",
    })
});

impl Store {
    /// Writes what can be written at once; `None` for a step that was not.
    pub(crate) async fn write_at_once(
        &self,
        writes: impl Iterator<Item = &Write> + Clone,
    ) -> Result<Vec<Option<Applied>>, StoreError> {
        let plain = |write: &&Write| {
            let step = &write.step;
            let rows = step.effects.is_empty() && step.spend.is_empty() && step.talk.is_empty();
            let alone = rows && step.documents.is_empty();
            alone && backlog::opened(step).is_none()
        };
        let mut written = HashMap::new();
        if writes.clone().any(|write| plain(&write)) {
            let plain = writes.clone().filter(plain);
            let changes = plain.clone().map(values_of).collect::<Result<Vec<_>, _>>()?;
            let events = plain.map(|write| (write.held.job.as_str(), write.step.events.as_slice()));
            let query = sql(STEPS.text(self.engine()))
                .bind(records(&COLUMNS, changes.iter().map(Vec::as_slice)))
                .bind(events_value(events)?);
            for found in self.change(WRITE, query).await? {
                let job = row::text(&found, "?", "id")?;
                let at = Timestamp(row::number(&found, &job, "updated_at")?);
                written.insert(job.clone(), (at, row::number(&found, &job, "last_event")?));
            }
        }
        let applied = |write: &Write| {
            let (at, last) = written.get(write.held.job.as_str())?;
            let count = i64::try_from(write.step.events.len()).unwrap_or(i64::MAX);
            Some(numbered(*at, last - count, write.step.events.clone()))
        };
        Ok(writes.map(applied).collect())
    }
}
