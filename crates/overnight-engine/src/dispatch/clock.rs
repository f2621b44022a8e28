//! The time as the store's clock would tell it, without asking: read now and then, and counted on.

use std::time::Duration;

use overnight_core::units::Timestamp;
use tokio::time::Instant;

/// A difference that no drift of two clocks makes between two looks: somebody has set one of them.
const JUMP: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    read: Timestamp,
    at: Instant,
}

impl Clock {
    pub(super) fn started(now: Timestamp) -> Self {
        Self { read: now, at: Instant::now() }
    }

    /// Sets it by what the store's clock showed at some moment since `asked`. Whether that clock has jumped since it was last
    /// read.
    pub(super) fn set(&mut self, shown: Timestamp, asked: Instant) -> bool {
        let earliest = self.read.plus(asked.saturating_duration_since(self.at));
        let latest = self.now();
        *self = Self::started(shown);
        shown.plus(JUMP) < earliest || shown > latest.plus(JUMP)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.read.plus(self.at.elapsed())
    }

    /// The moment at which this clock shows `time`.
    pub(super) fn instant(&self, time: Timestamp) -> Instant {
        self.at + time.since(self.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_has_jumped_and_a_slow_answer_is_no_jump() {
        let start = Timestamp(1_000_000_000);
        let hour = Duration::from_secs(3600);
        let mut clock = Clock::started(start);
        assert!(!clock.set(start.plus(Duration::from_secs(1)), Instant::now()));
        assert!(clock.set(start.plus(hour), Instant::now()));
        assert!(!clock.set(start.plus(hour), Instant::now()), "it was set by the last look");
        assert!(clock.set(start, Instant::now()));
        assert_eq!(clock.now().since(start).as_secs(), 0);
        // It was asked long ago, and the answer is from then.
        let mut clock = Clock { read: start, at: Instant::now() - Duration::from_secs(60) };
        assert!(!clock.set(start, clock.at));
    }
}
