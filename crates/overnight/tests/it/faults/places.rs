//! Two data directories on one queue: what was begun in one goes on there, or after a long absence from its beginning
//! elsewhere.

use overnight_testkit::forge::Flavour;
use serde_json::Value;

use crate::harness::fleet::{Engine, held_until, place_on};
use crate::harness::forge::Forge;
use crate::harness::{Place, eventually};

const MOVE_AFTER: i64 = 4_000;

#[test]
fn an_interrupted_job_goes_on_elsewhere_after_a_while_and_a_bound_one_stays() {
    let Some(mut place) = place_on(Engine::Postgres, "an_interrupted_job_goes_on_elsewhere") else { return };
    place.env("OVERNIGHT_WORKER_MOVE_AFTER", "4s");
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    place.make_repo("local");
    let gate = place.path("gate");
    let held = held_until(gate.to_str().unwrap());
    let free = place.add("repo", &[&held], &["--pr"]);
    let bound = place.add("local", &[&held], &[]);
    let mut here = place.worker(&["--slots=2"]);
    for key in [&free, &bound] {
        place.until_at_gate(key);
    }
    here.kill();
    std::fs::write(&gate, "").unwrap();

    let elsewhere = place.path("elsewhere");
    let there = place.worker(&["--slots=2", "--data-dir", elsewhere.to_str().unwrap()]);
    assert_eq!(place.until_ended(&free), "published");

    let waited = at(&place, &free, "claimed", 1) - at(&place, &free, "worker_lost", 0);
    assert!(waited >= MOVE_AFTER, "it was taken after {waited} ms");
    println!("taken {waited} ms after the loss, with {MOVE_AFTER} ms as the shortest wait");
    assert_eq!(all(&place, &free, "moved").len(), 1);
    assert_eq!(all(&place, &free, "grounded").len(), 2, "from the base again");
    forge.expect_one(&place, "moved");
    assert_eq!(all(&place, &bound, "claimed").len(), 1, "what is bound is not taken elsewhere");
    assert_eq!(place.tables().job(&bound).phase, "ready");
    there.stop().expect_code(0);

    place.work_off().expect_code(0);
    assert_eq!(place.until_ended(&bound), "published");
    assert!(all(&place, &bound, "moved").is_empty());
    place.check_fleet();
}

fn all(place: &Place, key: &str, kind: &str) -> Vec<Value> {
    place.tables().events(key).into_iter().filter(|event| event["type"] == kind).collect()
}

/// When the nth event of a type was recorded, in milliseconds.
fn at(place: &Place, key: &str, kind: &str, nth: usize) -> i64 {
    eventually(&format!("{kind} {nth}"), || {
        let shown = place.overnight(&["show", key, "--events", "--json"]).expect_code(0);
        let lines = shown.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let at =
            lines.filter(|line| line["event"]["type"] == kind).map(|line| line["at_ms"].as_i64().unwrap());
        at.collect::<Vec<_>>().get(nth).copied()
    })
}
