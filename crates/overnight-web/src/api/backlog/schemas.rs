//! The shapes of this group, for the OpenAPI document.

use overnight_core::backlog::{
    ACCEPTANCE_MAX, ItemKind, LINE_MAX, Mark, PLAN_MAX, PullStrategy, TEXT_MAX, TITLE_MAX,
};
use serde_json::{Map, Value, json};

use crate::api::schemas::{enveloped, page};

fn kinds() -> [&'static str; 5] {
    ItemKind::ALL.map(ItemKind::as_str)
}

fn strategies() -> [&'static str; 3] {
    PullStrategy::ALL.map(PullStrategy::as_str)
}

pub(crate) fn all() -> Value {
    let mut all = Map::new();
    for part in [words(), requests(), repositories(), items()] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn words() -> Value {
    json!({
        "ItemKind": { "type": "string", "enum": kinds() },
        "ItemStates": { "type": "string", "examples": ["todo,failed"] },
        "Keys": { "type": "array", "maxItems": 500, "items": { "type": "string" } },
        "ItemBody": {
            "type": "object",
            "description": "By kind. epic: description, cascade. story: description, acceptance. task: description, acceptance, plan, \
                verify_required, verify_only, repository (where it is to be done instead), settings. sprint: goal, strategy. \
                idea: wish, notes, plan",
            "properties": {
                "description": { "type": ["string", "null"], "maxLength": TEXT_MAX },
                "acceptance": {
                    "type": ["array", "null"], "maxItems": ACCEPTANCE_MAX,
                    "items": { "type": "string", "minLength": 1, "maxLength": LINE_MAX },
                },
                "plan": { "type": ["string", "null"], "description": format!("Of a task: at most {PLAN_MAX} characters") },
                "verify_required": { "type": ["string", "null"], "enum": ["aligned", "aligned_or_partial", "any", null] },
                "verify_only": { "type": ["boolean", "null"] },
                "repository": { "type": ["string", "null"] },
                "settings": { "anyOf": [{ "$ref": "#/components/schemas/TaskSettings" }, { "type": "null" }] },
                "cascade": { "type": ["boolean", "null"] },
                "goal": { "type": ["string", "null"], "maxLength": TEXT_MAX },
                "strategy": { "type": ["string", "null"] },
                "wish": { "type": ["string", "null"], "maxLength": TEXT_MAX },
                "notes": { "type": ["string", "null"], "maxLength": TEXT_MAX },
            },
        },
        "TaskSettings": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "agent": { "type": ["string", "null"] },
                "model": { "type": ["string", "null"] },
                "effort": { "type": ["string", "null"] },
                "attempts": { "type": ["integer", "null"], "minimum": 1 },
                "cost": { "type": ["integer", "null"], "minimum": 1, "description": "Millionths of a US dollar" },
                "tokens": { "type": ["integer", "null"], "minimum": 1 },
                "turns": { "type": ["integer", "null"], "minimum": 1 },
                "time_ms": { "type": ["integer", "null"], "minimum": 1 },
            },
        },
    })
}

fn requests() -> Value {
    let keys = json!({ "$ref": "#/components/schemas/Keys" });
    let title = json!({ "type": "string", "minLength": 1, "maxLength": TITLE_MAX });
    let body = json!({ "$ref": "#/components/schemas/ItemBody" });
    json!({
        "NewItem": {
            "type": "object",
            "required": ["kind", "title"],
            "additionalProperties": false,
            "properties": {
                "kind": { "$ref": "#/components/schemas/ItemKind" },
                "title": title,
                "repository": { "type": "string", "description": "By name; that of the parent unless said" },
                "parent": { "type": "string", "description": "Key: of a story the epic, of a task the story" },
                "after": keys,
                "members": keys,
                "body": body,
            },
        },
        "ItemChange": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "title": title,
                "parent": { "type": ["string", "null"], "description": "null: it belongs to nothing" },
                "place": { "type": "integer", "minimum": 1, "description": "Among those that belong to the same, from 1" },
                "after": keys,
                "members": keys,
                "body": body,
            },
        },
        "NewMark": {
            "type": "object",
            "required": ["mark"],
            "additionalProperties": false,
            "properties": { "mark": { "type": "string", "enum": Mark::WORDS } },
        },
        "NewPlan": {
            "type": "object",
            "required": ["repository", "plan"],
            "additionalProperties": false,
            "properties": {
                "repository": { "type": "string" },
                "plan": { "type": "string", "description": "YAML, or Markdown that begins with it" },
                "key": { "type": "string", "minLength": 1, "maxLength": crate::backlog::REQUEST_MAX, "description": "Your own name for this plan: imported twice it is there once" },
            },
        },
        "NewStart": start(),
        "NewRepository": {
            "type": "object",
            "required": ["remote"],
            "additionalProperties": false,
            "properties": {
                "remote": { "type": "string", "description": "URL, or the whole path of a directory of the server" },
                "name": { "type": "string", "description": "What its keys begin with; the last part of the path unless said" },
                "settings": { "$ref": "#/components/schemas/RepositorySettings" },
            },
        },
    })
}

