//! Jobs and their events as the assistant reads them: short, because every word of it is paid for.

use std::collections::HashMap;

use overnight_core::id::JobId;
use overnight_core::job::{Job, JobState};
use overnight_store::{EventRecord, QueueStanding};
use serde_json::{Value, json};

pub(super) fn job(job: &Job, standings: &HashMap<JobId, QueueStanding>) -> Value {
    let trail = job.state.trail();
    let (reason, detail, wake) = why(&job.state);
    let standing = standings.get(&job.id);
    json!({
        "id": job.id,
        "key": job.key,
        "title": job.spec.title,
        "repository": job.repository_name,
        "agent": job.spec.agent.name(),
        "state": job.state.name(),
        "stage": job.state.stage(),
        "reason": reason,
        "detail": detail,
        "wake_ms": wake,
        "phase": standing.map(|standing| standing.phase.as_str()),
        "waits_for": standing.map(|standing| &standing.waits_for),
        "attempt": trail.map_or(0, |trail| trail.attempt),
        "attempts": job.spec.limits.attempts,
        "turns": trail.map_or(0, |trail| trail.turns),
        "used": trail.map(|trail| trail.used),
        "cost_unknown": trail.is_some_and(|trail| trail.cost_unknown),
        "published": job.state.end().and_then(|end| end.published.as_ref()),
        "cancel_asked": job.cancel,
        "created_at_ms": job.created_at,
        "updated_at_ms": job.updated_at,
    })
}

fn why(state: &JobState) -> (Option<&'static str>, Option<&str>, Option<overnight_core::units::Timestamp>) {
    match (state, state.end()) {
        (JobState::Parked { reason, detail, wake, .. }, _) => (Some(reason.code()), Some(detail), *wake),
        (_, Some(end)) => (Some(end.reason.code()), Some(&end.detail), None),
        (_, None) => (None, None, None),
    }
}

/// What the order says beyond the list's entry.
pub(super) fn order(job: &Job) -> Value {
    let trail = job.state.trail();
    json!({
        "prompt": job.spec.prompt,
        "follows": job.spec.follows.as_ref().map(|follows| json!({"key": follows.key, "message": follows.message})),
        "task": job.spec.task,
        "base": job.spec.base,
        "limits": job.spec.limits,
        "last_words": trail.and_then(|trail| trail.final_text.as_ref()),
        "held_by": job.holder.as_ref().map(|holder| &holder.worker),
        "lost": job.lost,
    })
}

/// An event that this version cannot read keeps its number.
pub(super) fn event(record: &EventRecord) -> Value {
    let event = record.event.as_ref().ok();
    json!({"number": record.number, "at_ms": record.at, "event": event})
}
