//! Taking jobs: how many, and of which kind.

use std::time::Duration;

use overnight_core::agent::BackendId;
use overnight_core::worker::Intake;
use overnight_store::{ClaimOrder, Claimant, Claims, Offer, Store, StoreError};
use tokio::time::timeout;

/// Longest wait for a claim. One whose answer is lost is given back by the heartbeat.
const ANSWER: Duration = Duration::from_secs(20);

/// What may be claimed now; `None`: nothing.
/// `closed`: backends whose vendor is not asked.
pub(super) fn order(
    claimant: &Claimant,
    offer: &Offer,
    intake: &Intake,
    closed: &[BackendId],
    free: usize,
) -> Option<ClaimOrder> {
    let Intake::Open { not_backends } = intake else { return None };
    let usable = |backend: &BackendId| !not_backends.contains(backend) && !closed.contains(backend);
    let backends: Vec<BackendId> = offer.backends.iter().copied().filter(usable).collect();
    if free == 0 || backends.is_empty() {
        return None;
    }
    let offer = Offer { backends, ..offer.clone() };
    Some(ClaimOrder { claimant: claimant.clone(), slots: free, offer })
}

/// Why nothing could be claimed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database did not answer a claim within {} s", ANSWER.as_secs())]
    NoAnswer,
}

pub(super) async fn claim(store: &Store, order: &ClaimOrder) -> Result<Claims, ClaimError> {
    match timeout(ANSWER, store.jobs_claim(order)).await {
        Ok(claims) => Ok(claims?),
        Err(_) => Err(ClaimError::NoAnswer),
    }
}
