//! What has to be so before a copy begins: nobody works on either side, and the target holds nothing of its own.

use crate::error::{StoreError, failed};
use crate::row;
use crate::sql::{Tx, places, sql};
use crate::store::Store;

use super::report::{CopyError, Side};
use super::tables::{TABLES, Table};

/// Keys that are looked up at once.
const AT_ONCE: i64 = 500;

/// Refuses a database that somebody works on: what is copied would be old, or changed under the copy.
pub(crate) async fn idle(side: Side, store: &Store) -> Result<(), CopyError> {
    let text = "SELECT (SELECT COUNT(*) FROM jobs WHERE phase = 'held' AND NOT ended AND lease_until > {now}) AS leases, \
                (SELECT COUNT(*) FROM workers WHERE last_seen > {now} - 60000) AS workers";
    let found = store.one("look for running workers", sql(text)).await?;
    let (leases, workers) = (
        row::count(&found, "leases").map_err(StoreError::from)?,
        row::count(&found, "workers").map_err(StoreError::from)?,
    );
    if leases == 0 && workers == 0 {
        return Ok(());
    }
    Err(CopyError::InUse { side, place: store.database().to_string(), leases, workers })
}

/// Refuses a target with rows that the source has not.
pub(crate) async fn nothing_else(source: &mut Tx, to: &Store) -> Result<(), CopyError> {
    for table in &TABLES {
        let Some(key) = table.own_key() else { continue };
        let strange = strange(source, to, table, key).await?;
        if strange > 0 {
            let place = to.database().to_string();
            return Err(CopyError::NotEmpty { place, table: table.name(), rows: strange });
        }
    }
    Ok(())
}

async fn strange(source: &mut Tx, to: &Store, table: &Table, key: &str) -> Result<u64, StoreError> {
    let operation = "compare the databases";
    let name = table.name();
    let mut strange = 0;
    let mut last = String::new();
    loop {
        let text = format!("SELECT {key} AS id FROM {name} WHERE {key} > $1 ORDER BY {key} LIMIT $2");
        let mut ids = Vec::new();
        for found in to.all(operation, sql(text).bind(&last).bind(AT_ONCE)).await? {
            ids.push(found.text("id").map_err(failed(operation))?);
        }
        let Some(newest) = ids.last().cloned() else { return Ok(strange) };
        let text = format!("SELECT COUNT(*) AS count FROM {name} WHERE {key} IN ({})", places(1, ids.len()));
        let all = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let found = source.optional(sql(text).bind_all(ids)).await.map_err(failed(operation))?;
        let known = found.map(|found| row::count(&found, "count")).transpose()?.unwrap_or_default();
        strange += all.saturating_sub(known);
        last = newest;
    }
}
