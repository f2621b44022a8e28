//! The description of the API for programs (OpenAPI 3.1), made from the table of operations.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::fault::{Code, Fault};
use super::operations::{self, Gives, In, Operation, Param};
use super::take::Params;
use super::world::NoParams;
use super::{answer, schemas};

/// What any request may be answered with.
const ANYWHERE: &[Code] = &[
    Code::BadRequest,
    Code::BadQuery,
    Code::BadCursor,
    Code::TokenInUrl,
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::TokenRevoked,
    Code::ScopeTooSmall,
    Code::CrossSite,
    Code::StoreFailed,
    Code::Unexpected,
];

/// What any request with a body may be answered with besides.
const WITH_BODY: &[Code] = &[
    Code::BodyTooSlow,
    Code::BodyTooLarge,
    Code::NotJson,
    Code::BadBody,
    Code::UnknownJob,
    Code::AmbiguousJob,
];

pub(super) async fn serve(_: Params<NoParams>) -> Result<Response, Fault> {
    Ok(answer(StatusCode::OK, &document()))
}

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::all() {
        let path = paths.entry(format!("/api/v1{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method.key()] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Overnight",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Runs coding agents unattended",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "overnight token add NAME --scope read|operate|admin",
                },
            },
            "schemas": schemas::all(),
        },
    })
}

fn described(operation: &Operation) -> Value {
    let Operation { id, scope, about, params, takes, .. } = operation;
    let mut described = json!({
        "operationId": id,
        "summary": about,
        "description": format!("Needs a token of the scope {scope}."),
        "parameters": params.iter().map(parameter).collect::<Vec<_>>(),
        "responses": answers(operation),
    });
    if let Some(schema) = takes {
        let content = json!({ "application/json": { "schema": reference(schema) } });
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

fn parameter(param: &Param) -> Value {
    let Param { name, place, schema, about } = param;
    let (place, required) = match place {
        In::Path => ("path", true),
        In::Query => ("query", *schema == "LimitKey"),
        In::Header => ("header", false),
    };
    json!({ "name": name, "in": place, "required": required, "description": about, "schema": reference(schema) })
}

fn answers(operation: &Operation) -> Value {
    let mut answers = Map::new();
    for (status, gives) in operation.gives {
        answers.insert(status.to_string(), given(*status, *gives));
    }
    let of_body: &[Code] = if operation.takes.is_some() { WITH_BODY } else { &[] };
    let codes: Vec<Code> = ANYWHERE.iter().chain(of_body).chain(operation.faults).copied().collect();
    for code in &codes {
        let status = code.status();
        let same: Vec<&str> = Code::ALL
            .iter()
            .filter(|one| codes.contains(one) && one.status() == status)
            .map(|one| one.as_str())
            .collect();
        let content = json!({ "application/problem+json": { "schema": reference("Problem") } });
        answers.insert(
            status.as_str().to_owned(),
            json!({ "description": format!("One of: {}", same.join(", ")), "content": content }),
        );
    }
    Value::Object(answers)
}

fn given(status: u16, gives: Gives) -> Value {
    let status = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let about = status.unwrap_or("Done");
    match gives {
        Gives::Json(schema) => {
            json!({ "description": about, "content": { "application/json": { "schema": reference(schema) } } })
        }
        Gives::Stream => json!({
            "description": "Events: job (data is an Event), reset (the place is not to be had any more), end",
            "content": { "text/event-stream": { "schema": { "type": "string" } } },
        }),
        Gives::Nothing => json!({ "description": about }),
    }
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}
