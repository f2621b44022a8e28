//! Taking the next jobs of the queue.

use std::collections::HashSet;

use crate::error::{CorruptRow, StoreError};
use crate::free;
use crate::lane::Offer;
use crate::row::{self, SELECT_JOB};
use crate::sql::{Row, Sql, sql};
use crate::store::{Store, WriteTx};

use overnight_core::units::Timestamp;

use super::heads::Heads;
use super::plan::{Spot, Waiting, share_out};
use super::slots::{self, Limits};
use super::take::{Candidate, take};
use super::{Claimant, Claimed};

/// How often a claim looks again because others were faster for a slot of a limit.
const RACES: u32 = 4;

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

impl Store {
    /// Takes up to `slots` jobs that are ready, in their turn, as far as limits allow.
    ///
    /// # Errors
    /// [`StoreError::Database`]. Nothing was taken then, unless the answer to the commit was lost; such jobs are taken back
    /// when their leases run out.
    pub async fn jobs_claim(&self, order: &ClaimOrder) -> Result<Claims, StoreError> {
        if let Some(taken) = self.claim_few(order).await? {
            self.last_look.left(taken.len() >= order.slots);
            return Ok(Claims { taken, unreadable: Vec::new() });
        }
        let claims = self.claim_shared(order).await?;
        self.last_look.left(claims.taken.len() >= order.slots || self.last_look.saw_something());
        Ok(claims)
    }

    /// Shared out between the lanes in which something is ready.
    async fn claim_shared(&self, order: &ClaimOrder) -> Result<Claims, StoreError> {
        let mut claims = Claims::default();
        let mut barren: HashSet<Spot> = HashSet::new();
        let (mut races, mut fresh) = (0, false);
        // Each round takes something, finds a lane barren, lost a race, or went by an earlier look.
        while claims.taken.len() < order.slots && races < RACES {
            let free = order.slots - claims.taken.len();
            let heads = self.heads(order, &barren, fresh).await?;
            if heads.waiting.is_empty() && heads.fresh {
                break;
            }
            fresh = true;
            let mut round = Round { claimant: &order.claimant, free, barren: &mut barren };
            // Who was too slow once in this claim locks for the rest of it.
            let at_once = if races == 0 { round.go_at_once(self, &heads).await? } else { None };
            let found = match at_once {
                Some(found) => found,
                None => round.go(self, &heads).await?,
            };
            let Found { taken, unreadable, raced } = found;
            races += u32::from(raced);
            self.last_look.served(&taken);
            // Every lane that was seen gave less than was asked of it: there is nothing to look for again.
            let exhausted = heads.fresh && heads.waiting.iter().all(|(one, _)| barren.contains(&one.spot));
            claims.taken.extend(taken);
            claims.unreadable.extend(unreadable);
            if exhausted && !raced {
                break;
            }
        }
        Ok(claims)
    }
}

/// What one look at the lanes brought.
#[derive(Default)]
struct Found {
    taken: Vec<Claimed>,
    unreadable: Vec<CorruptRow>,
    /// Somebody else was faster for a slot of a limit.
    raced: bool,
}

/// One look at the lanes.
struct Round<'a> {
    claimant: &'a Claimant,
    free: usize,
    /// Where there was nothing for us.
    barren: &'a mut HashSet<Spot>,
}

