//! A job is cancelled at every event of its way: its tree is gone soon, and what the last word says is what the forge has.

use std::time::{Duration, Instant};

use overnight_testkit::forge::Flavour;
use serde_json::Value;

use crate::harness::fleet::{Engine, FIX, place_on};
use crate::harness::forge::Forge;
use crate::harness::{Place, eventually};

/// Time for the agent to end by itself: `OVERNIGHT_AGENT_GRACE` of a fleet.
const GRACE: Duration = Duration::from_secs(1);

#[test]
fn a_cancel_at_any_event_is_final_and_says_what_is_published() {
    let mut times = Vec::new();
    let mut published = 0;
    for nth in 1.. {
        let (place, forge, key) = job(Engine::Sqlite, FIX).unwrap();
        let Some((kind, took)) = cancel_after(&place, &key, nth) else { break };
        published += u32::from(expect_honest(&place, &forge, &key, &kind));
        {
            let ev: Vec<String> = place
                .tables()
                .events(&key)
                .iter()
                .map(|e| {
                    format!(
                        "{}{}",
                        e["type"].as_str().unwrap(),
                        e["stage"].as_str().map(|s| format!("({s})")).unwrap_or_default()
                    )
                })
                .collect();
            println!("{nth} {kind} {took:?} {}: {ev:?}", place.tables().job(&key).end_reason.unwrap());
        }
        times.push((took, kind));
        place.check_fleet();
    }
    assert!(times.len() > 15, "{times:?}");
    assert!(published > 0 && (published as usize) < times.len(), "{published} of {}", times.len());
    let (worst, at) = times.iter().max().unwrap();
    let count = times.len();
    println!(
        "{count} events, {published} published before the cancel; slowest {} ms, at {at}",
        worst.as_millis()
    );
}

#[test]
fn an_agent_that_ignores_the_end_is_killed_after_its_grace() {
    for engine in Engine::BOTH {
        let stubborn = "\"ignore_term\", { say = \"deaf\" }, \"hang\"";
        let Some((place, forge, key)) = job(engine, stubborn) else { continue };
        let worker = place.worker(&["--slots=1"]);
        place.until_event(&key, "turn_started");
        eventually("an agent that is deaf", || place.agent_said(&key, "deaf").then_some(()));
        let began = Instant::now();
        place.overnight(&["cancel", "--no-wait", &key]).expect_code(0);
        eventually("the agent's end", || place.agents().is_empty().then_some(()));
        let took = began.elapsed();
        println!(
            "on {} the tree was gone {} ms after the cancel, with a grace of {} ms",
            engine.word(),
            took.as_millis(),
            GRACE.as_millis()
        );
        assert_eq!(place.until_ended(&key), "cancelled");
        assert!(!expect_honest(&place, &forge, &key, "deaf"));
        worker.stop().expect_code(0);
        place.check_fleet();
    }
}

#[test]
fn a_job_that_nobody_has_begun_is_cancelled_at_once() {
    for engine in Engine::BOTH {
        let Some((place, forge, key)) = job(engine, FIX) else { continue };
        place.overnight(&["cancel", &key]);
        assert_eq!(place.until_ended(&key), "cancelled");
        place.work_off().expect_code(0);
        assert!(!expect_honest(&place, &forge, &key, "queued"));
        place.check_fleet();
    }
}

fn job(engine: Engine, steps: &str) -> Option<(Place, Forge, String)> {
    let mut place = place_on(engine, "cancel")?;
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    let key = place.add("repo", &[steps], &["--pr"]);
    Some((place, forge, key))
}

/// Cancels after the nth event and waits for the end. Gives the event's type and the time from the cancel until no process
/// of the job was left; `None`: the job had ended before.
fn cancel_after(place: &Place, key: &str, nth: usize) -> Option<(String, Duration)> {
    let mut tables = place.tables();
    let worker = place.worker(&["--slots=1"]);
    let kind = eventually(&format!("event {nth}"), || {
        let event = tables.events(key).into_iter().nth(nth - 1);
        event.map(|event| event["type"].as_str().unwrap().to_owned())
    });
    if kind == "ended" {
        worker.stop().expect_code(0);
        return None;
    }
    // It stands still while the cancel is written down, so that it comes here and not later.
    worker.signal("STOP");
    place.overnight(&["cancel", "--no-wait", key]);
    let began = Instant::now();
    worker.signal("CONT");
    eventually("the agent's end", || place.agents().is_empty().then_some(()));
    let took = began.elapsed();
    place.until_ended(key);
    worker.stop().expect_code(0);
    Some((kind, took))
}

/// The job's last word and the forge say the same. Whether something is published.
fn expect_honest(place: &Place, forge: &Forge, key: &str, at: &str) -> bool {
    let events = place.tables().events(key);
    let end = events.iter().find(|event| event["type"] == "ended").map(|event| event["end"].clone()).unwrap();
    let branches = forge.branches(place);
    let pulls = forge.pulls();
    let said = &end["published"];
    assert_eq!(said["branch"].as_str().into_iter().collect::<Vec<_>>(), branches, "at {at}: {events:#?}");
    let told = said["pull_request"]["number"].as_u64();
    assert_eq!(told.is_some(), pulls.len() == 1, "at {at}: {pulls:?}, {events:#?}");
    let reason = end["reason"].as_str().unwrap();
    assert!(matches!(reason, "cancelled" | "published"), "at {at}: {end:#}");
    assert!(reason == "cancelled" || !pulls.is_empty(), "at {at}: {end:#}");
    for kind in ["turn_announced", "branch_pushed"] {
        let late = events_after_cancel(&events, kind);
        if !late.is_empty() {
            println!("{kind} after the cancel at {at}");
        }
    }
    !branches.is_empty()
}

fn events_after_cancel<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let asked = events.iter().position(|event| event["type"] == "cancel_asked").unwrap_or(events.len());
    events[asked..].iter().filter(|event| event["type"] == kind).collect()
}
