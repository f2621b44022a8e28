//! A worker that had nothing to do is woken by one job, or a few of one lane. One look at the queue then brings the jobs themselves,
//! where a look at the heads of all lanes would be followed by another for their jobs.

use crate::error::StoreError;
use crate::row::{self, SELECT_JOB};
use crate::sql::{Row, sql};
use crate::store::Store;

use super::Claimed;
use super::next::{ClaimOrder, candidate};
use super::plan::Spot;
use crate::reclaim::GONE;

/// Most jobs that are read with their orders on the chance that these are all.
const MOST: usize = 8;

/// The first jobs that are ready, of all lanes and places: when they are fewer than asked for, there are no others.
pub(crate) fn text() -> String {
    format!(
        "{SELECT_JOB} WHERE j.phase = 'ready' AND NOT j.ended ORDER BY j.lane_id, j.place, j.position, j.id LIMIT $1"
    )
}

impl Store {
    /// Takes all that is ready, if that is little and of one lane without limits. `None`: there is more to it.
    pub(super) async fn claim_few(&self, order: &ClaimOrder) -> Result<Option<Vec<Claimed>>, StoreError> {
        if order.slots == 0 || !self.last_look.left_nothing() || self.crowd.is_dense() {
            return Ok(None);
        }
        let most = order.slots.min(MOST);
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let found = self.all("look for ready jobs", sql(text()).bind(limit)).await?;
        let Some(first) = found.first() else { return Ok(Some(Vec::new())) };
        let spot = spot(first)?;
        for other in &found[1..] {
            if found.len() > most || self::spot(other)? != spot {
                return Ok(None);
            }
        }
        self.learn_lanes(std::slice::from_ref(&spot.lane)).await?;
        let Some(lane) = self.lanes.get(&spot.lane) else { return Ok(None) };
        let here = ["", order.claimant.place.as_str(), GONE].contains(&spot.place.as_str());
        if lane.has_group() || !here || !lane.suits(&order.offer) {
            return Ok(None);
        }
        let mut candidates = Vec::with_capacity(found.len());
        for row in &found {
            match candidate(row) {
                Ok(candidate) if candidate.job.cancel.is_none() => candidates.push(candidate),
                Ok(_) | Err(_) => return Ok(None),
            }
        }
        let wanted = candidates.len();
        let taken = match self.take_at_once(candidates, &order.claimant).await {
            Err(error) if error.is_collision() => Vec::new(),
            taken => taken?,
        };
        if taken.len() < wanted {
            self.crowd.met();
        }
        self.last_look.served(&taken);
        // With nothing in hand the other way finds out whether somebody was faster or a limit is set.
        Ok((!taken.is_empty()).then_some(taken))
    }
}

fn spot(row: &Row) -> Result<Spot, StoreError> {
    Ok(Spot { lane: row::text(row, "?", "lane_id")?, place: row::text(row, "?", "place")? })
}
