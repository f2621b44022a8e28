//! Who this process is among the workers, and which of the others are dead.

use overnight_core::id::WorkerId;
use overnight_core::job::Label;
use overnight_engine::dispatch::WorkerFacts;
use overnight_proc::{process_alive, self_identity};
use overnight_store::{Store, WorkerRow};

use crate::app::store_error;
use crate::error::AppError;

/// Characters of a host's name that a worker's id holds.
const MAX_HOST: usize = 40;

/// Records this process as a worker: each start of a process is a new one.
///
/// # Errors
/// When `/proc` or the store fails.
pub async fn register(store: &Store, place: &Label) -> Result<WorkerId, AppError> {
    let row = this_worker(place)?;
    store.worker_register(&row).await.map_err(|error| store_error(&error))?;
    Ok(row.id)
}

/// Workers of this machine whose process is gone. Of other machines nothing is known: their leases run out.
///
/// # Errors
/// When the store fails.
pub async fn dead(store: &Store) -> Result<Vec<WorkerId>, AppError> {
    let workers = store.workers().await.map_err(|error| store_error(&error))?;
    let host = host_name();
    let gone = |row: &WorkerRow| row.host == host && !process_alive(row.pid, row.start_ticks, &row.boot_id);
    Ok(workers.into_iter().map(|seen| seen.worker).filter(gone).map(|row| row.id).collect())
}

/// This process, as a worker says it of itself.
#[must_use]
pub fn facts() -> WorkerFacts {
    WorkerFacts { host: host_name(), pid: std::process::id(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

fn this_worker(place: &Label) -> Result<WorkerRow, AppError> {
    let own =
        self_identity().map_err(|error| AppError::unexpected("/proc cannot be read").because(&error))?;
    let host = host_name();
    // The first half of a UUID v7 is the time; its end is random.
    let random = uuid::Uuid::now_v7().simple().to_string();
    let boot = own.boot_id.split('-').next().unwrap_or_default();
    let id = format!("{host}:{boot}:{}:{}:{}", own.pid, own.start_ticks, &random[24..]);
    let id = WorkerId::parse(&id)
        .map_err(|error| AppError::unexpected("this process cannot be named as a worker").because(&error))?;
    Ok(WorkerRow {
        id,
        host,
        boot_id: own.boot_id,
        pid: own.pid,
        start_ticks: own.start_ticks,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        place: place.clone(),
    })
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.trim().chars().filter(|c| clean(*c)).take(MAX_HOST).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Whether this process acts as uid 0. `/proc/self/status`: `Uid:` real, effective, saved, file system.
#[must_use]
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_registered_process_is_alive_and_a_made_up_one_is_dead() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("overnight.db")).await.unwrap();
        let place = Label::parse("here").unwrap();
        let own = register(&store, &place).await.unwrap();
        let gone = WorkerRow {
            id: WorkerId::parse("gone").unwrap(),
            start_ticks: 1,
            ..this_worker(&place).unwrap()
        };
        let far = WorkerRow { id: WorkerId::parse("far").unwrap(), host: "another".into(), ..gone.clone() };
        store.worker_register(&gone).await.unwrap();
        store.worker_register(&far).await.unwrap();
        let dead = dead(&store).await.unwrap();
        assert_eq!(dead, [gone.id]);
        assert_ne!(own.as_str(), "gone");
    }
}
