//! Which of the other workers are dead, as far as this machine can tell.

use overnight_core::id::WorkerId;
use overnight_proc::process_alive;
use overnight_store::{WorkerRow, WorkerSeen};

/// Workers of this host whose process is gone. Of others nothing is known: their leases run out.
///
/// `host` must name the machine and its process namespace: a process number means nothing elsewhere.
#[must_use]
pub fn dead(workers: &[WorkerSeen], host: &str) -> Vec<WorkerId> {
    let gone = |row: &WorkerRow| row.host == host && !process_alive(row.pid, row.start_ticks, &row.boot_id);
    workers.iter().map(|seen| &seen.worker).filter(|row| gone(row)).map(|row| row.id.clone()).collect()
}
