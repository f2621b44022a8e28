//! Tools about jobs.

use std::collections::HashMap;

use overnight_core::id::EventNumber;
use overnight_core::job::{CancelledBy, Label};
use overnight_store::{CancelRequest, JobFilter, Phase};
use serde_json::{Value, json};

use super::super::tool::{Arguments, Tool, ToolError};
use super::{MOST, NewOrder, Operator, OrderRefused, Page, USUAL, failed, shown};

pub(super) fn job_argument() -> Value {
    json!({"type": "string", "description": "key (app-12), id or beginning of an id"})
}

pub(super) fn reading() -> Vec<Tool> {
    let mut listing = Page::properties();
    listing["state"] = json!({
        "type": "array", "items": {"type": "string"},
        "description": "only these states: queued, preparing, working, collecting, verifying, publishing, cleaning, cascading, parked, ended",
    });
    listing["repository"] = json!({"type": "string", "description": "name, as of list_repositories"});
    listing["label"] = json!({"type": "string"});
    listing["ended"] = json!({"type": "boolean", "description": "only ended ones, or only the others"});
    vec![
        Tool::reading("list_jobs", "Jobs, newest first, in pages.", &listing, &[]),
        Tool::reading(
            "get_job",
            "One job: where it is and why, what it was ordered to do, what it has used, and its result.",
            &json!({"job": job_argument()}),
            &["job"],
        ),
        Tool::reading(
            "job_events",
            "What happened to a job, in order, in pages. `after` is the number of the last event that is known already.",
            &json!({
                "job": job_argument(),
                "after": {"type": "integer", "minimum": 0},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
            }),
            &["job"],
        ),
    ]
}

pub(super) fn moving() -> Vec<Tool> {
    vec![
        Tool::reading(
            "cancel_job",
            "Ask for the end of a job. One that nobody has begun ends at once; otherwise its worker ends it soon.",
            &json!({"job": job_argument()}),
            &["job"],
        )
        .destroying(),
        Tool::reading(
            "resume_job",
            "Let a job that waits go on now, as soon as a worker is free: after a quota, a login or a budget has been seen to.",
            &json!({"job": job_argument()}),
            &["job"],
        )
        .writing(),
    ]
}

pub(super) fn create() -> Tool {
    let arguments = json!({
        "prompt": {"type": "string", "description": "what the agent is to do"},
        "repository": {"type": "string", "description": "a directory in it; where the server was started unless said"},
        "title": {"type": "string"},
        "agent": {"type": "string", "description": "claude, codex, …; as configured unless said"},
        "model": {"type": "string"},
        "pull_request": {"type": "boolean", "description": "open a pull request instead of leaving a branch"},
        "request": {"type": "string", "description": "a key of yours: the same key gives the same job, not another one"},
    });
    Tool::reading("create_job", "Put a job into the queue, for a worker to take.", &arguments, &["prompt"])
        .writing()
}

pub(super) async fn list(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let page = Page::of(arguments)?;
    let store = &operator.store;
    let repository = match arguments.text("repository")? {
        None => None,
        Some(name) => {
            let all = store.repositories().await.map_err(|error| failed(&error))?;
            let found = all.into_iter().find(|repository| repository.name == name);
            let unknown =
                || ToolError::new("NOT_FOUND", "there is no such repository; list_repositories lists them");
            Some(found.ok_or_else(unknown)?.id)
        }
    };
    let label = arguments.text("label")?.map(Label::parse).transpose();
    let label = label.map_err(|error| ToolError::bad(error.to_string()))?;
    let ended = arguments.flag("ended")?;
    let limit = page.from.saturating_add(page.limit).saturating_add(1);
    let limit = Some(u32::try_from(limit).unwrap_or(u32::MAX));
    let filter = JobFilter {
        repository,
        states: arguments.texts("state")?,
        label,
        ended,
        limit,
        ..JobFilter::default()
    };
    let jobs = store.jobs(&filter).await.map_err(|error| failed(&error))?;
    let ids: Vec<_> = jobs.jobs.iter().skip(page.from).take(page.limit).map(|job| job.id.clone()).collect();
    let standings = store.standings(&ids).await.map_err(|error| failed(&error))?;
    let mut answer = page.cut(&jobs.jobs, "jobs", |job| shown::job(job, &standings));
    let unreadable: Vec<String> = jobs.unreadable.iter().map(ToString::to_string).collect();
    if !unreadable.is_empty() {
        answer["unreadable"] = json!(unreadable);
    }
    Ok(answer)
}

