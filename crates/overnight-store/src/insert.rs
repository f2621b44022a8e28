//! Inserting many rows with few statements.

use crate::dialect::Engine;
use crate::error::StoreError;
use crate::records::{Column, records, recordset};
use crate::sql::{Value, rows, sql};
use crate::store::WriteTx;

/// Most rows of one statement. A power of two, so that few different texts are prepared.
const MOST: usize = 64;

/// A table's columns with their types. `extra` is an expression that is the same for every row, as in `, {tx}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Into {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [Column],
    /// Column and expression.
    pub(crate) extra: Option<(&'static str, &'static str)>,
    /// Follows the rows, as in `ON CONFLICT DO NOTHING`.
    pub(crate) tail: &'static str,
}

/// Splits into runs whose lengths are powers of two.
pub(crate) fn runs<T>(items: &[T]) -> Vec<&[T]> {
    let mut runs = Vec::new();
    let mut rest = items;
    while !rest.is_empty() {
        let most = rest.len().min(MOST);
        // The largest power of two that fits.
        let (run, left) = rest.split_at(1 << most.ilog2());
        runs.push(run);
        rest = left;
    }
    runs
}

impl Into {
    fn text(&self, count: usize) -> String {
        let mut names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let types: Vec<&str> = self.columns.iter().map(|(_, kind)| *kind).collect();
        let values = rows(1, &types, count);
        let Self { table, tail, .. } = self;
        match self.extra {
            None => format!("INSERT INTO {table} ({}) VALUES {values} {tail}", names.join(", ")),
            Some((name, expression)) => {
                let given = names.join(", ");
                names.push(name);
                // `WHERE true` keeps SQLite from taking ON CONFLICT for a join's ON.
                format!(
                    "WITH v ({given}) AS (VALUES {values}) INSERT INTO {table} ({}) \
                     SELECT {given}, {expression} FROM v WHERE true {tail}",
                    names.join(", ")
                )
            }
        }
    }

    /// The same for rows that come as one value.
    fn text_of_records(&self) -> String {
        let mut names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut values = names.clone();
        if let Some((name, expression)) = self.extra {
            names.push(name);
            values.push(expression);
        }
        let Self { table, tail, .. } = self;
        let (names, values, from) =
            (names.join(", "), values.join(", "), recordset(Engine::Postgres, 1, self.columns));
        format!("INSERT INTO {table} ({names}) SELECT {values} FROM {from} {tail}")
    }

    /// Inserts the rows, whose values stand in the order of the columns. Returns how many were.
    pub(crate) async fn rows(&self, tx: &mut WriteTx, all: &[Vec<Value>]) -> Result<u64, StoreError> {
        if all.is_empty() {
            return Ok(0);
        }
        if tx.engine() == Engine::Postgres {
            let value = records(self.columns, all.iter().map(Vec::as_slice));
            return tx.run(sql(self.text_of_records()).bind(value)).await;
        }
        let mut inserted = 0;
        for run in runs(all) {
            inserted += tx.run(sql(self.text(run.len())).bind_all(run.iter().flatten().cloned())).await?;
        }
        Ok(inserted)
    }
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn runs_are_powers_of_two_and_lose_nothing() {
        let items: Vec<u32> = (0..203).collect();
        let lengths: Vec<usize> = runs(&items).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [64, 64, 64, 8, 2, 1]);
        assert_eq!(runs(&items).concat(), items);
        assert!(runs::<u32>(&[]).is_empty());
    }
}
