//! The shapes of what goes in and out, for the OpenAPI document. The tests hold the answers to them.

use serde_json::{Map, Value, json};

use super::jobs::PAGE_MAX;
use super::take::KEY_MAX;

/// Names of a job's states.
pub(super) const STATES: [&str; 10] = [
    "queued",
    "preparing",
    "working",
    "collecting",
    "verifying",
    "publishing",
    "cleaning",
    "cascading",
    "parked",
    "ended",
];

/// What accounts can be told by.
pub(super) const COST_BY: [&str; 4] = ["day", "repo", "backend", "model"];

/// A label, as of `overnight_core::job::Label`: tested there, repeated here for programs.
const LABEL: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";

pub(super) fn all() -> Value {
    let mut all = Map::new();
    let groups =
        [super::backlog::schemas(), super::talk::schemas(), super::gate::schemas(), super::log::schemas()];
    for part in [words(), requests(), answers(), lists()].into_iter().chain(groups) {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn words() -> Value {
    json!({
        "JobName": { "type": "string", "minLength": 1, "maxLength": 128, "examples": ["app-12"] },
        "WorkerName": { "type": "string", "minLength": 1, "maxLength": 128 },
        "RepositoryName": { "type": "string", "minLength": 1 },
        "Label": { "type": "string", "pattern": LABEL },
        "States": { "type": "string", "examples": ["queued,parked"] },
        "Flag": { "type": "boolean" },
        "Cursor": { "type": "string" },
        "PageSize": { "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 100 },
        "EventNumber": { "type": "integer", "format": "int64", "minimum": 0 },
        "EventId": { "type": "string", "pattern": "^[0-9]+$" },
        "Position": { "type": "string" },
        "Since": { "enum": ["start", "now"], "type": "string", "default": "now" },
        "ETag": { "type": "string" },
        "IdempotencyKey": { "type": "string", "minLength": 1, "maxLength": KEY_MAX },
        "CostBy": { "type": "string", "enum": COST_BY, "default": "day" },
        "Day": { "type": "string", "format": "date" },
        "LimitKey": { "type": "string", "examples": ["label:gpu"] },
        "Time": { "type": "integer", "description": "Milliseconds since 1970-01-01 UTC" },
        "MaybeTime": { "type": ["integer", "null"], "description": "Milliseconds since 1970-01-01 UTC" },
        "Schema": { "type": "string", "const": overnight_core::SCHEMA },
        "Anything": { "type": "object" },
        "Nothing": { "type": "object", "additionalProperties": false },
    })
}

fn requests() -> Value {
    let words = json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "NewJob": {
            "type": "object",
            "required": ["repository", "prompt"],
            "additionalProperties": false,
            "properties": {
                "repository": {
                    "type": "string",
                    "description": "Name of a registered repository; with the scope admin also a directory of the server",
                },
                "prompt": { "type": "string", "minLength": 1 },
                "title": { "type": "string" },
                "agent": { "type": "string", "description": "As --agent" },
                "base": { "type": "string", "description": "Commit or branch to start from" },
                "pr": { "type": "boolean", "description": "Push and open a pull request instead of a local branch" },
                "draft": { "type": "boolean" },
                "no_verify": { "type": "boolean" },
                "priority": { "type": "integer", "minimum": -100, "maximum": 100 },
                "not_before": { "type": "string", "description": "As --not-before" },
                "after": words,
                "after_any": words,
                "key": { "type": "string", "description": "Your own name for this order: sent twice it is one job" },
                "labels": { "type": "array", "items": { "$ref": "#/components/schemas/Label" } },
                "group": { "$ref": "#/components/schemas/Label" },
                "requires": { "type": "array", "items": { "$ref": "#/components/schemas/Label" } },
                "verify": words,
                "model": { "type": "string" },
                "effort": { "type": "string" },
                "thinking_budget": { "type": "integer", "minimum": 1 },
                "backup_agent": { "type": "string" },
                "backup_model": { "type": "string" },
                "backup_effort": { "type": "string" },
                "backup_patience": { "type": "string", "description": "As in 30m" },
                "attempts": { "type": "integer", "minimum": 1 },
                "max_cost": { "type": "string", "description": "As in $2.50" },
                "max_tokens": { "type": "string", "description": "As in 2M" },
                "max_turns": { "type": "integer", "minimum": 1 },
                "max_time": { "type": "string", "description": "As in 2h" },
            },
        },
        "Drain": {
            "type": "object",
            "additionalProperties": false,
            "properties": { "drain": { "type": "boolean", "default": true } },
        },
        "NewLimit": {
            "type": "object",
            "required": ["key", "slots"],
            "additionalProperties": false,
            "properties": {
                "key": { "$ref": "#/components/schemas/LimitKey" },
                "slots": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                "ahead": { "type": "boolean", "default": false },
            },
        },
    })
}

/// A document: the envelope of everything that is answered.
pub(super) fn enveloped(kind: &str, data: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["schema", "kind", "data"],
        "properties": {
            "schema": { "$ref": "#/components/schemas/Schema" },
            "kind": { "type": "string", "const": kind },
            "data": data,
        },
    })
}

