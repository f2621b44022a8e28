//! The sums of a sweep, and how they are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::harness::fleet::Engine;

use super::case::Told;
use super::plan::Plan;

/// Between two lines of progress.
const EVERY: u32 = 25;

#[derive(Debug, Default)]
pub(super) struct Figures {
    cases: u32,
    by_kind: BTreeMap<String, u32>,
    by_state: BTreeMap<String, u32>,
    ends: BTreeMap<String, u32>,
    missed: u32,
    checks: u32,
    gone: Duration,
    recovery: Duration,
    told: u32,
}

impl Figures {
    pub(super) fn kills(&self) -> u32 {
        self.by_kind.values().sum()
    }

    /// Gives a line of progress now and then.
    pub(super) fn add(&mut self, told: Told) -> Option<String> {
        self.cases += 1;
        self.missed += told.missed;
        self.checks += told.checks;
        self.gone = self.gone.max(told.gone);
        self.recovery = self.recovery.max(told.recovery);
        for (kind, states) in told.kills {
            *self.by_kind.entry(kind).or_default() += 1;
            for state in states {
                *self.by_state.entry(state).or_default() += 1;
            }
        }
        for end in told.ends {
            *self.ends.entry(end).or_default() += 1;
        }
        let due = self.kills() / EVERY > self.told / EVERY;
        self.told = self.kills();
        due.then(|| format!("{} kills in {} cases so far", self.kills(), self.cases))
    }

    pub(super) fn report(&self, engine: Engine, seed: u64, plan: &Plan, time: Duration) -> String {
        let mut text = String::new();
        let jobs: u32 = self.ends.values().sum();
        let line = format!(
            "crash sweep on {} (seed {seed}): {} kills in {} cases, {jobs} jobs, {} checks of the invariants, {:.0} s",
            engine.word(),
            self.kills(),
            self.cases,
            self.checks,
            time.as_secs_f64(),
        );
        writeln!(text, "{line}").unwrap();
        writeln!(text, "  killed at:            {}", listed(&self.by_kind)).unwrap();
        writeln!(text, "  jobs were:            {}", listed(&self.by_state)).unwrap();
        writeln!(text, "  jobs ended:           {}", listed(&self.ends)).unwrap();
        let struck = (self.cases.div_ceil(2) as usize).min(plan.events());
        writeln!(text, "  after every event:    {struck} of {} places", plan.events()).unwrap();
        writeln!(text, "  came too late:        {}", self.missed).unwrap();
        writeln!(text, "  no process left:      after {} ms at the latest", self.gone.as_millis()).unwrap();
        write!(text, "  longest last worker:  {} ms", self.recovery.as_millis()).unwrap();
        if !plan.has_calls() {
            write!(text, "\n  no system calls were struck at: strace is not installed or not permitted")
                .unwrap();
        }
        text
    }
}

fn listed(counts: &BTreeMap<String, u32>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}
