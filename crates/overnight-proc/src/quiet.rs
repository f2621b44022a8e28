//! Decides when a silent command has hung: it says nothing and does nothing, or says nothing for far too long whatever it
//! does. Pure: times and measurements come in as arguments. Owns when somebody last heard of the command.
//!
//! A long build inside a tool call prints nothing and works; a question that nobody answers uses nothing. The processor time
//! of the tree tells them apart.

use std::time::{Duration, Instant};

use overnight_core::command::Limits;

use crate::cpu::TICK;

/// Time between two looks at a silent command: three a minute. A command that speaks is not looked at.
const LOOK: Duration = Duration::from_secs(20);
/// Shortest time between two looks, for short limits: below it one tick would be a large part.
const SHORTEST_LOOK: Duration = Duration::from_millis(250);
/// Looks within the limit of silence, at least: one that finds work puts the end off by a whole limit.
const LOOKS: u32 = 8;
/// The part of one processor, as its divisor, that a waiting agent may use and still counts as idle: a tenth.
///
/// Measured over 80 s of waiting for a model that does not answer, in ticks of 10 ms (x86-64, 2 cores, all five at once): claude
/// 2.1.328 23, of which 9 in its worst 5 s; codex 0.169.0 2 (1); gemini 0.61.0 8 (4); qwen 0.24.4 34 (34, one collection of
/// garbage); opencode 1.18.33 191 (42). In its worst 20 s opencode used 3.4 % of one processor and every other less than
/// 2 %. While a tool waited that uses nothing: within the same bounds. A compiler uses all of at least one. Only a command that stays
/// below this for the whole limit, look by look, has hung.
const IDLE_PART: u32 = 10;

#[derive(Debug)]
pub(crate) struct Quiet {
    idle: Option<Duration>,
    busy: Option<Duration>,
    every: Duration,
    /// When it last wrote something, or was started.
    heard_at: Instant,
    /// When it last wrote something or was seen to work.
    alive_at: Instant,
    /// When it was last looked at, and what it had used by then.
    last: Option<(Instant, Option<Duration>)>,
    /// Since it was last alive, two looks in a row could be compared.
    compared: bool,
}

