//! How old the worker's last heartbeat is, by this process's own monotonic clock: neither a wall clock that jumps nor a store
//! that is out of reach can make a dead worker look alive, or a living one dead.

use std::convert::Infallible;
use std::time::Duration;

use overnight_core::units::Timestamp;
use overnight_core::worker::WorkerReport;
use tokio::sync::watch;
use tokio::time::Instant;

/// The last heartbeat, and when it was seen here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    beat: Timestamp,
    seen: Instant,
}

impl Pulse {
    /// The time that has passed since the heartbeat in `report`; none when it was not even seen yet.
    pub(crate) fn age(self, report: &WorkerReport) -> Duration {
        if self.beat == report.heartbeat_at { self.seen.elapsed() } else { Duration::ZERO }
    }
}

/// The place for the pulse, starting with the heartbeat that `report` holds now.
pub(crate) fn channel(
    report: &watch::Receiver<WorkerReport>,
) -> (watch::Sender<Pulse>, watch::Receiver<Pulse>) {
    let beat = report.borrow().heartbeat_at;
    watch::channel(Pulse { beat, seen: Instant::now() })
}

/// Notes each new heartbeat. After the worker is gone nothing is noted any more, and the last one gets old.
pub(crate) async fn follow(
    mut report: watch::Receiver<WorkerReport>,
    pulse: watch::Sender<Pulse>,
) -> Infallible {
    loop {
        let beat = report.borrow_and_update().heartbeat_at;
        pulse.send_if_modified(|pulse| {
            let is_new = pulse.beat != beat;
            if is_new {
                *pulse = Pulse { beat, seen: Instant::now() };
            }
            is_new
        });
        if report.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
