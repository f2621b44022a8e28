//! Taking the next jobs of the queue.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{CorruptRow, StoreError};
use crate::lane::{Lane, Offer};
use crate::row::{self, SELECT_JOB};
use crate::sql::sql;
use crate::store::{Store, WriteTx};

use overnight_core::units::Timestamp;

use super::plan::{Waiting, share_out};
use super::slots::{self, Limits};
use super::take::{Candidate, take};
use super::{Claimant, Claimed};

/// How often a claim that got less than it wanted looks again, because a lane was full or others were faster.
const ROUNDS: u32 = 4;

/// What a worker wants.
#[derive(Debug, Clone)]
pub struct ClaimOrder {
    pub claimant: Claimant,
    /// Most jobs.
    pub slots: usize,
    pub offer: Offer,
}

/// What a worker got.
#[derive(Debug, Default)]
pub struct Claims {
    pub taken: Vec<Claimed>,
    /// Jobs that this version cannot read. They are set aside, so that they keep nobody from working.
    pub unreadable: Vec<CorruptRow>,
}

/// The first ready job of each lane, found by going from lane to lane instead of over all jobs.
const HEADS: &str = "WITH RECURSIVE found (lane) AS ( \
       SELECT (SELECT MIN(lane_id) FROM jobs WHERE phase = 'ready') \
       UNION ALL \
       SELECT (SELECT MIN(lane_id) FROM jobs WHERE phase = 'ready' AND lane_id > f.lane) FROM found f WHERE f.lane IS NOT NULL \
     ) \
     SELECT f.lane, h.repository_id, h.position, h.priority, (SELECT COUNT(*) FROM limits) AS limits, \
       COALESCE((SELECT MAX(claimed_at) FROM jobs s \
         WHERE s.repository_id = h.repository_id AND s.claimed_at IS NOT NULL), 0) AS served \
     FROM found f JOIN jobs h ON h.id = (SELECT j.id FROM jobs j WHERE j.phase = 'ready' AND j.lane_id = f.lane \
       ORDER BY j.position, j.id LIMIT 1)";

/// Lanes that may have something, as last looked.
struct Heads {
    waiting: Vec<(Waiting, Arc<Lane>)>,
    /// Some limit may apply.
    limited: bool,
}

impl Store {
    /// Takes up to `slots` jobs that are ready, in their turn, as far as limits allow.
    ///
    /// # Errors
    /// [`StoreError::Database`]. Nothing was taken then, unless the answer to the commit was lost; such jobs are taken back
    /// when their leases run out.
    pub async fn jobs_claim(&self, order: &ClaimOrder) -> Result<Claims, StoreError> {
        let mut claims = Claims::default();
        let mut barren: HashSet<String> = HashSet::new();
        for _ in 0..ROUNDS {
            let free = order.slots.saturating_sub(claims.taken.len());
            if free == 0 {
                break;
            }
            let heads = self.heads(&order.offer, &barren).await?;
            if heads.waiting.is_empty() {
                break;
            }
            let mut tx = self.begin("claim jobs").await?;
            let mut round = Round { claimant: &order.claimant, free, barren: &mut barren };
            let (taken, unreadable) = round.go(&mut tx, &heads).await?;
            if taken.is_empty() && unreadable.is_empty() {
                // Nothing was written; dropping it is as good as a commit.
                continue;
            }
            tx.commit().await?;
            claims.taken.extend(taken);
            claims.unreadable.extend(unreadable);
        }
        Ok(claims)
    }

    async fn heads(&self, offer: &Offer, barren: &HashSet<String>) -> Result<Heads, StoreError> {
        let mut found = Vec::new();
        let mut limits = 0;
        for head in self.all("look for ready jobs", sql(HEADS)).await? {
            limits = row::number(&head, "?", "limits")?;
            let priority = row::number(&head, "?", "priority")?;
            let step = i64::try_from(overnight_core::job::PRIORITY_STEP.as_millis()).unwrap_or(i64::MAX);
            found.push(Waiting {
                lane: row::text(&head, "?", "lane")?,
                repository: row::text(&head, "?", "repository_id")?,
                position: row::number(&head, "?", "position")?,
                served: row::number(&head, "?", "served")?,
                handicap: priority.saturating_mul(step).saturating_neg(),
            });
        }
        let lanes: Vec<String> = found.iter().map(|waiting| waiting.lane.clone()).collect();
        self.learn_lanes(&lanes).await?;
        let known = |waiting: Waiting| {
            let lane = self.lanes.get(&waiting.lane)?;
            (lane.suits(offer) && !barren.contains(&lane.id)).then_some((waiting, lane))
        };
        let waiting: Vec<_> = found.into_iter().filter_map(known).collect();
        let limited = limits > 0 || waiting.iter().any(|(_, lane)| lane.has_group());
        Ok(Heads { waiting, limited })
    }
}

