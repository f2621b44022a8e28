//! The global invariants of a queue: what holds after any fault, read from the tables, the file system and `/proc`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::Place;
use super::super::invariants::no_process_is_left;
use super::{JobRow, Tables};

/// No process of any job or worker is alive any more, or will be in a moment.
#[track_caller]
pub(super) fn nothing_runs(place: &Place) {
    no_process_is_left(place);
}

/// Everything that holds at every moment between two transactions.
#[track_caller]
pub(super) fn check(place: &Place) {
    let mut tables = place.tables();
    // Nothing was promised to anybody where there is no queue yet.
    let Ok(jobs) = tables.try_jobs() else { return };
    slots(&mut tables);
    for job in &jobs {
        let events = tables.numbered_events(&job.key);
        for (at, (number, _)) in (1..).zip(&events) {
            assert_eq!(at, *number, "events of {} have a gap: {events:#?}", job.key);
        }
        let events: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
        row(job, &events);
        holders(job, &events);
        turns(job, &events);
        once(job, &events);
        effects(&mut tables, job);
        // What it left at a place that it moved away from is that place's sweeper's.
        if job.ended && of(&events, "moved").next().is_none() {
            no_scratch(place, job);
        }
    }
}

/// A slot of a limit is taken up by a held job and by nobody else.
fn slots(tables: &mut Tables) {
    let sql = "SELECT limit_key, key, phase FROM slots JOIN jobs ON jobs.id = job_id WHERE phase <> 'held'";
    let left = tables.rows(sql);
    assert!(left.is_empty(), "slots that nobody holds: {left:?}");
}

fn row(job: &JobRow, events: &[Value]) {
    let key = &job.key;
    assert_eq!(job.last_event, i64::try_from(events.len()).unwrap(), "{key}: {events:#?}");
    assert_eq!(job.holder.is_some(), job.phase == "held", "{job:?}");
    assert_eq!(job.ended, job.phase == "ended", "{job:?}");
    assert_eq!(job.ended, job.state == "ended", "{job:?}");
    assert_eq!(job.ended, of(events, "ended").count() == 1, "{key}: {events:#?}");
    assert_eq!(job.ended, job.end_reason.is_some(), "{job:?}");
}

/// Fences grow with every claim, and each loss of a worker is counted once.
fn holders(job: &JobRow, events: &[Value]) {
    let fences: Vec<i64> = of(events, "claimed").map(|event| event["fence"].as_i64().unwrap()).collect();
    assert!(fences.windows(2).all(|pair| pair[0] < pair[1]), "{}: {fences:?}", job.key);
    assert!(fences.last().is_none_or(|last| *last <= job.fence), "{}: {fences:?}, {}", job.key, job.fence);
    let lost: Vec<i64> = of(events, "worker_lost").map(|event| event["times"].as_i64().unwrap()).collect();
    let counted: Vec<i64> = (1..=job.lost).collect();
    assert_eq!(lost, counted, "{}: {events:#?}", job.key);
}

/// Turns are announced in order, each ends once, and at the end of a job none is open. Each attempt fails at most once.
fn turns(job: &JobRow, events: &[Value]) {
    let mut open = BTreeSet::new();
    let mut announced = 0;
    let mut failed = 0;
    for event in events {
        let turn = event["turn"].as_i64();
        match event["type"].as_str().unwrap() {
            "turn_announced" => {
                announced += 1;
                assert_eq!(turn, Some(announced), "{}: {events:#?}", job.key);
                assert!(open.is_empty(), "{}: two turns at once: {events:#?}", job.key);
                open.insert(turn);
            }
            "turn_ended" | "turn_interrupted" => {
                assert!(open.remove(&turn), "{}: turn {turn:?} ended twice: {events:#?}", job.key);
            }
            // What the old place knew of its turn is gone with it.
            "moved" => open.clear(),
            "attempt_failed" => {
                failed += 1;
                assert_eq!(event["attempt"].as_i64(), Some(failed), "{}: {events:#?}", job.key);
            }
            _ => {}
        }
    }
    let cut_short = matches!(job.end_reason.as_deref(), Some("cancelled" | "interrupted" | "worker_lost"));
    assert!(!job.ended || cut_short || open.is_empty(), "{}: an open turn: {events:#?}", job.key);
}

/// What may be done once in the life of a job is recorded at most once.
fn once(job: &JobRow, events: &[Value]) {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        let what = match kind {
            "branch_pushed" | "pull_request_opened" | "ended" => kind.to_owned(),
            "stage_finished" if event["stage"] == "publish" || event["stage"] == "cleanup" => {
                format!("{} of {}", kind, event["stage"])
            }
            _ => continue,
        };
        let count = times.entry(what.clone()).or_default();
        *count += 1;
        assert_eq!(*count, 1, "{}: {what} more than once: {events:#?}", job.key);
    }
}

/// A job that is published has no reservation left open.
fn effects(tables: &mut Tables, job: &JobRow) {
    if job.end_reason.as_deref() == Some("published") {
        let sql =
            format!("SELECT name, status FROM effects WHERE job_id = '{}' AND status <> 'done'", job.id);
        let open = tables.rows(&sql);
        assert!(open.is_empty(), "{}: {open:?}", job.key);
    }
}

fn no_scratch(place: &Place, job: &JobRow) {
    // Nobody who could have removed it was there.
    if job.end_reason.as_deref() == Some("worker_lost") {
        return;
    }
    let dir = place.data().join("jobs").join(&job.id);
    for scratch in ["workspace", "tmp", "out", "verify"] {
        assert!(!dir.join(scratch).exists(), "{scratch} of {} is still there", job.key);
    }
}

fn of<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["type"] == kind)
}
