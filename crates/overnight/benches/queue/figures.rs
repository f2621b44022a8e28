//! Everything that was measured, by contestant, scenario and round.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::scenario::{Outcome, Scenario, percentile};

#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<(String, usize), Vec<Measured>>);

#[derive(Debug)]
struct Measured {
    scenario: Scenario,
    round: usize,
    outcome: Outcome,
}

/// One number of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Jobs per second.
    Rate,
    /// Median, in milliseconds.
    P50,
    /// The 99th percentile, in milliseconds.
    P99,
    /// Jobs per second at the beginning.
    First,
    /// Jobs per second at the end.
    Last,
}

impl Part {
    fn of(self, outcome: &Outcome) -> Option<f64> {
        match (self, outcome) {
            (Self::Rate, Outcome::Rate(rate)) => Some(*rate),
            (Self::P50, Outcome::Latency(ms)) => Some(percentile(ms, 0.5)),
            (Self::P99, Outcome::Latency(ms)) => Some(percentile(ms, 0.99)),
            (Self::First, Outcome::Fade(first, _)) => Some(*first),
            (Self::Last, Outcome::Fade(_, last)) => Some(*last),
            (Self::Rate, Outcome::Latency(_) | Outcome::Fade(..) | Outcome::Failed(_))
            | (Self::P50 | Self::P99, Outcome::Rate(_) | Outcome::Fade(..) | Outcome::Failed(_))
            | (Self::First | Self::Last, Outcome::Rate(_) | Outcome::Latency(_) | Outcome::Failed(_)) => None,
        }
    }
}

impl Figures {
    pub(crate) fn add(&mut self, contestant: String, scenario: Scenario, round: usize, outcome: Outcome) {
        self.0.entry((contestant, scenario.index())).or_default().push(Measured { scenario, round, outcome });
    }

    fn rounds(&self, contestant: &str, scenario: Scenario) -> &[Measured] {
        self.0.get(&(contestant.to_owned(), scenario.index())).map_or(&[], Vec::as_slice)
    }

    /// The median of the rounds. Nothing when it was not measured or failed in one of them.
    pub(crate) fn median(&self, contestant: &str, scenario: Scenario, part: Part) -> Option<f64> {
        let values = self.rounds(contestant, scenario).iter().map(|measured| part.of(&measured.outcome));
        median(values.collect::<Option<Vec<_>>>()?)
    }

    /// The median of what the rounds say one is in terms of the other: what the machine does to a whole round falls out.
    pub(crate) fn ratio(&self, one: &str, other: &str, scenario: Scenario, part: Part) -> Option<f64> {
        let of = |who: &str| -> Option<Vec<f64>> {
            self.rounds(who, scenario).iter().map(|measured| part.of(&measured.outcome)).collect()
        };
        median(of(one)?.iter().zip(of(other)?).map(|(one, other)| one / other).collect())
    }

    /// Why a contestant has no figure.
    pub(crate) fn failure(&self, contestant: &str, scenario: Scenario) -> Option<&str> {
        self.rounds(contestant, scenario).iter().find_map(|measured| match &measured.outcome {
            Outcome::Failed(reason) => Some(reason.as_str()),
            Outcome::Rate(_) | Outcome::Latency(_) | Outcome::Fade(..) => None,
        })
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.0.iter().flat_map(|((contestant, _), measured)| {
            measured.iter().map(move |measured| {
                let mut row = json!({
                    "contestant": contestant,
                    "scenario": measured.scenario.name(),
                    "round": measured.round + 1,
                });
                let (key, value) = match &measured.outcome {
                    Outcome::Rate(rate) => ("jobs_per_second", json!(rate)),
                    Outcome::Latency(ms) => ("ms", json!(ms)),
                    Outcome::Fade(first, last) => ("jobs_per_second_first_and_last", json!([first, last])),
                    Outcome::Failed(reason) => ("failed", json!(reason)),
                };
                row[key] = value;
                row
            })
        });
        rows.collect()
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) { Some(f64::midpoint(values[middle - 1], upper)) } else { Some(upper) }
}
