//! Items: lists, one item, and what can be changed of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use overnight_store::ItemView;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{if_match, put_tag, tagged};
use crate::api::fault::{Code, Fault};
use crate::api::jobs::page_size;
use crate::api::once::{Done, hash, once};
use crate::api::take::{Fields, Params, Part, Sender};
use crate::api::{Api, answer, document};
use crate::backlog::{Cursor, Wanted};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    repository: Option<String>,
    kind: Option<String>,
    of: Option<String>,
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Params(params): Params<ListParams>,
) -> Result<Response, Fault> {
    let ListParams { repository, kind, of, state, cursor, limit } = params;
    let limit = page_size(limit)? as usize;
    let bad = || Fault::new(Code::BadCursor, "a cursor is the `next` of an earlier answer");
    let after = cursor.map(|text| Cursor::parse(&text).ok_or_else(bad)).transpose()?;
    let states = state.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
    let wanted = Wanted { repository, kind, of, states, after, limit };
    let (items, next) = api.soon(api.backlog().list(wanted)).await.map_err(of_query)?;
    let views: Vec<Value> = items.iter().map(value).collect();
    let mut body = document("items", &Value::Array(views));
    body["next"] = json!(next.map(|next| next.to_string()));
    Ok(answer(StatusCode::OK, &body))
}

/// What a filter names and that there is not is a mistake in the query.
fn of_query(fault: Fault) -> Fault {
    if fault.code() == Code::ItemRefused { fault.with(Code::BadQuery) } else { fault }
}

/// A struct of texts and numbers is always JSON.
fn value(view: &ItemView) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

/// The version comes first: `If-Match` looks at that only, since how far the item's jobs have come is no change of it.
fn tag(version: i64, body: &Value) -> String {
    format!("\"{version}.{}\"", &hash(body.to_string().as_bytes())[..32])
}

/// The version that `If-Match` asks for.
fn version(headers: &HeaderMap) -> Result<Option<i64>, Fault> {
    let Some(tags) = if_match(headers) else { return Ok(None) };
    let versions: Vec<i64> = tags
        .iter()
        .filter_map(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.split_once('.')?.0.parse().ok())
        .collect();
    match versions.as_slice() {
        [version] => Ok(Some(*version)),
        _ => Err(Fault::new(Code::ChangedMeanwhile, "If-Match holds no single ETag of an item")
            .hint("send the ETag of GET /api/v1/items/KEY as it came")),
    }
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let shown = api.soon(api.backlog().show(&key)).await?;
    let body = document(shown.item.kind, &serde_json::to_value(&shown).unwrap_or_default());
    Ok(tagged(&headers, &tag(shown.item.version, &body), &body))
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let asked = format!("item {}", hash(Value::Object(fields.0.clone()).to_string().as_bytes()));
    let new = fields.into()?;
    let request = sender.request();
    once(&api, &sender, &asked, async || {
        let (view, new) = api.backlog().add(new, request.as_deref()).await?;
        let place = Some(format!("/api/v1/items/{}", view.key));
        Ok(Done::placed(new, place, document(view.kind, &value(&view))))
    })
    .await
}

pub(super) async fn edit(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Fault> {
    let version = version(&headers)?;
    let view = api.backlog().change(&key, fields.into()?, version).await?;
    let mut response = answer(StatusCode::OK, &document(view.kind, &value(&view)));
    // Good for another If-Match; that of the whole document is another one.
    put_tag(&mut response, &tag(view.version, &value(&view)));
    Ok(response)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveParams {
    all: Option<bool>,
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    Params(RemoveParams { all }): Params<RemoveParams>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let version = version(&headers)?;
    let count = api.backlog().remove(&key, all.unwrap_or(false), version).await?;
    Ok(answer(StatusCode::OK, &document("removed", &json!({ "count": count }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMark {
    mark: String,
}

pub(super) async fn mark(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    fields: Fields,
) -> Result<Response, Fault> {
    let NewMark { mark } = fields.into()?;
    let view = api.backlog().mark(&key, &mark).await?;
    Ok(answer(StatusCode::OK, &document(view.kind, &value(&view))))
}
