//! A job is cancelled at every event of its way: its tree is gone soon, and what the last word says is what the forge has.

use std::time::{Duration, Instant};

use overnight_testkit::forge::Flavour;
use serde_json::Value;

use crate::harness::fleet::{Engine, FIX, Worker, place_on};
use crate::harness::forge::Forge;
use crate::harness::{Place, eventually};

/// Time for the agent to end by itself: `OVERNIGHT_AGENT_GRACE` of a fleet.
const GRACE: Duration = Duration::from_secs(1);

#[test]
fn a_cancel_at_any_event_is_final_and_says_what_is_published() {
    let mut struck = Vec::new();
    let mut published = 0;
    for nth in 1.. {
        let (place, forge, key) = job(Engine::Sqlite, FIX).unwrap();
        let Some(cancelled) = cancel_after(&place, &key, nth) else { break };
        let is_published = expect_honest(&place, &forge, &key, &cancelled.at);
        assert!(cancelled.in_time <= !is_published, "published after a cancel: {cancelled:?}");
        published += u32::from(is_published);
        struck.push(cancelled);
        place.check_fleet();
    }
    let in_time = struck.iter().filter(|cancelled| cancelled.in_time).count();
    assert!(in_time > 10, "{struck:#?}");
    let worst = struck.iter().max_by_key(|cancelled| cancelled.took).unwrap();
    println!(
        "cancelled after each of {} events: {in_time} before anything was published, {published} times the push had \
         happened; no process left {} ms after the cancel at the latest ({})",
        struck.len(),
        worst.took.as_millis(),
        worst.at
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

/// A cancel, and what became of it.
#[derive(Debug)]
struct Cancelled {
    /// Type of the event after which it was asked for.
    at: String,
    /// It was recorded before the job began to publish.
    in_time: bool,
    /// From then until no process of the agent was left.
    took: Duration,
}

/// Cancels after the nth event and waits for the end; `None`: the job had ended before.
fn cancel_after(place: &Place, key: &str, nth: usize) -> Option<Cancelled> {
    let mut tables = place.tables();
    let worker = place.worker(&["--slots=1"]);
    let at = eventually(&format!("event {nth}"), || {
        let event = tables.events(key).into_iter().nth(nth - 1);
        event.map(|event| event["type"].as_str().unwrap().to_owned())
    });
    if at == "ended" {
        worker.stop().expect_code(0);
        return None;
    }
    // It stands still while the cancel is written down, so that it comes here and not later. Where it stands inside a
    // transaction of SQLite's, nobody else can write, and it comes a little later after all.
    worker.signal("STOP");
    let mut cancel = Worker::start(place.command(&place.home(), &["cancel", "--no-wait", key]), place);
    let deadline = Instant::now() + Duration::from_secs(1);
    while cancel.ended().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let publishes = |event: &Value| event["type"] == "stage_started" && event["stage"] == "publish";
    let in_time = cancel.ended().is_some() && !tables.events(key).iter().any(publishes);
    let began = Instant::now();
    worker.signal("CONT");
    let code = cancel.wait().code;
    // It may have ended before it stood still.
    assert!(matches!(code, Some(0 | 2)), "{code:?}");
    eventually("the agent's end", || place.agents().is_empty().then_some(()));
    let took = began.elapsed();
    place.until_ended(key);
    worker.stop().expect_code(0);
    Some(Cancelled { at, in_time, took })
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
    assert!(events_after_cancel(&events, "turn_announced").is_empty(), "at {at}: {events:#?}");
    !branches.is_empty()
}

fn events_after_cancel<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let asked = events.iter().position(|event| event["type"] == "cancel_asked").unwrap_or(events.len());
    events[asked..].iter().filter(|event| event["type"] == kind).collect()
}
