//! A histogram of durations with fixed buckets: enough for percentiles of a latency over weeks, in a few hundred bytes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds in microseconds: a claim from SQLite takes less than one millisecond, and one behind a backlog minutes.
const BOUNDS_US: [u64; 16] = [
    250,
    500,
    1_000,
    2_000,
    4_000,
    8_000,
    16_000,
    32_000,
    64_000,
    125_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];

/// Counts durations by size. Its bounds belong to the value, so that a newer version can still read a stored one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Histogram {
    /// Ascending upper bounds in microseconds.
    bounds_us: Vec<u64>,
    /// How many fell into each bucket and no lower one; one more than there are bounds.
    counts: Vec<u64>,
    sum_us: u64,
}

/// One line of a rendered histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// `None`: without a bound.
    pub at_most: Option<Duration>,
    /// How many durations were at most so long: includes those of the buckets before.
    pub count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { bounds_us: BOUNDS_US.to_vec(), counts: vec![0; BOUNDS_US.len() + 1], sum_us: 0 }
    }
}

impl Histogram {
    pub fn observe(&mut self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let index = self.bounds_us.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(index) {
            *count = count.saturating_add(1);
        }
        self.sum_us = self.sum_us.saturating_add(micros);
    }

    /// How many durations were observed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// All observed durations together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// The buckets, each counting all up to its bound; the last one has no bound and counts everything.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        let bounds = self.bounds_us.iter().map(|bound| Some(Duration::from_micros(*bound))).chain([None]);
        bounds.zip(&self.counts).scan(0_u64, |sum, (at_most, count)| {
            *sum = sum.saturating_add(*count);
            Some(Bucket { at_most, count: *sum })
        })
    }
}

/// The JSON form. Milliseconds are fractions here: the interesting claims take less than one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wire {
    buckets: Vec<WireBucket>,
    sum_ms: f64,
    count: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct WireBucket {
    le_ms: Option<f64>,
    count: u64,
}

impl From<Histogram> for Wire {
    fn from(histogram: Histogram) -> Self {
        let buckets = histogram.buckets().map(|bucket| WireBucket {
            le_ms: bucket.at_most.map(|bound| bound.as_micros() as f64 / 1e3),
            count: bucket.count,
        });
        Self { buckets: buckets.collect(), sum_ms: histogram.sum_us as f64 / 1e3, count: histogram.count() }
    }
}

impl TryFrom<Wire> for Histogram {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let Some((WireBucket { le_ms: None, count: total }, bounded)) = wire.buckets.split_last() else {
            return Err("the last bucket of a histogram has no bound");
        };
        let bounds_us: Option<Vec<u64>> = bounded.iter().map(|bucket| bucket.le_ms.map(micros)).collect();
        let bounds_us = bounds_us.ok_or("only the last bucket of a histogram has no bound")?;
        if !bounds_us.is_sorted_by(|a, b| a < b) {
            return Err("the bounds of a histogram ascend");
        }
        let mut counts = Vec::with_capacity(wire.buckets.len());
        let mut before = 0;
        for count in bounded.iter().map(|bucket| bucket.count).chain([*total]) {
            counts.push(count.checked_sub(before).ok_or("the counts of a histogram do not fall")?);
            before = count;
        }
        Ok(Self { bounds_us, counts, sum_us: micros(wire.sum_ms) })
    }
}

/// Saturates, and takes what is no number for zero.
fn micros(millis: f64) -> u64 {
    (millis * 1e3).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millis: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for span in millis {
            histogram.observe(Duration::from_millis(*span));
        }
        histogram
    }

    #[test]
    fn a_duration_at_a_bound_counts_below_it() {
        let histogram = of(&[0, 1, 2, 3, 400_000]);
        let count = |at_most| histogram.buckets().find(|b| b.at_most == at_most).map(|b| b.count);
        assert_eq!(count(Some(Duration::from_micros(250))), Some(1));
        assert_eq!(count(Some(Duration::from_millis(1))), Some(2));
        assert_eq!(count(Some(Duration::from_millis(2))), Some(3));
        assert_eq!(count(Some(Duration::from_millis(4))), Some(4));
        assert_eq!(count(Some(Duration::from_secs(300))), Some(4));
        assert_eq!(count(None), Some(5));
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_millis(400_006)));
    }

    #[test]
    fn a_histogram_that_contradicts_itself_is_refused() {
        let bucket = |le: Option<f64>, count| serde_json::json!({ "le_ms": le, "count": count });
        for buckets in [
            vec![],
            vec![bucket(Some(1.0), 1)],
            vec![bucket(None, 1), bucket(None, 1)],
            vec![bucket(Some(2.0), 1), bucket(Some(1.0), 1), bucket(None, 1)],
            vec![bucket(Some(1.0), 2), bucket(None, 1)],
        ] {
            let json = serde_json::json!({ "buckets": buckets, "sum_ms": 0.0, "count": 1 });
            assert!(serde_json::from_value::<Histogram>(json.clone()).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn json_keeps_a_histogram_as_it_is(spans in proptest::collection::vec(0_u64..1_000_000_000, 0..40)) {
            let mut histogram = Histogram::default();
            for span in &spans {
                histogram.observe(Duration::from_micros(*span));
            }
            prop_assert_eq!(histogram.count(), spans.len() as u64);
            prop_assert!(histogram.buckets().is_sorted_by_key(|bucket| bucket.count));
            let json = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), histogram);
        }
    }
}
