//! A worker that stands still longer than its lease: somebody else takes its job, and it comes back to nothing.

use std::time::Duration;

use overnight_testkit::forge::Flavour;

use crate::harness::fleet::{Engine, held_until, place_on};
use crate::harness::forge::Forge;
use crate::harness::{Place, eventually};

const LEASE: Duration = Duration::from_secs(3);

#[test]
fn a_worker_stopped_for_three_leases_comes_back_to_a_job_that_is_not_its_own() {
    for engine in Engine::BOTH {
        let Some(mut place) = place_on(engine, "a_worker_stopped_for_three_leases") else { continue };
        place.env("OVERNIGHT_WORKER_LEASE", "3s");
        let forge = Forge::beside(&mut place, Flavour::GitHub);
        stopped(&place, &forge);
    }
}

fn stopped(place: &Place, forge: &Forge) {
    let gate = place.path("gate");
    let key = place.add("repo", &[&held_until(gate.to_str().unwrap())], &["--pr"]);
    let first = place.worker(&["--slots=1"]);
    let old = holder(place, &key, 1);
    place.until_at_gate(&key);
    let agent = eventually("the agent", || place.agents().pop());

    first.stand_still(place);
    let second = place.worker(&["--slots=1"]);
    std::thread::sleep(3 * LEASE);
    let new = holder(place, &key, 2);
    assert_ne!(old, new);
    first.signal("CONT");

    first.until_said(&key);
    eventually("the first agent is gone", || (!place.agents().contains(&agent)).then_some(()));
    std::fs::write(&gate, "").unwrap();
    assert_eq!(place.until_ended(&key), "published");
    forge.expect_one(place, "stopped for three leases");
    assert_eq!(place.tables().job(&key).lost, 1);

    second.stop().expect_code(0);
    let next = place.add("repo", &[&held_until(gate.to_str().unwrap())], &["--pr"]);
    assert_eq!(place.until_ended(&next), "published");
    assert_eq!(holder(place, &next, 1), old, "the worker that had stood still goes on working");
    first.stop().expect_code(0);
    assert_eq!(forge.pulls().len(), 2);
    place.check_fleet();
}

/// Waits for the nth claim of a job, and gives the worker that made it.
fn holder(place: &Place, key: &str, nth: usize) -> String {
    let mut tables = place.tables();
    eventually(&format!("claim {nth} of {key}"), || {
        let claims = tables.events(key).into_iter().filter(|event| event["type"] == "claimed");
        claims.map(|event| event["worker"].as_str().unwrap().to_owned()).nth(nth - 1)
    })
}