impl Round<'_> {
    /// Without a lock; `None`: it takes one.
    async fn go_at_once(&mut self, store: &Store, heads: &Heads) -> Result<Option<Found>, StoreError> {
        if heads.limited || store.crowd.is_dense() {
            return Ok(None);
        }
        let open: Vec<Waiting> = heads.waiting.iter().map(|(waiting, _)| waiting.clone()).collect();
        let mut candidates = Vec::new();
        for (spot, share) in share_out(&open, self.free) {
            let query = of_spot(&spot, share, "");
            let found = store.all("look for ready jobs", query).await?;
            for row in &found {
                match candidate(row) {
                    // A cancel may be asked for while nobody locks the row; only a lock makes sure of it.
                    Ok(candidate) if candidate.job.cancel.is_none() => candidates.push(candidate),
                    Ok(_) | Err(_) => return Ok(None),
                }
            }
            if found.len() < share {
                self.barren.insert(spot);
            }
        }
        let wanted = candidates.len();
        let taken = match store.take_at_once(candidates, self.claimant).await {
            Err(error) if error.is_collision() => Vec::new(),
            taken => taken?,
        };
        let raced = taken.len() < wanted;
        if raced {
            store.crowd.met();
        }
        Ok(Some(Found { taken, unreadable: Vec::new(), raced }))
    }

    /// Within one transaction, passing over what others are about to take.
    async fn go(&mut self, store: &Store, heads: &Heads) -> Result<Found, StoreError> {
        let mut tx = store.begin("claim jobs").await?;
        match self.within(&mut tx, heads).await {
            Err(error) if error.is_collision() => Ok(Found { raced: true, ..Found::default() }),
            // Nothing was written; dropping it is as good as a commit.
            Ok(found) if found.taken.is_empty() && found.unreadable.is_empty() => Ok(found),
            Ok(found) => tx.commit().await.map(|()| found),
            Err(error) => Err(error),
        }
    }

    async fn within(&mut self, tx: &mut WriteTx, heads: &Heads) -> Result<Found, StoreError> {
        let mut limits =
            if heads.limited { slots::of(tx, &all_keys(heads)).await? } else { Limits::default() };
        let mut open = Vec::new();
        for (waiting, lane) in &heads.waiting {
            if limits.next_free(&lane.limit_keys).is_some() {
                open.push(waiting.clone());
            } else {
                self.barren.insert(waiting.spot.clone());
            }
        }
        let mut candidates = Vec::new();
        let mut unreadable = Vec::new();
        for (spot, share) in share_out(&open, self.free) {
            let Some((_, lane)) = heads.waiting.iter().find(|(waiting, _)| waiting.spot == spot) else {
                continue;
            };
            let found = tx.all(of_spot(&spot, share, "{lock_free}")).await?;
            if found.len() < share {
                self.barren.insert(spot);
            }
            for row in &found {
                match candidate(row) {
                    Ok(mut candidate) => {
                        let Some(slots) = limits.hand_out(&lane.limit_keys) else { break };
                        candidate.slots = slots;
                        candidates.push(candidate);
                    }
                    Err(error) => unreadable.push(error),
                }
            }
        }
        for row in &unreadable {
            free::set_aside(tx, &row.job).await?;
        }
        let wanted = candidates.len();
        let taken = take(tx, candidates, self.claimant).await?;
        let raced = taken.len() < wanted;
        Ok(Found { taken, unreadable, raced })
    }
}

/// The first jobs of a lane and place.
fn of_spot(spot: &Spot, count: usize, lock: &str) -> Sql {
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    sql(of_spot_text(lock)).bind(&spot.lane).bind(&spot.place).bind(limit)
}

pub(crate) fn of_spot_text(lock: &str) -> String {
    format!(
        "{SELECT_JOB} WHERE j.phase = 'ready' AND NOT j.ended AND j.lane_id = $1 AND j.place = $2 \
         ORDER BY j.position, j.id LIMIT $3 {lock}"
    )
}

pub(super) fn candidate(row: &Row) -> Result<Candidate, CorruptRow> {
    let raw = row.text("id").map_err(|error| CorruptRow::new("?", "id", error))?;
    Ok(Candidate {
        now: Timestamp(row::number(row, &raw, "now")?),
        place: row::text(row, &raw, "place")?,
        job: row::job(row)?,
        slots: Vec::new(),
    })
}

fn all_keys(heads: &Heads) -> Vec<String> {
    let mut keys: Vec<String> =
        heads.waiting.iter().flat_map(|(_, lane)| lane.limit_keys.iter().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}
