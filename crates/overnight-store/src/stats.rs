//! The queue in numbers.

use overnight_core::queue::{EndedStats, QueueStats};

use crate::error::StoreError;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

impl Store {
    /// Counts jobs, leases and ends. Reads indexes of what is unfinished and sums of what has ended.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn queue_stats(&self) -> Result<QueueStats, StoreError> {
        let operation = "count the queue";
        let mut stats = QueueStats::default();
        let text = "SELECT state_name, phase, COUNT(*) AS count FROM jobs WHERE NOT ended GROUP BY state_name, phase \
                    ORDER BY state_name, phase";
        for found in self.all(operation, sql(text)).await? {
            let count = row::count(&found, "count")?;
            let name = row::text(&found, "?", "state_name")?;
            match stats.by_state.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => stats.by_state.push((name, count)),
            }
            match row::text(&found, "?", "phase")?.as_str() {
                "ready" => stats.ready += count,
                "due" => stats.waiting += count,
                "blocked" => stats.blocked += count,
                "held" => stats.held += count,
                _ => {}
            }
        }
        let text = "SELECT park_reason, COUNT(*) AS count FROM jobs WHERE NOT ended AND park_reason IS NOT NULL \
                    GROUP BY park_reason ORDER BY park_reason";
        for found in self.all(operation, sql(text)).await? {
            stats.parked.push((row::text(&found, "?", "park_reason")?, row::count(&found, "count")?));
        }
        let text = "SELECT (SELECT COUNT(*) FROM jobs WHERE phase = 'held' AND NOT ended AND lease_until <= {now}) AS expired, \
                    (SELECT {now} - MIN(created_at) FROM jobs WHERE phase = 'ready' AND NOT ended) AS oldest, \
                    (SELECT COUNT(*) FROM workers WHERE last_seen > {now} - 60000) AS workers";
        let found = self.one(operation, sql(text)).await?;
        stats.leases_expired = row::count(&found, "expired")?;
        stats.held = stats.held.saturating_sub(stats.leases_expired);
        stats.workers = row::count(&found, "workers")?;
        let oldest = found.optional_number("oldest").map_err(crate::error::failed(operation))?;
        stats.oldest_ready_ms = oldest.map(|age| u64::try_from(age).unwrap_or(0));
        stats.ended = self.ended_stats().await?;
        Ok(stats)
    }

    /// Ended jobs by their reason, those that were pruned included.
    async fn ended_stats(&self) -> Result<Vec<EndedStats>, StoreError> {
        let text = "SELECT end_reason, CAST(SUM(jobs) AS BIGINT) AS jobs, CAST(SUM(attempts) AS BIGINT) AS attempts, \
                    CAST(SUM(input_tokens) AS BIGINT) AS input_tokens, CAST(SUM(output_tokens) AS BIGINT) AS output_tokens, \
                    CAST(SUM(cost) AS BIGINT) AS cost, CAST(SUM(cost_unknown) AS BIGINT) AS cost_unknown FROM ( \
                      SELECT end_reason, COUNT(*) AS jobs, SUM(attempts) AS attempts, SUM(input_tokens) AS input_tokens, \
                        SUM(output_tokens) AS output_tokens, SUM(cost) AS cost, \
                        SUM(CASE WHEN cost_unknown THEN 1 ELSE 0 END) AS cost_unknown \
                      FROM jobs WHERE end_reason IS NOT NULL GROUP BY end_reason \
                      UNION ALL SELECT end_reason, jobs, attempts, input_tokens, output_tokens, cost, cost_unknown FROM tallies \
                    ) AS parts GROUP BY end_reason ORDER BY end_reason";
        let mut ended = Vec::new();
        for found in self.all("sum up what has ended", sql(text)).await? {
            ended.push(EndedStats {
                reason: row::text(&found, "?", "end_reason")?,
                jobs: row::count(&found, "jobs")?,
                attempts: row::count(&found, "attempts")?,
                input_tokens: row::count(&found, "input_tokens")?,
                output_tokens: row::count(&found, "output_tokens")?,
                cost_micro_usd: row::number(&found, "?", "cost")?,
                cost_unknown_jobs: row::count(&found, "cost_unknown")?,
            });
        }
        Ok(ended)
    }
}
