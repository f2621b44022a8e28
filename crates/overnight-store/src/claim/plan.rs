//! Whose turn it is. Pure: which lanes a worker's free slots go to.

use std::collections::BTreeMap;

/// Jobs of one lane that can go on in one place, or anywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) lane: String,
    /// Empty: anywhere.
    pub(crate) place: String,
}

/// A lane in which a job is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) spot: Spot,
    pub(crate) repository: String,
    /// Position of its first job: lower goes first.
    pub(crate) position: i64,
    /// Id of its first job, which decides between equal positions.
    pub(crate) first: String,
    /// When a job of its repository was claimed last; 0: never.
    pub(crate) served: i64,
    /// Position relative to a plain job of the same age: what its priority is worth, in milliseconds; negative goes first.
    pub(crate) handicap: i64,
}

/// How many jobs to take from each lane, in the order in which they are to be asked.
///
/// Repositories take turns: the one that was served longest ago comes first, and after it was given a slot it stands behind
/// all others. A priority counts as much between repositories as within one: a step of it as ten minutes of waiting. Within a
/// repository the lane whose first job has the lowest position comes first.
pub(crate) fn share_out(waiting: &[Waiting], slots: usize) -> Vec<(Spot, usize)> {
    let mut repositories: BTreeMap<&str, Turn<'_>> = BTreeMap::new();
    for one in waiting {
        let turn = repositories.entry(&one.repository);
        turn.or_insert_with(|| Turn { served: one.served, lanes: Vec::new() }).lanes.push(one);
    }
    for turn in repositories.values_mut() {
        turn.lanes.sort_by_key(|lane| (lane.position, &lane.first));
    }
    let mut latest = waiting.iter().map(|one| one.served).max().unwrap_or(0);
    let mut shares: Vec<(Spot, usize)> = Vec::new();
    for _ in 0..slots {
        let Some(turn) = repositories.values_mut().min_by_key(|turn| turn.key()) else { break };
        // Behind everybody who has not had a turn since.
        latest = latest.saturating_add(1);
        turn.served = latest;
        let spot = &turn.lanes[0].spot;
        match shares.iter_mut().find(|(known, _)| known == spot) {
            Some((_, share)) => *share += 1,
            None => shares.push((spot.clone(), 1)),
        }
    }
    shares
}

struct Turn<'a> {
    served: i64,
    lanes: Vec<&'a Waiting>,
}

impl<'a> Turn<'a> {
    fn key(&self) -> (i64, i64, &'a str) {
        let first = self.lanes[0];
        (self.served.saturating_add(first.handicap), first.position, &first.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(lane: &str, repository: &str, position: i64, served: i64) -> Waiting {
        let spot = Spot { lane: lane.to_owned(), place: String::new() };
        let first = lane.to_owned();
        Waiting { spot, first, repository: repository.to_owned(), position, served, handicap: 0 }
    }

    fn shares(waiting: &[Waiting], slots: usize) -> Vec<(String, usize)> {
        share_out(waiting, slots).into_iter().map(|(spot, count)| (spot.lane, count)).collect()
    }

    #[test]
    fn the_repository_that_was_served_longest_ago_comes_first() {
        let lanes = [waiting("a", "one", 1, 500), waiting("b", "two", 900, 100)];
        assert_eq!(shares(&lanes, 1), [("b".to_owned(), 1)]);
    }

    #[test]
    fn slots_go_round_and_a_lonely_repository_gets_them_all() {
        let lanes = [waiting("a", "one", 1, 0), waiting("b", "two", 2, 0), waiting("c", "three", 3, 0)];
        let mut shared = shares(&lanes, 7);
        shared.sort();
        assert_eq!(shared, [("a".to_owned(), 3), ("b".to_owned(), 2), ("c".to_owned(), 2)]);
        assert_eq!(shares(&lanes[..1], 5), [("a".to_owned(), 5)]);
        assert!(shares(&[], 5).is_empty());
    }

    #[test]
    fn a_priority_is_worth_waiting_between_repositories_too() {
        let urgent = Waiting { handicap: -1_000, ..waiting("a", "one", 1, 900) };
        let lanes = [urgent, waiting("b", "two", 2, 0)];
        assert_eq!(shares(&lanes, 1), [("a".to_owned(), 1)]);
    }

    #[test]
    fn within_a_repository_the_earlier_position_goes_first() {
        let lanes = [waiting("late", "one", 9, 0), waiting("early", "one", 2, 0)];
        assert_eq!(shares(&lanes, 2), [("early".to_owned(), 2)]);
    }
}
