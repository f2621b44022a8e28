//! The referee of concurrency limits. Reading finds a slot that looks free; a unique key decides who gets it.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::insert::Into;
use crate::lane::LimitKey;
use crate::limits::GROUP_LIMIT;
use crate::row;
use crate::sql::{Value, places, sql};
use crate::store::WriteTx;

/// The limits that apply to some keys, and which of their slots are taken.
#[derive(Debug, Default)]
pub(crate) struct Limits(BTreeMap<String, Slots>);

#[derive(Debug, Default)]
struct Slots {
    limit: i64,
    taken: BTreeSet<i64>,
}

/// A slot of a limit.
pub(crate) type Slot = (String, i64);

/// Reads the limits of these keys. A key without one is not in the answer.
pub(crate) async fn of(tx: &mut WriteTx, keys: &[String]) -> Result<Limits, StoreError> {
    let mut limits = BTreeMap::new();
    for key in keys.iter().filter(|key| LimitKey::is_group(key)) {
        limits.insert(key.clone(), Slots { limit: i64::from(GROUP_LIMIT), taken: BTreeSet::new() });
    }
    // People set few limits, and there may be hundreds of keys.
    for found in tx.all(sql("SELECT limit_key, slots FROM limits")).await? {
        let (key, limit) = (row::text(&found, "?", "limit_key")?, row::number(&found, "?", "slots")?);
        if keys.contains(&key) {
            limits.insert(key, Slots { limit, taken: BTreeSet::new() });
        }
    }
    let limited: Vec<String> = limits.keys().cloned().collect();
    for some in limited.chunks(64) {
        let text =
            format!("SELECT limit_key, slot FROM slots WHERE limit_key IN ({})", places(1, some.len()));
        for found in tx.all(sql(text).bind_all(some.iter().cloned())).await? {
            let slot = row::number(&found, "?", "slot")?;
            if let Some(slots) = limits.get_mut(&row::text(&found, "?", "limit_key")?) {
                slots.taken.insert(slot);
            }
        }
    }
    Ok(Limits(limits))
}

impl Limits {
    /// The lowest free slot of each of these keys that has a limit; `None` when one of them has none.
    pub(crate) fn next_free(&self, keys: &[String]) -> Option<Vec<Slot>> {
        let limited = keys.iter().filter_map(|key| Some((key, self.0.get(key)?)));
        limited.map(|(key, slots)| Some((key.clone(), slots.lowest_free()?))).collect()
    }

    /// The first of these keys that has no slot left.
    pub(crate) fn full(&self, keys: &[String]) -> Option<LimitKey> {
        let full = |key: &&String| self.0.get(*key).is_some_and(|slots| slots.lowest_free().is_none());
        keys.iter().find(full).and_then(|key| LimitKey::parse(key).ok())
    }

    /// The same slots are not given out twice by one claim.
    pub(crate) fn hand_out(&mut self, keys: &[String]) -> Option<Vec<Slot>> {
        let slots = self.next_free(keys)?;
        for (key, slot) in &slots {
            if let Some(limit) = self.0.get_mut(key) {
                limit.taken.insert(*slot);
            }
        }
        Some(slots)
    }
}

impl Slots {
    /// Slots above the limit are taken by jobs that were held when it was set or lowered; they count too.
    fn lowest_free(&self) -> Option<i64> {
        let full = i64::try_from(self.taken.len()).is_ok_and(|taken| taken >= self.limit);
        (0..self.limit).find(|slot| !full && !self.taken.contains(slot))
    }
}

pub(crate) const SLOTS: Into = Into {
    table: "slots",
    columns: &[("limit_key", "TEXT"), ("slot", "BIGINT"), ("job_id", "TEXT")],
    extra: None,
    tail: "ON CONFLICT DO NOTHING",
};

/// Takes these slots for these jobs, and returns the jobs that did not get all of theirs; those hold none afterwards.
pub(crate) async fn occupy(
    tx: &mut WriteTx,
    wanted: &[(String, Vec<Slot>)],
) -> Result<Vec<String>, StoreError> {
    let mut rows: Vec<(Slot, &str)> = Vec::new();
    for (job, slots) in wanted {
        rows.extend(slots.iter().map(|slot| (slot.clone(), job.as_str())));
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    // In one order for everybody: two claims that want the same slots wait for each other, but never in a circle.
    rows.sort();
    let values: Vec<Vec<Value>> =
        rows.iter().map(|((key, slot), job)| vec![key.into(), (*slot).into(), (*job).into()]).collect();
    if SLOTS.rows(tx, &values).await? == rows.len() as u64 {
        return Ok(Vec::new());
    }
    let mut refused = Vec::new();
    for (job, slots) in wanted.iter().filter(|(_, slots)| !slots.is_empty()) {
        let got = tx
            .optional(sql("SELECT COUNT(*) AS count FROM slots WHERE job_id = $1").bind(job))
            .await?
            .map_or(Ok(0), |found| row::count(&found, "count"))?;
        if got < slots.len() as u64 {
            tx.run(sql("DELETE FROM slots WHERE job_id = $1").bind(job)).await?;
            refused.push(job.clone());
        }
    }
    Ok(refused)
}