pub(super) async fn get(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let job = operator.job(arguments).await?;
    let standing = operator.store.standing(&job.id).await.map_err(|error| failed(&error))?;
    let mut answer = shown::job(&job, &HashMap::from([(job.id.clone(), standing)]));
    answer["order"] = shown::order(&job);
    Ok(answer)
}

pub(super) async fn events(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let job = operator.job(arguments).await?;
    let after = arguments.number("after", 0, i64::MAX)?.unwrap_or(0);
    let limit = arguments.number("limit", 1, MOST)?.unwrap_or(USUAL);
    let limit = u32::try_from(limit).unwrap_or(1);
    // One more than is shown says whether there is more.
    let events = operator.store.events(&job.id, EventNumber(after), limit + 1).await;
    let events = events.map_err(|error| failed(&error))?;
    let more = events.len() > limit as usize;
    let shown: Vec<Value> = events.iter().take(limit as usize).map(shown::event).collect();
    let last = events.iter().take(limit as usize).next_back().map_or(after, |record| record.number.0);
    Ok(json!({"job": job.key, "events": shown, "more": more, "after": last}))
}

pub(super) async fn cancel(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let job = operator.job(arguments).await?;
    let asked = operator.store.cancel_request(&job.id, CancelledBy::Command).await;
    let (outcome, meaning) = match asked.map_err(|error| failed(&error))? {
        CancelRequest::Ended => ("ended", "it had not begun, and has ended now"),
        CancelRequest::Asked => ("asked", "its worker was asked to end it"),
        CancelRequest::Recorded => ("recorded", "whoever takes it up next ends it"),
        CancelRequest::AlreadyEnded => ("already_ended", "it had ended before; nothing was changed"),
    };
    Ok(json!({"job": job.key, "outcome": outcome, "meaning": meaning}))
}

pub(super) async fn resume(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let job = operator.job(arguments).await?;
    let standing = operator.store.standing(&job.id).await.map_err(|error| failed(&error))?;
    match standing.phase {
        Phase::Ended => {
            let message = format!("{} has ended: retry_job orders it again", job.key);
            return Err(ToolError::new("ENDED", message));
        }
        Phase::Blocked => {
            let keys: Vec<&str> = standing.waits_for.iter().map(|key| key.as_str()).collect();
            return Err(ToolError::new("BLOCKED", format!("{} waits for {}", job.key, keys.join(", "))));
        }
        Phase::Ready | Phase::Due | Phase::Asleep | Phase::Held => {}
    }
    let woken = operator.store.job_wake(&job.id).await.map_err(|error| failed(&error))?;
    let meaning = if woken { "a worker goes on with it" } else { "it did not wait, and goes on as before" };
    Ok(json!({"job": job.key, "woken": woken, "meaning": meaning}))
}

pub(super) async fn add(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let refused = || ToolError::new("NOT_ALLOWED", "no orders are taken here");
    let orders = operator.orders.as_ref().ok_or_else(refused)?;
    let own = |name: &str| arguments.text(name).map(|text| text.map(str::to_owned));
    let pull_request = arguments.flag("pull_request")?.unwrap_or(false);
    let order = NewOrder {
        prompt: arguments.needed("prompt")?.to_owned(),
        repository: own("repository")?,
        title: own("title")?,
        agent: own("agent")?,
        model: own("model")?,
        pull_request,
        request: own("request")?,
    };
    let key = orders.add(order).await.map_err(|OrderRefused(why)| ToolError::new("ORDER_REFUSED", why))?;
    Ok(json!({"job": key}))
}
