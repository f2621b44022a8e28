//! Repositories and what holds for all of their tasks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use overnight_store::SettledRepository;
use serde_json::{Value, json};

use super::{if_match, put_tag, tagged};
use crate::api::fault::Fault;
use crate::api::once::hash;
use crate::api::take::{Fields, Params, Part};
use crate::api::world::NoParams;
use crate::api::{Api, answer, document};
use crate::backlog::repository_view as view;

fn tag(settled: &SettledRepository) -> String {
    format!("\"{}\"", &hash(view(settled).to_string().as_bytes())[..32])
}

pub(super) async fn list(State(api): State<Arc<Api>>, _: Params<NoParams>) -> Result<Response, Fault> {
    let all = api.soon(api.backlog().repositories()).await?;
    let views = all.iter().map(view).collect();
    Ok(answer(StatusCode::OK, &document("repositories", &Value::Array(views))))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Part(name): Part,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let settled = api.soon(api.backlog().settled(&name)).await?;
    Ok(tagged(&headers, &tag(&settled), &document("repository", &view(&settled))))
}

pub(super) async fn add(State(api): State<Arc<Api>>, fields: Fields) -> Result<Response, Fault> {
    let (settled, new) = api.backlog().register(fields.into()?).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer(status, &document("repository", &view(&settled)));
    put_tag(&mut response, &tag(&settled));
    // Of lower-case letters, digits and dashes.
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/repositories/{}", settled.repository.name)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(super) async fn edit(
    State(api): State<Arc<Api>>,
    Part(name): Part,
    headers: HeaderMap,
    Fields(fields): Fields,
) -> Result<Response, Fault> {
    let wanted = if_match(&headers);
    let looked_at = |now: &SettledRepository| wanted.as_ref().is_none_or(|tags| tags.contains(&tag(now)));
    let settled = api.backlog().settle(&name, &fields, looked_at).await?;
    let mut response = answer(StatusCode::OK, &document("repository", &view(&settled)));
    put_tag(&mut response, &tag(&settled));
    Ok(response)
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Part(name): Part,
    _: Params<NoParams>,
) -> Result<Response, Fault> {
    api.backlog().forget(&name).await?;
    Ok(answer(StatusCode::OK, &document("removed", &json!({ "count": 1 }))))
}