/// What a start may hold: besides the items, the words of an order.
fn start() -> Value {
    let mut start = json!({
        "type": "object",
        "required": ["items"],
        "additionalProperties": false,
        "properties": {
            "items": { "type": "array", "minItems": 1, "maxItems": 500, "items": { "type": "string" }, "description": "Tasks, or stories, epics and sprints with all their open tasks" },
            "agent": { "type": "string" },
            "no_verify": { "type": "boolean" },
        },
    });
    // The same words as of an order.
    for name in [
        "priority",
        "not_before",
        "after",
        "after_any",
        "labels",
        "group",
        "requires",
        "verify",
        "model",
        "effort",
        "thinking_budget",
        "backup_agent",
        "backup_model",
        "backup_effort",
        "backup_patience",
        "attempts",
        "max_cost",
        "max_tokens",
        "max_turns",
        "max_time",
    ] {
        start["properties"][name] =
            json!({ "$ref": format!("#/components/schemas/NewJob/properties/{name}") });
    }
    start
}

fn repositories() -> Value {
    let settings = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "base": { "type": ["string", "null"], "description": "Tasks start from this branch; null: as the remote has it" },
            "strategy": { "type": ["string", "null"], "enum": [strategies()[0], strategies()[1], strategies()[2], Value::Null], "description": "Which tasks share a branch and a pull request" },
            "draft": { "type": ["boolean", "null"] },
            "cascade": { "type": ["boolean", "null"] },
            "verify": { "type": ["array", "null"], "items": { "type": "string" } },
        },
    });
    let repository = json!({
        "type": "object",
        "required": ["id", "name", "remote", "settings"],
        "properties": {
            "id": { "type": "string" },
            "name": { "type": "string" },
            "remote": { "type": "string" },
            "settings": { "type": "object" },
        },
    });
    json!({
        "RepositorySettings": settings,
        "Repository": enveloped("repository", &repository),
        "Repositories": enveloped("repositories", &json!({ "type": "array", "items": repository })),
        "Removed": enveloped("removed", &json!({
            "type": "object",
            "required": ["count"],
            "properties": { "count": { "type": "integer" } },
        })),
    })
}

fn items() -> Value {
    let view = json!({ "$ref": "#/components/schemas/ItemView" });
    let list = |of: &Value| json!({ "type": "array", "items": of });
    let mut item = enveloped("", &view);
    item["properties"]["kind"] = json!({ "$ref": "#/components/schemas/ItemKind" });
    let mut shown = item.clone();
    shown["properties"]["data"] = json!({
        "type": "object",
        "required": ["item", "runs", "parts"],
        "properties": {
            "item": view,
            "runs": { "type": "array", "description": "Its jobs, oldest first", "items": {
                "type": "object",
                "required": ["number", "job", "ended_at_ms", "reason", "pull_request", "pull_request_url"],
            } },
            "parts": list(&view),
        },
    });
    json!({
        "ItemView": {
            "type": "object",
            "required": ["id", "key", "kind", "title", "state", "tasks", "parent", "position", "after", "members", "job", "body",
                "version", "created_at_ms", "updated_at_ms"],
            "properties": {
                "id": { "type": "string" },
                "key": { "type": "string" },
                "kind": { "$ref": "#/components/schemas/ItemKind" },
                "title": { "type": "string" },
                "state": { "type": "string", "description": "Derived from jobs, pull requests and marks" },
                "tasks": { "type": "object", "properties": { "done": { "type": "integer" }, "of": { "type": "integer" } } },
                "parent": { "type": ["string", "null"] },
                "position": { "type": "integer" },
                "after": list(&json!({ "type": "string" })),
                "members": list(&json!({ "type": "string" })),
                "job": { "type": ["string", "null"], "description": "The newest job of this task" },
                "body": { "type": "object" },
                "version": { "type": "integer" },
                "created_at_ms": { "$ref": "#/components/schemas/Time" },
                "updated_at_ms": { "$ref": "#/components/schemas/Time" },
            },
        },
        "Item": item,
        "ShownItem": shown,
        "ItemPage": page("items", "ItemView", "string"),
        "PlanDocument": enveloped("plan", &json!({
            "type": "object",
            "required": ["epic", "plan", "left"],
            "properties": {
                "epic": { "type": "string" },
                "plan": { "type": "string" },
                "left": { "type": "integer", "description": "Dependencies on tasks of other epics, which are not part of it" },
            },
        })),
        "ImportedPlan": enveloped("imported", &json!({
            "type": "object",
            "required": ["new", "dry_run", "repository", "stories", "tasks", "epic"],
            "properties": {
                "new": { "type": "boolean" },
                "dry_run": { "type": "boolean" },
                "repository": { "type": "string" },
                "stories": { "type": "integer" },
                "tasks": { "type": "integer" },
            },
        })),
        "StartedJobs": enveloped("started", &json!({
            "type": "object",
            "required": ["jobs", "left", "notes"],
            "properties": {
                "jobs": { "type": "array", "items": {
                    "type": "object",
                    "required": ["new", "job"],
                    "properties": { "new": { "type": "boolean" }, "job": { "$ref": "#/components/schemas/JobView" } },
                } },
                "left": list(&json!({ "type": "string" })),
                "notes": list(&json!({ "type": "string" })),
            },
        })),
    })
}
