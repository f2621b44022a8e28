//! What is measured, and how much of it.

use std::fmt;

/// One measurement of one contestant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// One acknowledged job after the other.
    EnqueueSingle,
    /// Ten in flight.
    EnqueueTen,
    /// A thousand per transaction.
    EnqueueBatch,
    /// Jobs that do nothing, ten at a time, loaded before the clock starts, until the database shows none left.
    Drain,
    /// From the call that enqueues a job to its start by a worker that had nothing to do.
    PickUp,
    /// One claim, while fifty thousand ready jobs of a repository that is at its limit stand in front.
    Behind,
    /// Draining while a transaction that was begun before keeps the database from forgetting old rows.
    Pinned,
}

/// Those that everybody can do.
pub(crate) const USUAL: [Scenario; 5] = [
    Scenario::EnqueueSingle,
    Scenario::EnqueueTen,
    Scenario::EnqueueBatch,
    Scenario::Drain,
    Scenario::PickUp,
];

pub(crate) const SCENARIOS: [Scenario; 7] = [
    Scenario::EnqueueSingle,
    Scenario::EnqueueTen,
    Scenario::EnqueueBatch,
    Scenario::Drain,
    Scenario::PickUp,
    Scenario::Behind,
    Scenario::Pinned,
];

impl Scenario {
    /// As programs are told.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::EnqueueSingle => "enqueue-single",
            Self::EnqueueTen => "enqueue-ten",
            Self::EnqueueBatch => "enqueue-batch",
            Self::Drain => "drain",
            Self::PickUp => "pickup",
            Self::Behind => "behind",
            Self::Pinned => "pinned",
        }
    }

    /// What is in the database when the clock starts, as programs are told.
    pub(crate) const fn load(self) -> Option<&'static str> {
        match self {
            Self::EnqueueSingle | Self::EnqueueTen | Self::EnqueueBatch | Self::PickUp => None,
            Self::Drain | Self::Pinned => Some("load"),
            Self::Behind => Some("load-behind"),
        }
    }

    /// Where it stands in [`SCENARIOS`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Jobs per measurement.
#[derive(Debug)]
pub(crate) struct Sizes([usize; SCENARIOS.len()]);

impl Sizes {
    pub(crate) const FULL: Self = Self([2_000, 5_000, 50_000, 10_000, 200, 500, 30_000]);
    /// Enough to see that everything runs; its figures say little.
    pub(crate) const QUICK: Self = Self([200, 400, 5_000, 1_000, 50, 100, 6_000]);

    pub(crate) fn of(&self, scenario: Scenario) -> usize {
        self.0[scenario.index()]
    }
}

/// What came of one measurement.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// Jobs per second.
    Rate(f64),
    /// Milliseconds, sorted.
    Latency(Vec<f64>),
    /// Jobs per second, at the beginning and at the end.
    Fade(f64, f64),
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) if *rate < 100.0 => write!(f, "{rate:.1} jobs/s"),
            Self::Rate(rate) => write!(f, "{rate:.0} jobs/s"),
            Self::Latency(ms) => {
                write!(f, "{:.2} / {:.2} ms ({} jobs)", percentile(ms, 0.5), percentile(ms, 0.99), ms.len())
            }
            Self::Fade(first, last) => write!(f, "{first:.0}, in the end {last:.0} jobs/s"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

/// Of sorted values: the smallest that so large a part of them does not exceed.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}
