//! Looks: taken by one, and ended with what came of them.

use std::time::Duration;

use overnight_core::backlog::PullState;
use overnight_core::job::JobEvent;
use overnight_core::watch::{Memory, PullNews};

use super::{SELECT, Watched, watched};
use crate::apply::{EVENTS, event_row};
use crate::error::StoreError;
use crate::lease::span;
use crate::row::{self, to_json};
use crate::sql::sql;
use crate::store::{Store, WriteTx, retried};

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookEnd {
    pub state: PullState,
    pub memory: Memory,
    /// Until the next one; `None`: there is none.
    pub pause: Option<Duration>,
    /// For the record of the job that published last.
    pub news: Vec<PullNews>,
}

impl Store {
    /// Takes looks that are due, at most so many; others leave them alone for `hold`.
    ///
    /// # Errors
    /// [`StoreError::Database`]. A row that this version cannot read is passed over until `hold` is over.
    pub async fn looks_take(&self, most: u32, hold: Duration) -> Result<Vec<Watched>, StoreError> {
        let text = format!(
            "{SELECT} WHERE w.next_look <= {{now}} AND w.taken_until <= {{now}} ORDER BY w.next_look, w.number LIMIT {most}"
        );
        let mut taken = Vec::new();
        for found in self.all("look which pull requests are due", sql(text)).await? {
            let (repository, number, version) = key(&found)?;
            let text = "UPDATE pull_watches SET version = version + 1, taken_until = {now} + $4 \
                 WHERE repository_id = $1 AND number = $2 AND version = $3 AND next_look <= {now} AND taken_until <= {now}";
            let take = sql(text).bind(&repository).bind(number).bind(version).bind(span(hold));
            if self.run("take a look at a pull request", take).await? == 0 {
                continue;
            }
            match watched(&found) {
                Ok(found) => taken.push(Watched { version: version + 1, ..found }),
                Err(error) => tracing::warn!(%error, "what is remembered of a pull request cannot be read"),
            }
        }
        Ok(taken)
    }

    /// Ends a look. `false`: it had become an old one, and nothing was written.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn look_end(&self, look: &Watched, end: &LookEnd) -> Result<bool, StoreError> {
        retried(|| self.end_once(look, end)).await
    }

    async fn end_once(&self, look: &Watched, end: &LookEnd) -> Result<bool, StoreError> {
        let mut tx = self.begin("end the look at a pull request").await?;
        let number = i64::try_from(look.number).unwrap_or(i64::MAX);
        // A hint that came meanwhile calls for another look at once.
        let text = "UPDATE pull_watches SET memory = $4, head = $5, version = version + 1, taken_until = 0, \
             next_look = CASE WHEN CAST($6 AS BIGINT) IS NULL THEN NULL WHEN hints > $7 THEN {now} ELSE {now} + CAST($6 AS BIGINT) END \
             WHERE repository_id = $1 AND number = $2 AND version = $3";
        let head = end.memory.head.as_ref().map(overnight_core::git::CommitId::as_str).unwrap_or_default();
        let write = sql(text)
            .bind(look.repository.as_str())
            .bind(number)
            .bind(look.version)
            .bind(to_json("memory", &end.memory)?)
            .bind(head)
            .bind(end.pause.map(span))
            .bind(look.hints);
        if tx.run(write).await? == 0 {
            return Ok(false);
        }
        let text = "UPDATE pull_requests SET state = $3, updated_at = {now} \
             WHERE repository_id = $1 AND number = $2 AND state <> $3";
        let write = sql(text).bind(look.repository.as_str()).bind(number).bind(end.state.as_str());
        tx.run(write).await?;
        for news in &end.news {
            tell(&mut tx, look, news).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a look back that came to nothing, to be taken again after `pause`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn look_put_off(&self, look: &Watched, why: &str, pause: Duration) -> Result<bool, StoreError> {
        let quiet = look.memory.quiet.saturating_add(1);
        let memory = Memory { trouble: Some(why.to_owned()), quiet, ..look.memory.clone() };
        let end = LookEnd { state: look.state, memory, pause: Some(pause), news: Vec::new() };
        self.look_end(look, &end).await
    }
}

/// Adds it to the record of the job, as long as that is there.
async fn tell(tx: &mut WriteTx, look: &Watched, news: &PullNews) -> Result<(), StoreError> {
    let raw = look.job.as_str();
    let text = "UPDATE jobs SET last_event = last_event + 1, updated_at = {now} WHERE id = $1 \
         RETURNING last_event, updated_at";
    let Some(counted) = tx.optional(sql(text).bind(raw)).await? else { return Ok(()) };
    let at = overnight_core::units::Timestamp(row::number(&counted, raw, "updated_at")?);
    let number = overnight_core::id::EventNumber(row::number(&counted, raw, "last_event")?);
    let event = JobEvent::PullRequestNews { number: look.number, news: news.clone() };
    EVENTS.rows(tx, &[event_row(raw, number, at, &event)?]).await?;
    Ok(())
}

fn key(found: &crate::sql::Row) -> Result<(String, i64, i64), StoreError> {
    let repository = row::text(found, "?", "repository_id")?;
    let number = row::number(found, "?", "number")?;
    let version = row::number(found, "?", "version")?;
    Ok((repository, number, version))
}
