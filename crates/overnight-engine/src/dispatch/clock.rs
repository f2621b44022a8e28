//! The time as the store's clock would tell it, without asking: read once and counted on.

use overnight_core::units::Timestamp;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    read: Timestamp,
    at: Instant,
}

impl Clock {
    pub(super) fn started(now: Timestamp) -> Self {
        Self { read: now, at: Instant::now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.read.plus(self.at.elapsed())
    }

    /// The moment at which this clock shows `time`.
    pub(super) fn instant(&self, time: Timestamp) -> Instant {
        self.at + time.since(self.read)
    }
}
