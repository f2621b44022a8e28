//! Plain steps with one round trip, where the database is a server: state and events of many jobs in one statement, which is a
//! transaction by itself. What needs more (effects, slots to be freed, jobs that wait for this one's end, a cancel that
//! came in between) is left to be written step by step.

use std::collections::HashMap;
use std::sync::LazyLock;

use overnight_core::units::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::apply::{AND_ORDERED, Applied, LEADING, ORDERED, WRITE, Write, numbered, update_of_v, values_of};
use crate::dialect::Engine;
use crate::error::{StoreError, failed};
use crate::placement::{COLUMNS, TYPES};
use crate::row::{self, to_json};
use crate::sql::{Value, sql};
use crate::store::Store;

/// A step that lets go of its job may have to tell others; only one that certainly has not is written here.
const ONLY: &str = "AND (v_phase = 'held' OR (NOT dependents AND cancel IS NULL \
                    AND NOT EXISTS (SELECT 1 FROM slots s WHERE s.job_id = jobs.id)))";

/// One text for any number of steps: they come as two JSON lists. Stored JSON is not looked into.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let leading = LEADING.iter().map(|(name, kind)| format!("{name} {kind}"));
    let placed = COLUMNS.iter().zip(TYPES).map(|(name, kind)| format!("v_{name} {kind}"));
    let columns: Vec<String> = leading.chain(placed).collect();
    format!(
        "WITH v AS MATERIALIZED (SELECT * FROM json_to_recordset(CAST($1 AS JSON)) AS r ({})), {ORDERED}, \
         done AS ({} RETURNING jobs.id AS id, last_event, updated_at, v_events), \
         e AS (SELECT * FROM json_to_recordset(CAST($2 AS JSON)) AS r (e_job TEXT, e_number BIGINT, e_event TEXT)), \
         written AS (INSERT INTO events (job_id, number, at, event, tx) \
           SELECT e_job, last_event - v_events + e_number, updated_at, e_event, {{tx}} FROM e JOIN done ON id = e_job) \
         SELECT id, last_event, updated_at FROM done",
        columns.join(", "),
        update_of_v(AND_ORDERED, ONLY),
    )
});

impl Store {
    /// Writes what can be written at once; `None` for a step that was not.
    pub(crate) async fn write_at_once(
        &self,
        writes: impl Iterator<Item = &Write> + Clone,
    ) -> Result<Vec<Option<Applied>>, StoreError> {
        let plain = |write: &&Write| write.step.effects.is_empty();
        let mut written = HashMap::new();
        if self.engine() == Engine::Postgres && writes.clone().any(|write| plain(&write)) {
            let (mut changes, mut events) = (Vec::new(), Vec::new());
            for write in writes.clone().filter(plain) {
                changes.push(record(write)?);
                for (number, event) in (1..).zip(&write.step.events) {
                    let event = to_json("event", event)?;
                    events.push(json!({ "e_job": write.held.job.as_str(), "e_number": i64::from(number), "e_event": event }));
                }
            }
            let query =
                sql(TEXT.as_str()).bind(Json::from(changes).to_string()).bind(Json::from(events).to_string());
            for found in self.writer(WRITE)?.all(query).await.map_err(failed(WRITE))? {
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

fn record(write: &Write) -> Result<Json, StoreError> {
    let names = LEADING.iter().map(|(name, _)| (*name).to_owned());
    let names = names.chain(COLUMNS.iter().map(|column| format!("v_{column}")));
    let value = |value: Value| match value {
        Value::Text(text) => Json::from(text),
        Value::Number(number) => Json::from(number),
        Value::Flag(flag) => Json::from(flag),
    };
    let record: Map<String, Json> = names.zip(values_of(write)?.into_iter().map(value)).collect();
    Ok(Json::Object(record))
}