/// One page of a list.
pub(super) fn page(kind: &str, item: &str, next: &str) -> Value {
    let items = json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{item}") } });
    let mut page = enveloped(kind, &items);
    page["required"] = json!(["schema", "kind", "data", "next"]);
    page["properties"]["next"] = json!({ "type": [next, "null"], "description": "Where the next page begins; null: this is the last" });
    page
}

fn answers() -> Value {
    json!({
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string" },
                "code": { "type": "string", "description": "Does not change from version to version" },
                "hint": { "type": ["string", "null"], "description": "What to do about it" },
                "line": { "type": "integer", "description": "Of a document that was sent" },
                "column": { "type": "integer" },
            },
        },
        "JobView": {
            "type": "object",
            "required": ["id", "key", "title", "repository", "agent", "state", "created_at_ms", "updated_at_ms", "exit_code"],
            "properties": {
                "id": { "type": "string" },
                "key": { "type": "string" },
                "title": { "type": "string" },
                "repository": { "type": "string" },
                "agent": { "type": "string" },
                "state": { "type": "string", "enum": STATES },
                "stage": { "type": ["string", "null"] },
                "attempt": { "type": "integer" },
                "attempts": { "type": "integer" },
                "turns": { "type": "integer" },
                "reason": { "type": ["string", "null"] },
                "detail": { "type": ["string", "null"] },
                "wake_ms": { "$ref": "#/components/schemas/MaybeTime" },
                "priority": { "type": "integer" },
                "labels": { "type": "array", "items": { "type": "string" } },
                "created_at_ms": { "$ref": "#/components/schemas/Time" },
                "updated_at_ms": { "$ref": "#/components/schemas/Time" },
                "exit_code": { "type": "integer", "description": "As of overnight help exit-codes" },
            },
        },
        "Event": {
            "type": "object",
            "required": ["schema", "kind", "job", "number", "at_ms", "event"],
            "properties": {
                "schema": { "$ref": "#/components/schemas/Schema" },
                "kind": { "type": "string", "const": "event" },
                "job": { "type": "string" },
                "number": { "type": "integer", "minimum": 1 },
                "at_ms": { "$ref": "#/components/schemas/Time" },
                "event": { "type": ["object", "null"], "description": "null: one that this version cannot read" },
            },
        },
        "Job": enveloped("job", &json!({ "$ref": "#/components/schemas/JobView" })),
        "JobDocument": enveloped("job", &json!({
            "type": "object",
            "required": ["job", "after", "prompt", "settings", "story"],
            "properties": {
                "job": { "$ref": "#/components/schemas/JobView" },
                "after": { "type": "array" },
                "prompt": { "type": "string" },
                "settings": { "type": "object" },
                "story": { "type": "object" },
            },
        })),
        "PlacedJob": enveloped("added", &json!({
            "type": "object",
            "required": ["new", "job", "notes"],
            "properties": {
                "new": { "type": "boolean", "description": "false: an earlier request had made it" },
                "job": { "$ref": "#/components/schemas/JobView" },
                "notes": { "type": "array", "items": { "type": "string" } },
            },
        })),
        "Drained": enveloped("worker", &json!({
            "type": "object",
            "required": ["id", "drain"],
            "properties": { "id": { "type": "string" }, "drain": { "type": "boolean" } },
        })),
        "Token": enveloped("token", &json!({
            "type": "object",
            "required": ["id", "scope"],
            "properties": { "id": { "type": "string" }, "scope": { "type": "string" } },
        })),
    })
}

fn lists() -> Value {
    let list = |of: Value| json!({ "type": "array", "items": of });
    let mut jobs = page("jobs", "JobView", "string");
    jobs["properties"]["unreadable"] = json!({
        "type": "array",
        "items": { "type": "string" },
        "description": "Jobs of this page that this version cannot read",
    });
    json!({
        "JobPage": jobs,
        "EventPage": page("events", "Event", "integer"),
        "Workers": enveloped("workers", &list(json!({
            "type": "object",
            "required": ["id", "host", "presence", "drain", "held", "status"],
        }))),
        "Limits": enveloped("limits", &list(json!({
            "type": "object",
            "required": ["key", "slots", "held"],
            "properties": {
                "key": { "type": "string" },
                "slots": { "type": "integer" },
                "held": { "type": "integer" },
            },
        }))),
        "Document": {
            "type": "object",
            "required": ["schema", "kind", "data"],
            "properties": {
                "schema": { "$ref": "#/components/schemas/Schema" },
                "kind": { "type": "string" },
                "data": { "type": "object" },
            },
        },
    })
}
