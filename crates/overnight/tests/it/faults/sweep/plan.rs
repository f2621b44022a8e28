//! Which cases are run: every event of the two longest shapes in turn, and between them system calls and times at random.

use crate::harness::fleet::Engine;

use super::case::Case;
use super::kill::Kill;
use super::probe::Probe;
use super::shape::Shape;

/// Shapes whose every event is struck at. They hold the events of all others.
const EXHAUSTED: [Shape; 2] = [Shape::Twice, Shape::Pull];
/// Kills of one case at most.
const MOST: u64 = 3;

pub(super) struct Plan {
    seed: u64,
    probes: Vec<(Shape, Probe)>,
    /// Every event of the exhausted shapes, in an order that is spread from the first on.
    events: Vec<(Shape, u64)>,
}

impl Plan {
    /// Finds out what there is to strike at.
    pub(super) fn new(engine: Engine, seed: u64) -> Self {
        let probes: Vec<(Shape, Probe)> =
            Shape::ALL.into_iter().map(|shape| (shape, Probe::of(shape, engine))).collect();
        let mut events = Vec::new();
        for (shape, probe) in probes.iter().filter(|(shape, _)| EXHAUSTED.contains(shape)) {
            events.extend((1..probe.events).map(|event| (*shape, event)));
        }
        Self { seed, probes, events: spread(&events) }
    }

    /// How many places there are at which a case strikes after an event.
    pub(super) fn events(&self) -> usize {
        self.events.len()
    }

    pub(super) fn has_calls(&self) -> bool {
        self.probes.iter().any(|(_, probe)| !probe.calls.is_empty())
    }

    /// The nth case. The same for the same seed, as far as the probes saw the same.
    pub(super) fn case(&self, nth: u32) -> Case {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(nth)));
        let (shape, first) = if nth.is_multiple_of(2) {
            let (shape, event) = self.events[(nth / 2) as usize % self.events.len()];
            (shape, Kill::Event(event))
        } else {
            let shape = Shape::ALL[random.below(Shape::ALL.len() as u64) as usize];
            (shape, self.call_or_time(shape, &mut random))
        };
        let mut kills = vec![first];
        // Whoever takes over is killed as well: recovery is work like any other.
        for _ in 0..random.below(MOST) {
            let next = match random.below(4) {
                0 => Kill::Event(1 + random.below(8)),
                _ => self.call_or_time(shape, &mut random),
            };
            kills.push(next);
        }
        Case { shape, kills }
    }

    fn call_or_time(&self, shape: Shape, random: &mut Random) -> Kill {
        let (_, probe) =
            self.probes.iter().find(|(probed, _)| *probed == shape).expect("every shape is probed");
        if probe.calls.is_empty() || random.below(4) == 0 {
            return Kill::After(1 + random.below(probe.millis));
        }
        let (call, first, last) = &probe.calls[random.below(probe.calls.len() as u64) as usize];
        let nth = first + random.below(u64::from(last - first + 1)) as u32;
        Kill::Call { call: call.clone(), nth }
    }
}

/// In another order, in which neighbours are far apart.
fn spread(all: &[(Shape, u64)]) -> Vec<(Shape, u64)> {
    let count = all.len();
    let step = (count * 5 / 8..).find(|step| divisor(*step, count) == 1).unwrap_or(1);
    (0..count).map(|at| all[at * step % count]).collect()
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
