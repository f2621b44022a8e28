//! Concurrency limits: how many jobs of a repository, a group or a label may be held at a time.

use crate::claim::slots::SLOTS;
use crate::error::StoreError;
use crate::lane::LimitKey;
use crate::row;
use crate::sql::{places, sql};
use crate::store::{Store, WriteTx};

/// Jobs of one repository and group share a branch: without another limit, one runs at a time.
pub const GROUP_LIMIT: u32 = 1;

/// A limit that somebody has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub key: LimitKey,
    /// 0: none may run.
    pub slots: u32,
    /// How many are held now.
    pub held: u32,
}

impl Store {
    /// Sets a limit, or takes it away with `None`. Jobs that are held already go on, and count.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn limit_set(&self, key: &LimitKey, slots: Option<u32>) -> Result<(), StoreError> {
        let lanes = self.lanes_with(key).await?;
        let mut tx = self.begin("set the limit").await?;
        let change = match slots {
            Some(slots) => sql("INSERT INTO limits (limit_key, slots) VALUES ($1, $2) \
                                ON CONFLICT (limit_key) DO UPDATE SET slots = excluded.slots")
            .bind(key.as_str())
            .bind(i64::from(slots)),
            None => sql("DELETE FROM limits WHERE limit_key = $1").bind(key.as_str()),
        };
        tx.run(change).await?;
        if slots.is_some() {
            count_held(&mut tx, key, &lanes).await?;
        }
        tx.gives_work();
        tx.commit().await
    }

    /// Every limit that was set, by its key.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn limits(&self) -> Result<Vec<Limit>, StoreError> {
        let text = "SELECT l.limit_key, l.slots, (SELECT COUNT(*) FROM slots s WHERE s.limit_key = l.limit_key) AS held \
                    FROM limits l ORDER BY l.limit_key";
        let mut limits = Vec::new();
        for found in self.all("read the limits", sql(text)).await? {
            let small =
                |column| row::count(&found, column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            let key = row::text(&found, "?", "limit_key")?;
            let key =
                LimitKey::parse(&key).map_err(|why| crate::error::CorruptRow::new("?", "limit_key", why))?;
            limits.push(Limit { key, slots: small("slots")?, held: small("held")? });
        }
        Ok(limits)
    }
}

/// Gives slots to the jobs that were claimed when nothing limited them.
async fn count_held(tx: &mut WriteTx, key: &LimitKey, lanes: &[String]) -> Result<(), StoreError> {
    let text = "SELECT COALESCE(MAX(slot), -1) AS last FROM slots WHERE limit_key = $1";
    let last = tx.optional(sql(text).bind(key.as_str())).await?;
    let mut next = last.map_or(Ok(-1), |found| row::number(&found, "?", "last"))? + 1;
    for some in lanes.chunks(64) {
        let text = format!(
            "SELECT j.id FROM jobs j WHERE j.phase = 'held' AND NOT j.ended AND j.lane_id IN ({}) AND NOT EXISTS \
             (SELECT 1 FROM slots s WHERE s.job_id = j.id AND s.limit_key = $1) ORDER BY j.id {{lock}}",
            places(2, some.len())
        );
        let mut rows = Vec::new();
        for found in tx.all(sql(text).bind(key.as_str()).bind_all(some.iter().cloned())).await? {
            rows.push(vec![key.as_str().into(), next.into(), row::text(&found, "?", "id")?.into()]);
            next += 1;
        }
        SLOTS.rows(tx, &rows).await?;
    }
    Ok(())
}
