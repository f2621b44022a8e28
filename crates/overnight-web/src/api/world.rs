//! What surrounds the jobs: workers, limits, budgets, accounts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use overnight_core::access::Principal;
use overnight_core::id::WorkerId;
use overnight_store::LimitKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{Document, RefusalKind};
use super::fault::{Code, Fault};
use super::take::{Fields, Params, Part, Sender};
use super::{Api, answer, document};

/// A query without anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParams {}

async fn show(api: &Api, kind: &str, wanted: Document) -> Result<Response, Fault> {
    let data = api.desk.document(wanted).await?;
    Ok(answer(StatusCode::OK, &document(kind, &data)))
}

pub(super) async fn status(State(api): State<Arc<Api>>, _: Params<NoParams>) -> Result<Response, Fault> {
    show(&api, "status", Document::Status).await
}

pub(super) async fn budget(State(api): State<Arc<Api>>, _: Params<NoParams>) -> Result<Response, Fault> {
    show(&api, "budgets", Document::Budget).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CostParams {
    by: Option<String>,
    since: Option<String>,
}

pub(super) async fn cost(
    State(api): State<Arc<Api>>,
    Params(CostParams { by, since }): Params<CostParams>,
) -> Result<Response, Fault> {
    let by = by.unwrap_or_else(|| "day".to_owned());
    if !super::schemas::COST_BY.contains(&by.as_str()) {
        let known = super::schemas::COST_BY.join(", ");
        return Err(Fault::new(Code::BadQuery, format!("costs are told by {known}")));
    }
    let data =
        api.desk.document(Document::Cost { by, since }).await.map_err(|refusal| match refusal.kind {
            // The day is for the desk to read.
            RefusalKind::Unusable => Fault::new(Code::BadQuery, refusal.what).hint("say since=2026-11-21"),
            RefusalKind::Forbidden | RefusalKind::Store | RefusalKind::Unexpected => refusal.into(),
        })?;
    Ok(answer(StatusCode::OK, &document("costs", &data)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkerParams {
    all: Option<bool>,
}

pub(super) async fn workers(
    State(api): State<Arc<Api>>,
    Params(WorkerParams { all }): Params<WorkerParams>,
) -> Result<Response, Fault> {
    show(&api, "workers", Document::Workers { all: all.unwrap_or(false) }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drain {
    drain: Option<bool>,
}

pub(super) async fn drain(
    State(api): State<Arc<Api>>,
    Part(id): Part,
    fields: Fields,
) -> Result<Response, Fault> {
    let Drain { drain } = fields.into()?;
    let drain = drain.unwrap_or(true);
    let unknown = || {
        Fault::new(Code::UnknownWorker, "there is no worker with this id")
            .hint("GET /api/v1/workers lists them")
    };
    let worker = WorkerId::parse(&id).map_err(|_| unknown())?;
    if !api.in_time(api.store.worker_drain(&worker, drain)).await? {
        return Err(unknown());
    }
    Ok(answer(StatusCode::OK, &document("worker", &json!({ "id": worker, "drain": drain }))))
}

pub(super) async fn limits(State(api): State<Arc<Api>>, _: Params<NoParams>) -> Result<Response, Fault> {
    let all = api.in_time(api.store.limits()).await?;
    let views =
        all.iter().map(|one| json!({ "key": one.key.as_str(), "slots": one.slots, "held": one.held }));
    Ok(answer(StatusCode::OK, &document("limits", &Value::Array(views.collect()))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLimit {
    key: String,
    slots: u32,
    /// Also for a repository that nobody has registered yet.
    #[serde(default)]
    ahead: bool,
}

fn limit_key(text: &str, code: Code) -> Result<LimitKey, Fault> {
    LimitKey::parse(text).map_err(|why| Fault::new(code, why))
}

pub(super) async fn set_limit(state: State<Arc<Api>>, fields: Fields) -> Result<Response, Fault> {
    let NewLimit { key, slots, ahead } = fields.into()?;
    let key = limit_key(&key, Code::BadBody)?;
    let api = &state.0;
    if let Some(name) = key.repository_name().filter(|_| !ahead) {
        let all = api.in_time(api.store.repositories()).await?;
        if !all.iter().any(|repository| repository.name == name) {
            let detail = format!("there is no repository {name:?}");
            let hint =
                "GET /api/v1/repositories lists them; \"ahead\": true sets the limit before its first job";
            return Err(Fault::new(Code::BadBody, detail).hint(hint));
        }
    }
    api.in_time(api.store.limit_set(&key, Some(slots))).await?;
    limits(state, Params(NoParams {})).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitParams {
    key: String,
}

pub(super) async fn remove_limit(
    state: State<Arc<Api>>,
    Params(LimitParams { key }): Params<LimitParams>,
) -> Result<Response, Fault> {
    let key = limit_key(&key, Code::BadQuery)?;
    state.0.in_time(state.0.store.limit_set(&key, None)).await?;
    limits(state, Params(NoParams {})).await
}

pub(super) async fn whoami(_: Params<NoParams>, sender: Sender) -> Response {
    let data = match sender.principal {
        Principal::Person { token, scope } => json!({ "id": token, "scope": scope }),
        Principal::Agent { job, fence } => json!({ "job": job, "fence": fence }),
    };
    answer(StatusCode::OK, &document("token", &data))
}
