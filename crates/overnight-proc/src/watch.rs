//! Decides when a command has to be told to stop, when it is killed, and when we stop waiting. Pure: times come in as
//! arguments, orders go out as values. Owns the phase of one run.

use std::time::{Duration, Instant};

use overnight_core::command::{Limits, StopReason};

use crate::child::Order;
use crate::quiet::Quiet;

/// Longest that the supervisor may take for leftovers and the exit record once the program has ended: its own bounds add
/// up to 0.7 s, the rest is for a disk that is slow to sync.
const LEAVING: Duration = Duration::from_secs(20);
/// After KILL only a process that hangs in the kernel is still there; we report without it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Least time to empty the pipes once no process is left: they hold at most some 100 KiB and nobody adds to them.
const LAST_READ: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The program ended by itself; leftovers are being ended.
    Leaving {
        kill_at: Instant,
    },
    /// TERM was sent.
    Stopping {
        kill_at: Instant,
    },
    /// KILL was sent.
    Killing {
        give_up_at: Instant,
    },
    /// No process is left, or we wait no longer for one.
    Gone {
        drain_until: Instant,
    },
}

#[derive(Debug)]
pub(crate) struct Watch {
    phase: Phase,
    wall_at: Option<Instant>,
    quiet: Quiet,
    finish_at: Option<Instant>,
    grace: Duration,
    drain: Duration,
    ended_at: Option<Instant>,
    stopped: Option<StopReason>,
    abandoned: bool,
}

impl Watch {
    pub(crate) fn new(limits: &Limits, started: Instant) -> Self {
        Self {
            phase: Phase::Running,
            wall_at: limits.wall.and_then(|span| started.checked_add(span)),
            quiet: Quiet::new(limits, started),
            finish_at: None,
            grace: limits.grace,
            drain: limits.drain,
            ended_at: None,
            stopped: None,
            abandoned: false,
        }
    }

    pub(crate) fn heard(&mut self, now: Instant) {
        self.quiet.heard(now);
    }

    /// Whether the processor time of the tree is wanted, by [`Watch::looked`].
    pub(crate) fn look_due(&self, now: Instant) -> bool {
        self.phase == Phase::Running && self.quiet.look_due(now)
    }

    /// What the tree has used in all; `None` where that cannot be measured.
    pub(crate) fn looked(&mut self, used: Option<Duration>, now: Instant) {
        self.quiet.looked(used, now);
    }

    /// The program has this long to leave by itself. The earliest such wish counts.
    pub(crate) fn finish_within(&mut self, span: Duration, now: Instant) {
        if let Some(at) = now.checked_add(span) {
            self.finish_at = Some(self.finish_at.map_or(at, |before| before.min(at)));
        }
    }

    /// Begins the ladder, unless it has begun or the program has ended.
    pub(crate) fn stop(&mut self, reason: StopReason, now: Instant) -> Option<Order> {
        if self.phase != Phase::Running {
            return None;
        }
        self.stopped = Some(reason);
        self.phase = Phase::Stopping { kill_at: now + self.grace };
        Some(Order::Terminate)
    }

    pub(crate) fn program_ended(&mut self, now: Instant) {
        self.ended_at = Some(now);
        if self.phase == Phase::Running {
            self.phase = Phase::Leaving { kill_at: now + LEAVING };
        }
    }

    pub(crate) fn tree_gone(&mut self, now: Instant) {
        if !self.is_gone() {
            let drained = self.ended_at.unwrap_or(now) + self.drain;
            self.phase = Phase::Gone { drain_until: drained.max(now + LAST_READ) };
        }
    }

    /// When [`Watch::due`] has something to say, or [`Watch::looked`] wants to be told something first.
    pub(crate) fn next(&self) -> Option<Instant> {
        match self.phase {
            Phase::Running => [self.wall_at, self.quiet.next(), self.finish_at].into_iter().flatten().min(),
            Phase::Leaving { kill_at } | Phase::Stopping { kill_at } => Some(kill_at),
            Phase::Killing { give_up_at } => Some(give_up_at),
            Phase::Gone { drain_until } => Some(drain_until),
        }
    }

