//! Where something is ready: the first job of each lane, and when its repository had its last turn.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use overnight_core::job::PRIORITY_STEP;

use crate::error::StoreError;
use crate::lane::Lane;
use crate::reclaim::GONE;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::Store;

use super::Claimed;
use super::next::ClaimOrder;
use super::plan::{Spot, Waiting};

/// How long a look serves further claims, unless this process hears of a commit that gives work: with a burst of short jobs most
/// claims save a round trip, and whatever is not heard of is seen a tenth of a second later.
const AGE: Duration = Duration::from_millis(100);

/// The first ready job of each lane and place, found by going from one to the next along the index instead of over all jobs.
pub(crate) const HEADS: &str = "WITH RECURSIVE found (lane, place, position, priority, id, repository) AS ( \
       SELECT lane_id, place, position, priority, id, repository_id FROM jobs WHERE id = ( \
         SELECT id FROM jobs WHERE phase = 'ready' AND NOT ended ORDER BY lane_id, place, position, id LIMIT 1) \
       UNION ALL \
       SELECT j.lane_id, j.place, j.position, j.priority, j.id, j.repository_id FROM found f CROSS JOIN jobs j WHERE j.id = ( \
         SELECT n.id FROM jobs n WHERE n.phase = 'ready' AND NOT n.ended AND (n.lane_id, n.place) > (f.lane, f.place) \
         ORDER BY n.lane_id, n.place, n.position, n.id LIMIT 1) \
     ) \
     SELECT lane, place, position, priority, id, repository, (SELECT COUNT(*) FROM limits) AS limits, \
       COALESCE((SELECT MAX(claimed_at) FROM jobs s \
         WHERE s.repository_id = repository AND s.claimed_at IS NOT NULL), 0) AS served \
     FROM found WHERE place IN ('', $1, $2)";

/// Lanes that may have something for a worker.
pub(super) struct Heads {
    pub(super) waiting: Vec<(Waiting, Arc<Lane>)>,
    /// Some limit may apply.
    pub(super) limited: bool,
    /// As they are now, and not as they were seen before.
    pub(super) fresh: bool,
}

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct LastLook {
    look: Mutex<Option<Look>>,
    /// The last claim may have left something.
    left: AtomicBool,
}

#[derive(Debug, Clone)]
struct Look {
    place: String,
    at: Instant,
    /// Commits that give work, as far as they had been heard of before.
    heard: u64,
    limits: i64,
    waiting: Vec<Waiting>,
}

impl LastLook {
    fn usable(&self, place: &str, heard: u64) -> Option<Look> {
        let last = self.lock();
        last.as_ref()
            .filter(|look| look.place == place && look.heard == heard && look.at.elapsed() < AGE)
            .cloned()
    }

    /// Whether a claim may have left something.
    pub(super) fn left(&self, something: bool) {
        self.left.store(something, Ordering::Relaxed);
    }

    pub(super) fn left_nothing(&self) -> bool {
        !self.left.load(Ordering::Relaxed)
    }

    pub(super) fn saw_something(&self) -> bool {
        self.lock().as_ref().is_some_and(|look| !look.waiting.is_empty())
    }

    /// These repositories had their turn.
    pub(super) fn served(&self, taken: &[Claimed]) {
        let mut last = self.lock();
        let Some(look) = last.as_mut() else { return };
        for Claimed { job, .. } in taken {
            for waiting in look.waiting.iter_mut().filter(|one| one.repository == job.repository.as_str()) {
                waiting.served = waiting.served.max(job.updated_at.0);
            }
        }
    }

    fn keep(&self, look: &Look) {
        *self.lock() = Some(look.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Look>> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Where there is something for this order, apart from the spots that are known to be `barren`. `fresh`: what was seen before
    /// will not do.
    pub(super) async fn heads(
        &self,
        order: &ClaimOrder,
        barren: &HashSet<Spot>,
        fresh: bool,
    ) -> Result<Heads, StoreError> {
        let place = order.claimant.place.as_str();
        let before = if fresh { None } else { self.last_look.usable(place, self.heard()) };
        let fresh = before.is_none();
        let look = match before {
            Some(look) => look,
            None => self.look(place).await?,
        };
        let known = |waiting: Waiting| {
            let lane = self.lanes.get(&waiting.spot.lane)?;
            (lane.suits(&order.offer) && !barren.contains(&waiting.spot)).then_some((waiting, lane))
        };
        let waiting: Vec<_> = look.waiting.into_iter().filter_map(known).collect();
        let limited = look.limits > 0 || waiting.iter().any(|(_, lane)| lane.has_group());
        Ok(Heads { waiting, limited, fresh })
    }

    async fn look(&self, place: &str) -> Result<Look, StoreError> {
        // Read before the look: what is committed while it looks makes it outdated.
        let (heard, at) = (self.heard(), Instant::now());
        let found = self.all("look for ready jobs", sql(HEADS).bind(place).bind(GONE)).await?;
        let limits = found.first().map_or(Ok(0), |head| row::number(head, "?", "limits"))?;
        let waiting = found.iter().map(waiting).collect::<Result<Vec<_>, _>>()?;
        let lanes: Vec<String> = waiting.iter().map(|one| one.spot.lane.clone()).collect();
        self.learn_lanes(&lanes).await?;
        let look = Look { place: place.to_owned(), at, heard, limits, waiting };
        self.last_look.keep(&look);
        Ok(look)
    }
}

fn waiting(head: &Row) -> Result<Waiting, StoreError> {
    let step = i64::try_from(PRIORITY_STEP.as_millis()).unwrap_or(i64::MAX);
    Ok(Waiting {
        spot: Spot { lane: row::text(head, "?", "lane")?, place: row::text(head, "?", "place")? },
        repository: row::text(head, "?", "repository")?,
        position: row::number(head, "?", "position")?,
        first: row::text(head, "?", "id")?,
        served: row::number(head, "?", "served")?,
        handicap: row::number(head, "?", "priority")?.saturating_mul(step).saturating_neg(),
    })
}
