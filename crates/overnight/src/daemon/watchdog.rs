//! Keeps the service manager's watchdog quiet for as long as the heart beats, and no longer: a process whose heart stands
//! still loses its jobs anyway, and a restart is what helps it.
//!
//! A heart that beats without an answer lives too: starting anew mends no database.

use std::time::Duration;

use overnight_engine::Pulse;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::notify::Notifier;

/// Waits for the next look at the heart; for ever when no watchdog wants to know.
#[derive(Debug)]
pub(super) struct Watchdog {
    looks: Option<Interval>,
    pulse: watch::Receiver<Pulse>,
    last: Option<Duration>,
}

impl Watchdog {
    /// `every`: how often the service manager wants a sign of life.
    pub(super) fn new(every: Option<Duration>, pulse: watch::Receiver<Pulse>) -> Self {
        let looks = every.map(|every| {
            // Four looks in that time: one late beat, or one late look, is no death.
            let mut looks = interval((every / 4).max(Duration::from_millis(50)));
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        });
        Self { looks, pulse, last: None }
    }

    pub(super) async fn look(&mut self) -> Instant {
        match &mut self.looks {
            Some(looks) => looks.tick().await,
            None => std::future::pending().await,
        }
    }

    /// Says that this process lives, if its heart has beaten since the last time.
    pub(super) fn feed(&mut self, notifier: &Notifier) {
        if self.has_beaten() {
            notifier.alive();
        }
    }

    fn has_beaten(&mut self) -> bool {
        // Without a sender there is no heart any more.
        let Ok(tried) = self.pulse.has_changed() else { return false };
        let last = self.pulse.borrow_and_update().last;
        let answered = std::mem::replace(&mut self.last, last) != last;
        tried || answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_heart_that_beats_is_told_of() {
        let (heart, pulse) = watch::channel(Pulse::default());
        let mut watchdog = Watchdog::new(Some(Duration::from_secs(1)), pulse);
        assert!(!watchdog.has_beaten());
        let beat = |seconds| Pulse { last: Some(Duration::from_secs(seconds)), ..Pulse::default() };
        // An answered beat is not announced, it is only there.
        heart.send_if_modified(|pulse| {
            *pulse = beat(1);
            false
        });
        assert!(watchdog.has_beaten());
        assert!(!watchdog.has_beaten());
        heart.send_replace(Pulse { failing: Some((Duration::ZERO, "lost".into())), ..beat(1) });
        assert!(watchdog.has_beaten(), "it tried");
        assert!(!watchdog.has_beaten());
        drop(heart);
        assert!(!watchdog.has_beaten());
    }
}
