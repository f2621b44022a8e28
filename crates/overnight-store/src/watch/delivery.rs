//! What forges deliver: each once, and only ever a hint that something may have changed.

use overnight_core::git::CommitId;
use overnight_core::id::RepositoryId;

use crate::error::StoreError;
use crate::sql::sql;
use crate::store::Store;

/// How long deliveries are known again, in milliseconds. Forges deliver again for three days at most.
const KEPT: i64 = 7 * 24 * 60 * 60 * 1000;

/// By what a delivery is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The forge, as the configuration names it.
    pub host: &'a str,
    pub id: &'a str,
    /// Of its body: a copy under another id is none either.
    pub digest: &'a str,
}

/// Which pull requests may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    Number(u64),
    Branch(String),
    Head(CommitId),
}

impl Store {
    /// Writes down a delivery. `false`: it was known.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn delivery_new(&self, delivery: &Delivery<'_>) -> Result<bool, StoreError> {
        let mut tx = self.begin("write down a delivery").await?;
        let old = sql("DELETE FROM deliveries WHERE at < {now} - $1").bind(KEPT);
        tx.run(old).await?;
        let text =
            "INSERT INTO deliveries (host, id, at) VALUES ($1, $2, {now}) ON CONFLICT (host, id) DO NOTHING";
        // What is an id and what a digest is told apart by the sign before it.
        for name in [format!("#{}", delivery.digest), format!("={}", delivery.id)] {
            if tx.run(sql(text).bind(delivery.host).bind(name)).await? == 0 {
                return Ok(false);
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Lets pull requests of a repository be looked at now. One that was closed may be open again; one that was merged is over.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn watch_hint(&self, repository: &RepositoryId, hint: &Hint) -> Result<u64, StoreError> {
        let (which, value): (&str, crate::sql::Value) = match hint {
            Hint::Number(number) => ("p.number = $2", i64::try_from(*number).unwrap_or(i64::MAX).into()),
            Hint::Branch(branch) => ("p.branch = $2", branch.into()),
            Hint::Head(commit) => ("pull_watches.head = $2", commit.as_str().into()),
        };
        let text = format!(
            "UPDATE pull_watches SET hints = hints + 1, \
             next_look = CASE WHEN next_look < {{now}} THEN next_look ELSE {{now}} END WHERE repository_id = $1 \
             AND EXISTS (SELECT 1 FROM pull_requests p WHERE p.repository_id = pull_watches.repository_id \
             AND p.number = pull_watches.number AND p.state <> 'merged' AND {which})"
        );
        let mut tx = self.begin("note a hint about a pull request").await?;
        let changed = tx.run(sql(text).bind(repository.as_str()).bind(value)).await?;
        if changed > 0 {
            tx.gives_work();
        }
        tx.commit().await?;
        Ok(changed)
    }
}
