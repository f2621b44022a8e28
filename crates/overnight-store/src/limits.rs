//! Concurrency limits: how many jobs of a repository, a group or a label may be held at a time.

use crate::error::StoreError;
use crate::lane::LimitKey;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

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
    /// Sets a limit, or takes it away with `None`. Jobs that are held already go on.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn limit_set(&self, key: &LimitKey, slots: Option<u32>) -> Result<(), StoreError> {
        let mut tx = self.begin("set the limit").await?;
        let change = match slots {
            Some(slots) => sql("INSERT INTO limits (limit_key, slots) VALUES ($1, $2) \
                                ON CONFLICT (limit_key) DO UPDATE SET slots = excluded.slots")
                .bind(key.as_str())
                .bind(i64::from(slots)),
            None => sql("DELETE FROM limits WHERE limit_key = $1").bind(key.as_str()),
        };
        tx.run(change).await?;
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
            let small = |column| row::count(&found, column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            let key = row::text(&found, "?", "limit_key")?;
            let key = LimitKey::parse(&key).map_err(|why| crate::error::CorruptRow::new("?", "limit_key", why))?;
            limits.push(Limit { key, slots: small("slots")?, held: small("held")? });
        }
        Ok(limits)
    }
}
