//! A job's log in pages: as `overnight logs` shows it, where it is kept.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use overnight_core::job::LogPlace;
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{LogPage, LogParts, LogWanted, RefusalKind};
use super::fault::{Code, Fault};
use super::jobs::page_size;
use super::operations::{self, Gives, JOB, KEY, LIMIT, Operation, READ, query};
use super::schemas::page;
use super::take::{Params, Part};
use super::{Api, answer, document};

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    op: operations::Op::Log,
    id: "showJobLog",
    path: "/jobs/{key}/log",
    about: "What a job's agent and checks wrote, line by line, as overnight logs shows it, where this server keeps it",
    params: &[
        KEY,
        query("part", "LogParts", "all: the turns, then the checks; agent: every turn; checks"),
        query("turn", "TurnNumber", "Only this turn"),
        query("cursor", "Cursor", "`next` or `at` of the page before"),
        LIMIT,
    ],
    gives: &[(200, Gives::Json("LogPage"))],
    faults: JOB,
    ..READ
}];

const PARTS: [&str; 3] = ["all", "agent", "checks"];

pub(super) fn schemas() -> Value {
    let mut lines = page("log", "LogLine", "string");
    lines["required"] = json!(["schema", "kind", "data", "next", "at", "kept"]);
    lines["properties"]["at"] = json!({
        "type": ["string", "null"],
        "description": "The place after the last of these lines: as cursor, it gives what is written from now on",
    });
    lines["properties"]["kept"] = json!({
        "type": "boolean",
        "description": "false: this server has no log of the job; it is on another machine, cleared away, or not begun",
    });
    json!({
        "LogParts": { "type": "string", "enum": PARTS, "default": "all" },
        "TurnNumber": { "type": "integer", "minimum": 1 },
        "LogLine": {
            "type": "object",
            "required": ["part", "text"],
            "properties": {
                "part": { "type": "string", "enum": ["turn", "stderr", "check"] },
                "turn": { "type": "integer" },
                "attempt": { "type": "integer" },
                "number": { "type": "integer", "description": "Of the check, from 1" },
                "on_base": { "type": "boolean" },
                "text": { "type": "string", "description": "One line, or a piece of a very long one" },
            },
        },
        "LogPage": lines,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogParams {
    part: Option<String>,
    turn: Option<u32>,
    cursor: Option<String>,
    limit: Option<u32>,
}

fn parts(part: Option<&str>, turn: Option<u32>) -> Result<LogParts, Fault> {
    match (part, turn) {
        (None | Some("all" | "agent"), Some(turn)) => Ok(LogParts::Turn(turn)),
        (None | Some("all"), None) => Ok(LogParts::All),
        (Some("agent"), None) => Ok(LogParts::Agent),
        (Some("checks"), None) => Ok(LogParts::Checks),
        (Some("checks"), Some(_)) => {
            Err(Fault::new(Code::BadQuery, "checks are of attempts and not of turns"))
        }
        (Some(_), _) => Err(Fault::new(Code::BadQuery, format!("parts are {}", PARTS.join(", ")))),
    }
}

pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    Params(params): Params<LogParams>,
) -> Result<Response, Fault> {
    let lines = page_size(params.limit)?;
    let parts = parts(params.part.as_deref(), params.turn)?;
    let after = params.cursor.as_deref().map(LogPlace::parse).transpose();
    let after =
        after.map_err(|_| Fault::new(Code::BadCursor, "a cursor is `next` or `at` of an earlier answer"))?;
    let job = Box::new(api.job(&key).await?);
    let page = api.desk.log(LogWanted { job, parts, after, lines }).await;
    let page = page.map_err(|refusal| match refusal.kind {
        // Which turns there are is for the desk to know.
        RefusalKind::Unusable => Fault::new(Code::BadQuery, refusal.what),
        RefusalKind::Forbidden | RefusalKind::Store | RefusalKind::Unexpected => refusal.into(),
    })?;
    Ok(answer(StatusCode::OK, &body(&page)))
}

fn body(page: &LogPage) -> Value {
    let at = page.at.map(|place| place.to_string());
    let mut body = document("log", &Value::Array(lines(page)));
    body["next"] = json!(at.as_ref().filter(|_| page.more));
    body["at"] = json!(at);
    body["kept"] = json!(page.kept);
    body
}

/// Each line with the part that it is of.
pub(crate) fn lines(page: &LogPage) -> Vec<Value> {
    let line = |(part, text): &(overnight_core::job::LogPart, String)| {
        // A part is numbers and words.
        let mut line = serde_json::to_value(part).unwrap_or_default();
        line["text"] = json!(text);
        line
    };
    page.lines.iter().map(line).collect()
}
