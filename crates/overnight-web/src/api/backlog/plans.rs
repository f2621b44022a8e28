//! Plan documents in and out, and the start of tasks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use overnight_core::id::JobId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::desk::{NewStart, Started};
use crate::api::fault::{Code, Fault};
use crate::api::once::{Done, hash, once};
use crate::api::take::{Fields, Params, Part, Sender};
use crate::api::{Api, answer, document};
use crate::backlog::{PlanSaid, request};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportParams {
    dry_run: Option<bool>,
}

pub(super) async fn import(
    State(api): State<Arc<Api>>,
    Params(ImportParams { dry_run }): Params<ImportParams>,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let dry_run = dry_run.unwrap_or(false);
    let asked = hash(Value::Object(fields.0.clone()).to_string().as_bytes());
    let mut plan: PlanSaid = fields.into()?;
    let name = request(plan.key.take())?.or_else(|| sender.request());
    once(&api, &sender, &format!("import {dry_run} {asked}"), async || {
        let view = api.backlog().import(plan, dry_run, name.as_deref()).await?;
        let place = view.epic.as_ref().map(|epic| format!("/api/v1/items/{}", epic.key));
        let mut data = serde_json::to_value(&view).unwrap_or_default();
        // There may be thousands: GET /items?of=KEY has them in pages.
        data.as_object_mut().map(|data| data.remove("items"));
        Ok(Done::placed(view.new, place, document("imported", &data)))
    })
    .await
}

pub(super) async fn export(State(api): State<Arc<Api>>, Part(key): Part) -> Result<Response, Fault> {
    let plan = api.soon(api.backlog().export(&key)).await?;
    Ok(answer(StatusCode::OK, &document("plan", &plan)))
}

pub(super) async fn start(
    State(api): State<Arc<Api>>,
    sender: Sender,
    Fields(mut fields): Fields,
) -> Result<Response, Fault> {
    let asked = format!("start {}", hash(Value::Object(fields.clone()).to_string().as_bytes()));
    let items = items(&mut fields)?;
    let start = NewStart { items, fields, request: sender.request() };
    once(&api, &sender, &asked, async || {
        let Started { jobs, left, notes } = api.desk.start(start).await?;
        let new = jobs.iter().any(|(_, new)| *new);
        let data = json!({ "jobs": added(&api, jobs).await?, "left": left, "notes": notes });
        Ok(Done::placed(new, None, document("started", &data)))
    })
    .await
}

fn items(fields: &mut Map<String, Value>) -> Result<Vec<String>, Fault> {
    let refused = || {
        Fault::new(Code::BadBody, "items is not a list of keys")
            .hint("name what to start: {\"items\": [\"app-3\"]}")
    };
    serde_json::from_value(fields.remove("items").ok_or_else(refused)?).map_err(|_| refused())
}

async fn added(api: &Api, jobs: Vec<(JobId, bool)>) -> Result<Vec<Value>, Fault> {
    let mut added = Vec::with_capacity(jobs.len());
    for (job, new) in jobs {
        added.push(json!({ "new": new, "job": api.job_view(&job).await? }));
    }
    Ok(added)
}
