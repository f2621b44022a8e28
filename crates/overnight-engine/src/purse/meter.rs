//! What a running session has used, and whether a limit still lets it go on: shared by the reader of its lines, who stops it
//! with the very record that goes too far, and by whoever reports it to the ledger and hears there of others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use overnight_core::agent::{LimitKind, RemainingLimits, Usage};
use overnight_core::policy::budget::{self, Bound, Breach, Spent};

/// Cheap to clone; all clones are of the same session.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    bounds: Vec<Bound>,
    usage: Usage,
    model: Option<String>,
    began: Instant,
    /// Dollars whose price we do not know are kept by the CLI.
    kept_by_cli: bool,
    /// The first limit that did not hold stays.
    breach: Option<Breach>,
}

/// What is known of a session at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) usage: Usage,
    pub(super) model: Option<String>,
    pub(super) wall_ms: u64,
}

impl Meter {
    pub(super) fn new(bounds: Vec<Bound>, kept_by_cli: bool) -> Self {
        let (usage, model, breach, began) = (Usage::default(), None, None, Instant::now());
        Self(Arc::new(Mutex::new(Reading { bounds, usage, model, began, kept_by_cli, breach })))
    }

    /// What the session may use, as far as its CLI can keep to it by itself.
    pub(crate) fn left(&self) -> RemainingLimits {
        budget::left(&self.lock().bounds)
    }

    /// The session begins now.
    pub(crate) fn begin(&self) {
        self.lock().began = Instant::now();
    }

    /// The session has used this much so far. `true`: it must end.
    pub(crate) fn saw(&self, usage: Usage) -> bool {
        let mut reading = self.lock();
        reading.usage = usage;
        reading.judge()
    }

    pub(crate) fn named(&self, model: &str) {
        self.lock().model = Some(model.to_owned());
    }

    /// Limits as they are now that others' spend is known. `true`: the session must end.
    pub(super) fn bound(&self, bounds: Vec<Bound>) -> bool {
        let mut reading = self.lock();
        reading.bounds = bounds;
        reading.judge()
    }

    /// Looks again, because time has passed. `true`: the session must end.
    pub(super) fn look(&self) -> bool {
        self.lock().judge()
    }

    pub(crate) fn breach(&self) -> Option<Breach> {
        self.lock().breach
    }

    /// The limit that a stop by the CLI itself, or by the clock, was about.
    pub(crate) fn tightest(&self, kind: LimitKind) -> Option<Breach> {
        let reading = self.lock();
        budget::tightest(&reading.bounds, kind, &reading.own())
    }

    pub(super) fn nearly_used_up(&self) -> Vec<Breach> {
        let reading = self.lock();
        budget::nearly_used_up(&reading.bounds, &reading.own())
    }

    pub(super) fn known(&self) -> Known {
        let reading = self.lock();
        Known { usage: reading.usage, model: reading.model.clone(), wall_ms: reading.wall_ms() }
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn judge(&mut self) -> bool {
        if self.breach.is_none() {
            let breach = budget::during(&self.bounds, &self.usage, self.wall_ms());
            self.breach = breach.filter(|breach| !(breach.unpriced && self.kept_by_cli));
        }
        self.breach.is_some()
    }

    fn own(&self) -> Spent {
        Spent::of_session(&self.usage, self.wall_ms())
    }

    fn wall_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::policy::budget::Scope;

    use super::*;

    fn meter(kept_by_cli: bool) -> Meter {
        let bound = Bound { scope: Scope::Job, kind: LimitKind::Cost, limit: 100, spent: 0 };
        Meter::new(vec![bound], kept_by_cli)
    }

    fn used(cost: Option<i64>) -> Usage {
        let cost = cost.map(overnight_core::units::MicroDollars);
        Usage { output_tokens: 5, cost, ..Usage::default() }
    }

    #[test]
    fn the_record_that_goes_too_far_ends_the_session_and_the_reason_stays() {
        let meter = meter(false);
        assert!(!meter.saw(used(Some(99))));
        assert!(meter.saw(used(Some(100))));
        assert!(meter.bound(Vec::new()), "a raise comes too late for it");
        assert_eq!(meter.breach().map(|breach| breach.used), Some(100));
    }

    #[test]
    fn an_unknown_price_ends_it_unless_the_cli_knows_better() {
        assert!(meter(false).saw(used(None)));
        assert!(!meter(true).saw(used(None)));
        assert!(meter(true).saw(used(Some(100))));
    }

    #[test]
    fn others_count_as_soon_as_they_are_heard_of() {
        let meter = meter(false);
        assert!(!meter.saw(used(Some(60))));
        let heard = Bound { scope: Scope::Day, kind: LimitKind::Cost, limit: 100, spent: 60 };
        assert!(meter.bound(vec![heard]));
        assert_eq!(meter.breach().map(|breach| (breach.scope, breach.used)), Some((Scope::Day, 120)));
        assert_eq!(meter.tightest(LimitKind::Tokens), None);
    }
}
