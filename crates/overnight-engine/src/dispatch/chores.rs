//! What a worker does for the queue from time to time: jobs whose time has come, jobs of lost workers, jobs whose reason to
//! wait is gone, and looking whether it can go on itself.

use std::time::Duration;

use overnight_core::agent::BackendId;
use overnight_core::job::ParkReason;
use overnight_core::units::Timestamp;
use overnight_core::worker::HealthEvent;
use overnight_store::{ReclaimPolicy, Reclaimed, Store, StoreError};
use tokio::time::timeout;

use crate::engine::Engine;
use crate::peers;

use super::DispatchSettings;

/// Longest time for one chore: the queue is looked at in between.
const ANSWER: Duration = Duration::from_secs(5);

/// A chore with a time limit; what fails is told to the health.
pub(super) async fn limited<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, HealthEvent> {
    let failed = |detail: String| HealthEvent::StoreFailed { detail };
    match timeout(ANSWER, work).await {
        Ok(done) => done.map_err(|error| failed(crate::trouble::chain(&error))),
        Err(_) => Err(failed(format!("the database did not answer within {} s", ANSWER.as_secs()))),
    }
}

/// Takes back the jobs of lost workers, and lets go of those whose place is gone. `now`: what the store's clock has just shown.
pub(super) async fn reclaim(
    engine: &Engine,
    host: &str,
    settings: &DispatchSettings,
    now: Timestamp,
) -> Result<Vec<Reclaimed>, StoreError> {
    let store = engine.store();
    let dead = peers::dead(&store.workers().await?, host);
    let policy =
        ReclaimPolicy { most_losses: settings.most_losses, lease: engine.settings().lease, seen: Some(now) };
    let reclaimed = store.jobs_reclaim(&dead, policy).await?;
    let patience = i64::try_from(settings.move_after.as_millis()).unwrap_or(i64::MAX);
    store.jobs_move(Timestamp(now.0.saturating_sub(patience))).await?;
    Ok(reclaimed)
}

/// Wakes one job of each backend that waits for a login, to see whether the login works here by now.
pub(super) async fn canaries(store: &Store, backends: &[BackendId]) -> Result<(), StoreError> {
    for backend in backends {
        store.jobs_wake(ParkReason::AgentLogin, Some(*backend), true).await?;
    }
    Ok(())
}

/// Looks at the disk that everything is written to.
pub(super) async fn disk(engine: &Engine, floor: u64) -> HealthEvent {
    let path = engine.dirs().root().to_owned();
    let looked = path.clone();
    let free = tokio::task::spawn_blocking(move || overnight_proc::free_space(&looked)).await;
    match free {
        Ok(Ok(free_bytes)) if free_bytes < floor => {
            HealthEvent::DiskLow { path, free_bytes, floor_bytes: floor }
        }
        Ok(Ok(_)) => HealthEvent::DiskOk,
        Ok(Err(error)) => HealthEvent::ProbeFailed { detail: format!("{}: {error}", path.display()) },
        Err(_) => HealthEvent::ProbeFailed { detail: "looking at the disk broke off".to_owned() },
    }
}

/// Whether the store takes writes again.
pub(super) async fn probe(engine: &Engine) -> HealthEvent {
    match limited(engine.store().jobs_due()).await {
        Ok(_) => HealthEvent::ProbeOk,
        Err(HealthEvent::StoreFailed { detail }) => HealthEvent::ProbeFailed { detail },
        Err(other) => other,
    }
}
