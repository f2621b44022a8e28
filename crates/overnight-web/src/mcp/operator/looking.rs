//! Tools that show the queue as a whole: counts, workers, repositories, money. None of them changes anything.

use overnight_core::policy::budget::day_of;
use overnight_store::{CostBy, SettledRepository};
use serde_json::{Value, json};

use super::super::tool::{Arguments, Tool, ToolError};
use super::{Operator, Page, failed};

/// Days that the accounts show unless more are asked for, and at most.
const DAYS: i64 = 7;
const MOST_DAYS: i64 = 3_660;

pub(super) fn tools() -> Vec<Tool> {
    let mut cost = Page::properties();
    cost["by"] = json!({"type": "string", "enum": ["day", "repository", "backend", "model"]});
    cost["days"] =
        json!({"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "description": "7 unless said"});
    vec![
        Tool::reading(
            "queue_status",
            "The queue in numbers: what runs, what waits and for what, how jobs ended.",
            &json!({}),
            &[],
        ),
        Tool::reading(
            "list_workers",
            "The workers, when they were last heard of and what they hold, in pages.",
            &Page::properties(),
            &[],
        ),
        Tool::reading(
            "list_repositories",
            "The registered repositories and what holds for all of their tasks, in pages.",
            &Page::properties(),
            &[],
        ),
        Tool::reading(
            "cost",
            "What agents have used in the last days, by day unless said, in pages.",
            &cost,
            &[],
        ),
        Tool::reading("budgets", "The budgets that are raised for a while, and until when.", &json!({}), &[]),
    ]
}

pub(super) async fn queue(operator: &Operator) -> Result<Value, ToolError> {
    let stats = operator.store.queue_stats().await.map_err(|error| failed(&error))?;
    // A struct of numbers and texts is always JSON.
    Ok(serde_json::to_value(stats).unwrap_or_default())
}

pub(super) async fn workers(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let page = Page::of(arguments)?;
    let workers = operator.store.workers().await.map_err(|error| failed(&error))?;
    let now = operator.store.now().await.map_err(|error| failed(&error))?;
    let mut answer = page.cut(workers, "workers", |seen| {
        json!({
            "id": seen.worker.id,
            "host": seen.worker.host,
            "version": seen.worker.version,
            "started_at_ms": seen.started_at,
            "last_seen_ms": seen.last_seen,
            "draining": seen.drain,
            "held": seen.held,
        })
    });
    answer["now_ms"] = json!(now);
    Ok(answer)
}

pub(super) async fn repositories(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let page = Page::of(arguments)?;
    let all = operator.store.repositories_settled().await.map_err(|error| failed(&error))?;
    Ok(page.cut(&all, "repositories", |settled| {
        let SettledRepository { repository, settings } = settled;
        json!({"name": repository.name, "remote": repository.remote, "settings": settings})
    }))
}

pub(super) async fn cost(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let page = Page::of(arguments)?;
    let by = match arguments.text("by")? {
        None | Some("day") => CostBy::Day,
        Some("repository") => CostBy::Repository,
        Some("backend") => CostBy::Backend,
        Some("model") => CostBy::Model,
        Some(_) => return Err(ToolError::bad("by is day, repository, backend or model")),
    };
    let days = arguments.number("days", 1, MOST_DAYS)?.unwrap_or(DAYS);
    let today = day_of(operator.store.now().await.map_err(|error| failed(&error))?);
    let since = today - days + 1;
    let lines = operator.store.costs(by, since).await.map_err(|error| failed(&error))?;
    let mut answer = page.cut(lines, "lines", |line| {
        json!({
            "name": line.name,
            "cost_micro_dollars": line.spent.cost,
            "estimated_micro_dollars": line.estimated,
            "tokens": line.spent.tokens,
            "sessions": line.spent.sessions,
            "unpriced_sessions": line.spent.unpriced,
            "jobs": line.jobs,
            "published": line.published,
        })
    });
    // Days are counted from 1970-01-01, in UTC.
    answer["since_day"] = json!(since);
    answer["today"] = json!(today);
    Ok(answer)
}

pub(super) async fn budgets(operator: &Operator) -> Result<Value, ToolError> {
    let raises = operator.store.budget_raises().await.map_err(|error| failed(&error))?;
    let shown: Vec<Value> = raises
        .iter()
        .map(|raise| {
            json!({
                "scope": raise.scope.code(),
                "repository": raise.repository,
                "until_ms": raise.until,
                "by": {
                    "cost_micro_dollars": raise.by.cost,
                    "tokens": raise.by.tokens,
                    "turns": raise.by.turns,
                    "time_ms": raise.by.time_ms,
                    "sessions": raise.by.sessions,
                },
            })
        })
        .collect();
    Ok(json!({ "raised": shown }))
}