    /// What the time asks for.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Order> {
        if self.next().is_none_or(|at| at > now) {
            return None;
        }
        match self.phase {
            Phase::Running => {
                let reason = if self.wall_at.is_some_and(|at| at <= now) {
                    StopReason::WallTimeout
                } else if self.finish_at.is_some_and(|at| at <= now) {
                    StopReason::Driver
                } else {
                    StopReason::SilenceTimeout { idle: self.quiet.hangs(now)? }
                };
                self.stop(reason, now)
            }
            Phase::Leaving { .. } | Phase::Stopping { .. } => {
                self.phase = Phase::Killing { give_up_at: now + PATIENCE };
                Some(Order::Kill)
            }
            Phase::Killing { .. } => {
                self.abandoned = true;
                self.phase = Phase::Gone { drain_until: now };
                None
            }
            Phase::Gone { .. } => None,
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone { .. })
    }

    /// Whether nothing is worth waiting for, given whether the pipes are still open.
    pub(crate) fn is_over(&self, pipes_open: bool, now: Instant) -> bool {
        match self.phase {
            Phase::Gone { drain_until } => !pipes_open || now >= drain_until,
            Phase::Running | Phase::Leaving { .. } | Phase::Stopping { .. } | Phase::Killing { .. } => false,
        }
    }

    pub(crate) fn stopped(&self) -> Option<StopReason> {
        self.stopped
    }

    /// Processes outlived KILL.
    pub(crate) fn abandoned(&self) -> bool {
        self.abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> Limits {
        Limits {
            wall: Some(100 * SECOND),
            silence: Some(10 * SECOND),
            grace: 5 * SECOND,
            ..Limits::default()
        }
    }

    #[test]
    fn output_postpones_the_silence_timeout_but_not_the_wall() {
        let start = Instant::now();
        let mut watch = Watch::new(&limits(), start);
        for second in 0..12 {
            watch.heard(start + second * 9 * SECOND);
            if second < 11 {
                assert_eq!(watch.due(start + (second + 1) * 9 * SECOND), None);
            }
        }
        assert_eq!(watch.due(start + 100 * SECOND), Some(Order::Terminate));
        assert_eq!(watch.stopped(), Some(StopReason::WallTimeout));
    }

    #[test]
    fn the_ladder_is_term_then_kill_then_giving_up() {
        let start = Instant::now();
        let mut watch = Watch::new(&limits(), start);
        assert_eq!(watch.stop(StopReason::Asked, start), Some(Order::Terminate));
        assert_eq!(watch.stop(StopReason::Driver, start), None);
        assert_eq!(watch.due(start + 4 * SECOND), None);
        assert_eq!(watch.due(start + 5 * SECOND), Some(Order::Kill));
        assert_eq!(watch.due(start + 6 * SECOND), None);
        assert_eq!(watch.due(start + 5 * SECOND + PATIENCE), None);
        assert!(watch.abandoned() && watch.is_over(true, start + 5 * SECOND + PATIENCE));
        assert_eq!(watch.stopped(), Some(StopReason::Asked));
    }

    #[test]
    fn a_program_that_ended_by_itself_is_not_stopped() {
        let start = Instant::now();
        let mut watch = Watch::new(&limits(), start);
        watch.program_ended(start + SECOND);
        assert_eq!(watch.stop(StopReason::Asked, start + SECOND), None);
        watch.tree_gone(start + SECOND);
        assert!(watch.is_over(false, start + SECOND));
        assert!(!watch.is_over(true, start + SECOND));
        assert!(watch.is_over(true, start + SECOND + Limits::default().drain));
        assert_eq!(watch.stopped(), None);
    }

    #[test]
    fn a_finished_turn_gives_the_program_a_moment() {
        let start = Instant::now();
        let mut watch = Watch::new(&limits(), start);
        watch.finish_within(3 * SECOND, start);
        watch.finish_within(3 * SECOND, start + SECOND);
        assert_eq!(watch.due(start + 2 * SECOND), None);
        assert_eq!(watch.due(start + 3 * SECOND), Some(Order::Terminate));
        assert_eq!(watch.stopped(), Some(StopReason::Driver));
    }
}
