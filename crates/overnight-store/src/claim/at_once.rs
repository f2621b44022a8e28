//! Taking jobs with one change: read without a lock, judge, and write what still stands as it was read. A claim is three round
//! trips then instead of six. When somebody else was faster, the next claims lock before they judge, because then they pass over
//! what others are about to take instead of reaching for the same.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::at_once::{Change, Parts, events_value};
use crate::error::StoreError;
use crate::lease::span;
use crate::placement::IN_V;
use crate::records::{Column, records};
use crate::row::to_json;
use crate::sql::{Value, sql};
use crate::store::Store;

use super::take::{Candidate, LEADING, RETURNED, Written, change, decide, handed_over};
use super::{Claimant, Claimed};

/// How many claims lock after one that was too slow: enough that a crowd of workers seldom reaches for the same, few enough
/// that a worker left alone soon notices.
const LOCKING: u32 = 32;

/// Whether others claim at the same time.
#[derive(Debug, Default)]
pub(crate) struct Crowd(AtomicU32);

impl Crowd {
    /// Whether the next claim had better lock.
    pub(super) fn is_dense(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Somebody was faster.
    pub(super) fn met(&self) {
        self.0.store(LOCKING, Ordering::Relaxed);
    }
}

static COLUMNS: LazyLock<Vec<Column>> =
    LazyLock::new(|| LEADING.into_iter().chain(IN_V).chain([("v_was", "TEXT")]).collect());

/// The state is compared too: a job may have ended, or been parked, since it was read, without a new fence. That it is still
/// ready follows from both; to say so would lead a planner to the index of all ready jobs. A limit may have been set since then.
const AS_READ: &str = "AND state = v_was AND cancel IS NULL AND NOT EXISTS (SELECT 1 FROM limits)";

static CLAIM: LazyLock<Change> = LazyLock::new(|| {
    Change::new(&Parts {
        parameter: 3,
        columns: &COLUMNS,
        update: || format!("{} {AS_READ}", change()),
        returned: RETURNED,
    })
});

impl Store {
    /// Takes those of the candidates that nobody else has touched since they were read.
    pub(crate) async fn take_at_once(
        &self,
        candidates: Vec<Candidate>,
        claimant: &Claimant,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut decided = Vec::with_capacity(candidates.len());
        // By their ids: see `at_once`.
        let mut rows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for candidate in candidates {
            let was = to_json("state", &candidate.job.state)?;
            let taking = decide(candidate, claimant)?;
            let mut row = taking.values()?;
            row.push(was.into());
            rows.insert(taking.job.id.as_str().to_owned(), row);
            decided.push(taking);
        }
        let events = decided.iter().map(|taking| (taking.job.id.as_str(), taking.step.events.as_slice()));
        let query = sql(CLAIM.text(self.engine()))
            .bind(claimant.worker.as_str())
            .bind(span(claimant.lease))
            .bind(records(&COLUMNS, rows.values().map(Vec::as_slice)))
            .bind(events_value(events)?);
        let found = self.change("claim jobs", query).await?;
        Ok(handed_over(decided, &Written::read(&found)?, claimant))
    }
}
