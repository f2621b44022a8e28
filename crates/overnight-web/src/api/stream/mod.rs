//! Events as they come (server-sent events). An event's id is a place in the store's feed, so a client that comes back with the last
//! id that it has gets exactly what it has not, whatever was restarted in between.
//!
//! ```text
//! store ──(woken, or twice a second)──► hub: one reader, the latest events ──► streams, each with its own place
//!   └───────────── what is older than the hub's events: read by the stream itself, in pages ──►
//! ```

mod all;
mod hub;
mod job;
mod wire;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use overnight_core::SCHEMA;
use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;
use overnight_store::FeedPosition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::access::Shown;
use super::fault::{Code, Fault};
use super::take::{Params, Part};

pub(crate) use hub::Hub;

/// Most streams at a time: each is a connection, and connections are bounded, too; the rest is left to other requests.
pub(crate) const STREAMS_MAX: usize = 128;

/// An event as `--events` prints it. `None`: this version cannot read it.
pub(super) fn line(job: &JobId, number: EventNumber, at: Timestamp, event: Option<&JobEvent>) -> Value {
    json!({ "schema": SCHEMA, "kind": "event", "job": job, "number": number, "at_ms": at, "event": event })
}

fn last_id(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(field) = headers.get("last-event-id") else { return Ok(None) };
    let text = field
        .to_str()
        .map_err(|_| Fault::new(Code::BadPosition, "Last-Event-ID is not the id of an event"))?;
    // An empty one says that nothing was received yet.
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamParams {
    since: Option<Since>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Since {
    Start,
    Now,
}

/// The events of all jobs.
pub(super) async fn of_all(
    State(api): State<Arc<Api>>,
    Params(StreamParams { since }): Params<StreamParams>,
    headers: HeaderMap,
    shown: axum::Extension<Shown>,
) -> Result<Response, Fault> {
    let seat = Hub::seat(&api.hub)?;
    let (place, reset) = match (last_id(&headers)?, since.unwrap_or(Since::Now)) {
        (Some(id), _) => {
            let place: FeedPosition =
                id.parse().map_err(|error| Fault::new(Code::BadPosition, format!("{error}")))?;
            let window = api.in_time(api.store.feed_window()).await?;
            if window.is_whole_after(&place) {
                (place, false)
            } else {
                (api.in_time(api.store.feed_end()).await?, true)
            }
        }
        (None, Since::Start) => (FeedPosition::start(), false),
        (None, Since::Now) => (api.in_time(api.store.feed_end()).await?, false),
    };
    Ok(wire::response(all::Follower::new(&api, seat, place, reset), &api, shown.0.0))
}

/// The events of one job. Their ids are their numbers.
pub(super) async fn of_job(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    Params(_): Params<super::world::NoParams>,
    headers: HeaderMap,
    shown: axum::Extension<Shown>,
) -> Result<Response, Fault> {
    let seat = Hub::seat(&api.hub)?;
    let job = api.job(&key).await?;
    let after =
        match last_id(&headers)? {
            None => 0,
            Some(id) => id.parse().ok().filter(|number| *number >= 0_i64).ok_or_else(|| {
                Fault::new(Code::BadPosition, "the ids of a job's events are their numbers")
            })?,
        };
    let after = EventNumber(after);
    // A client that has all of a job that has ended need not come back.
    if job.state.is_ended()
        && api.in_time(api.store.events(&job.id, after, 1)).await?.is_empty()
        && after.0 > 0
    {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(wire::response(job::Follower::new(&api, seat, job.id, after), &api, shown.0.0))
}
