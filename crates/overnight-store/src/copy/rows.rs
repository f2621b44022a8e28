//! Reading a table page by page in the order of its key, each row as it stands on a copy.

use crate::error::{StoreError, failed};
use crate::placement::{Phase, Placement};
use crate::row;
use crate::sql::{Row, Tx, Value, places, sql};

use super::tables::Table;

const READ: &str = "read the rows to be copied";

/// A page of a table.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Vec<Value>>,
    /// How many of them are jobs that somebody held.
    pub(crate) freed: u64,
}

impl Page {
    /// The first rows whose key comes after that of `last`.
    pub(crate) async fn read(tx: &mut Tx, table: &Table, last: Option<&[Value]>) -> Result<Self, StoreError> {
        let names: Vec<&str> = table.into.columns.iter().map(|(name, _)| *name).collect();
        let (names, key, name) = (names.join(", "), table.key.join(", "), table.name());
        let after =
            last.map_or_else(String::new, |_| format!("WHERE ({key}) > ({})", places(1, table.key.len())));
        let limit = table.page;
        let mut query = sql(format!("SELECT {names} FROM {name} {after} ORDER BY {key} LIMIT {limit}"));
        if let Some(last) = last {
            let keys = table.key.iter().filter_map(|column| last.get(table.position(column)?));
            query = query.bind_all(keys.cloned());
        }
        let mut page = Self { rows: Vec::new(), freed: 0 };
        for found in tx.all(query).await.map_err(failed(READ))? {
            let values = table.into.columns.iter().map(|column| value(&found, *column));
            let mut values = values.collect::<Result<Vec<Value>, _>>().map_err(failed(READ))?;
            page.freed += u64::from(free(table, &mut values)?);
            page.rows.push(values);
        }
        Ok(page)
    }

    /// Whether there may be more.
    pub(crate) fn is_full(&self, table: &Table) -> bool {
        self.rows.len() >= table.page
    }
}

fn value(row: &Row, (name, kind): (&str, &str)) -> Result<Value, sqlx::Error> {
    match kind {
        "BIGINT" => row.optional_number(name).map(Value::from),
        "BOOLEAN" => row.flag(name).map(Value::from),
        _ => row.optional_text(name).map(Value::from),
    }
}

/// A job that somebody holds is one that anybody can claim on the copy. True when it was one.
fn free(table: &Table, values: &mut [Value]) -> Result<bool, StoreError> {
    let (Some(phase), Some(state)) = (table.position("phase"), table.position("state")) else {
        return Ok(false);
    };
    if values.get(phase) != Some(&Value::from(Phase::Held.as_str())) {
        return Ok(false);
    }
    let free = match values.get(state) {
        Some(Value::Text(Some(text))) => free_phase(text)?,
        Some(Value::Text(None) | Value::Number(_) | Value::Flag(_)) | None => Phase::Ready,
    };
    if let Some(phase) = values.get_mut(phase) {
        *phase = free.as_str().into();
    }
    Ok(true)
}

/// Where a job stands that nobody holds any more.
pub(crate) fn free_phase(state: &str) -> Result<Phase, StoreError> {
    match row::state("?", state) {
        Ok(state) => Ok(Placement::of(&state, false)?.phase),
        // A claim finds that it cannot be read, and sets it aside with its name.
        Err(_) => Ok(Phase::Ready),
    }
}

/// How many rows the table has.
pub(crate) async fn count(tx: &mut Tx, table: &str) -> Result<u64, StoreError> {
    let found =
        tx.optional(sql(format!("SELECT COUNT(*) AS count FROM {table}"))).await.map_err(failed(READ))?;
    let found = found.ok_or(StoreError::Internal { what: "a count had no row" })?;
    Ok(row::count(&found, "count")?)
}