impl Quiet {
    pub(crate) fn new(limits: &Limits, started: Instant) -> Self {
        let every = limits.silence.map_or(LOOK, |span| (span / LOOKS).clamp(SHORTEST_LOOK, LOOK));
        Self {
            idle: limits.silence,
            busy: limits.silence_busy,
            every,
            heard_at: started,
            alive_at: started,
            last: None,
            compared: false,
        }
    }

    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.alive_at = now;
        self.last = None;
        self.compared = false;
    }

    /// When a look is due, or a limit runs out.
    pub(crate) fn next(&self) -> Option<Instant> {
        [self.look_at(), self.idle_at(), self.busy_at()].into_iter().flatten().min()
    }

    /// Whether the processor time of the tree is to be measured now.
    pub(crate) fn look_due(&self, now: Instant) -> bool {
        self.look_at().is_some_and(|at| at <= now)
    }

    /// What the tree has used in all; `None` where that cannot be measured.
    pub(crate) fn looked(&mut self, used: Option<Duration>, now: Instant) {
        if let (Some((then, Some(before))), Some(used)) = (self.last, used) {
            self.compared = true;
            // What ended and was not waited for is missing in the sum, which can therefore become smaller.
            let worked = used.saturating_sub(before);
            if worked > now.saturating_duration_since(then) / IDLE_PART + TICK {
                self.alive_at = now;
                self.compared = false;
            }
        }
        self.last = Some((now, used));
    }

    /// Whether a limit has run out, and if so whether the tree was idle (`None`: not known).
    pub(crate) fn hangs(&self, now: Instant) -> Option<Option<bool>> {
        let over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !over(self.idle_at()) && !over(self.busy_at()) {
            return None;
        }
        let worked = self.alive_at > self.heard_at;
        let lately = now.saturating_duration_since(self.alive_at) <= self.every * 2;
        Some(match (worked && lately, self.compared) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        })
    }

    fn look_at(&self) -> Option<Instant> {
        self.idle?;
        self.last.map_or(self.heard_at, |(at, _)| at).checked_add(self.every)
    }

    fn idle_at(&self) -> Option<Instant> {
        self.alive_at.checked_add(self.idle?)
    }

    fn busy_at(&self) -> Option<Instant> {
        self.heard_at.checked_add(self.busy?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn usual(started: Instant) -> Quiet {
        let limits =
            Limits { silence: Some(15 * MINUTE), silence_busy: Some(120 * MINUTE), ..Limits::default() };
        Quiet::new(&limits, started)
    }

    /// Looks whenever one is due until it hangs; `used` by the time since the start. Gives when, and whether idle.
    fn hangs_after(
        quiet: &mut Quiet,
        start: Instant,
        used: impl Fn(Duration) -> Option<Duration>,
    ) -> (Duration, Option<bool>, u32) {
        let mut looks = 0;
        loop {
            let now = quiet.next().expect("a limit");
            if quiet.look_due(now) {
                looks += 1;
                quiet.looked(used(now - start), now);
            }
            if let Some(idle) = quiet.hangs(now) {
                return (now - start, idle, looks);
            }
        }
    }

    #[test]
    fn what_says_and_does_nothing_hangs_after_the_limit() {
        let start = Instant::now();
        // As much as the liveliest of the real CLIs while it waits.
        let ticking = |since: Duration| Some(since / 30);
        let (after, idle, looks) = hangs_after(&mut usual(start), start, ticking);
        assert_eq!((after, idle), (15 * MINUTE, Some(true)));
        assert!(looks <= 45, "three looks a minute: {looks}");
    }

    #[test]
    fn what_works_in_silence_has_the_longer_limit() {
        let start = Instant::now();
        let (after, idle, _) = hangs_after(&mut usual(start), start, Some);
        assert_eq!((after, idle), (120 * MINUTE, Some(false)));
    }

    #[test]
    fn a_build_that_stops_working_hangs_the_limit_after_that() {
        let start = Instant::now();
        let (after, idle, _) = hangs_after(&mut usual(start), start, |since| Some(since.min(40 * MINUTE)));
        assert_eq!((after, idle), (55 * MINUTE, Some(true)));
    }

    #[test]
    fn where_nothing_can_be_measured_silence_alone_counts() {
        let start = Instant::now();
        assert_eq!(hangs_after(&mut usual(start), start, |_| None).0, 15 * MINUTE);
        let some = |since: Duration| (since < MINUTE).then_some(Duration::ZERO);
        assert_eq!(hangs_after(&mut usual(start), start, some).0, 15 * MINUTE);
        let (_, idle, _) = hangs_after(&mut usual(start), start, |_| None);
        assert_eq!(idle, None);
    }

    #[test]
    fn what_is_heard_of_is_not_looked_at() {
        let start = Instant::now();
        let mut quiet = usual(start);
        for second in 0..600 {
            let now = start + second * SECOND;
            quiet.heard(now);
            assert!(!quiet.look_due(now + SECOND));
        }
        assert!(quiet.look_due(start + 599 * SECOND + LOOK));
    }

    /// The longer limit is a bound on all silence, should somebody have made it the shorter one.
    #[test]
    fn an_idle_command_that_meets_the_other_limit_first_is_called_idle() {
        let start = Instant::now();
        let limits =
            Limits { silence: Some(60 * MINUTE), silence_busy: Some(10 * MINUTE), ..Limits::default() };
        let idle = hangs_after(&mut Quiet::new(&limits, start), start, |_| Some(Duration::ZERO));
        assert_eq!((idle.0, idle.1), (10 * MINUTE, Some(true)));
    }

    #[test]
    fn a_sum_that_becomes_smaller_is_no_work() {
        let start = Instant::now();
        let shrinking = |since: Duration| Some(Duration::from_secs(4000).saturating_sub(since));
        assert_eq!(hangs_after(&mut usual(start), start, shrinking).0, 15 * MINUTE);
    }

    #[test]
    fn without_a_limit_nothing_is_due() {
        let quiet = Quiet::new(&Limits::default(), Instant::now());
        assert_eq!(quiet.next(), None);
        let only = Limits { silence_busy: Some(SECOND), ..Limits::default() };
        let start = Instant::now();
        let quiet = Quiet::new(&only, start);
        assert_eq!((quiet.next(), quiet.hangs(start + SECOND)), (Some(start + SECOND), Some(None)));
    }
}