/// One look at the lanes within one transaction.
struct Round<'a> {
    claimant: &'a Claimant,
    free: usize,
    /// Lanes that had nothing for us.
    barren: &'a mut HashSet<String>,
}

impl Round<'_> {
    async fn go(
        &mut self,
        tx: &mut WriteTx,
        heads: &Heads,
    ) -> Result<(Vec<Claimed>, Vec<CorruptRow>), StoreError> {
        let mut limits = if heads.limited { slots::of(tx, &all_keys(heads)).await? } else { Limits::default() };
        let mut open = Vec::new();
        for (waiting, lane) in &heads.waiting {
            if limits.next_free(&lane.limit_keys).is_some() {
                open.push(waiting.clone());
            } else {
                self.barren.insert(lane.id.clone());
            }
        }
        let mut candidates = Vec::new();
        let mut unreadable = Vec::new();
        for (id, share) in share_out(&open, self.free) {
            let Some((_, lane)) = heads.waiting.iter().find(|(_, lane)| lane.id == id) else { continue };
            let found = self.of_lane(tx, &id, share).await?;
            if found.len() < share {
                self.barren.insert(id);
            }
            for one in found {
                match one {
                    Ok(mut candidate) => {
                        let Some(slots) = limits.hand_out(&lane.limit_keys) else { break };
                        candidate.slots = slots;
                        candidates.push(candidate);
                    }
                    Err(error) => unreadable.push(error),
                }
            }
        }
        set_aside(tx, &unreadable).await?;
        let wanted = candidates.len();
        let taken = take(tx, candidates, self.claimant).await?;
        if taken.len() < wanted {
            // Somebody else was faster for a slot of a limit.
            tracing::debug!(wanted, taken = taken.len(), "some jobs were left to others");
        }
        Ok((taken, unreadable))
    }

    /// Locks the first jobs of a lane that nobody else is about to take.
    async fn of_lane(
        &self,
        tx: &mut WriteTx,
        lane: &str,
        count: usize,
    ) -> Result<Vec<Result<Candidate, CorruptRow>>, StoreError> {
        let text = format!(
            "{SELECT_JOB} WHERE j.lane_id = $1 AND j.phase = 'ready' AND (j.place IS NULL OR j.place = $2) \
             ORDER BY j.position, j.id LIMIT $3 {{lock_free}}"
        );
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let found = tx.all(sql(text).bind(lane).bind(self.claimant.place.as_str()).bind(limit)).await?;
        let read = |row: &crate::sql::Row| {
            let raw = row.text("id").map_err(|error| CorruptRow::new("?", "id", error))?;
            Ok(Candidate {
                now: Timestamp(row::number(row, &raw, "now")?),
                place: row::optional_text(row, &raw, "place")?,
                job: row::job(row)?,
                slots: Vec::new(),
            })
        };
        Ok(found.iter().map(read).collect())
    }
}

fn all_keys(heads: &Heads) -> Vec<String> {
    let mut keys: Vec<String> =
        heads.waiting.iter().flat_map(|(_, lane)| lane.limit_keys.iter().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// What cannot be read waits for a version that can.
async fn set_aside(tx: &mut WriteTx, unreadable: &[CorruptRow]) -> Result<(), StoreError> {
    for row in unreadable {
        let text = "UPDATE jobs SET phase = 'asleep', park_reason = 'unreadable' WHERE id = $1 AND phase = 'ready'";
        tx.run(sql(text).bind(&row.job)).await?;
    }
    Ok(())
}
