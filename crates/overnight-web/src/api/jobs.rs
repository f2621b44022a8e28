//! Jobs: lists, one job, its events, and what can be asked of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use overnight_core::id::{EventNumber, JobId, RepositoryId};
use overnight_core::job::{CancelledBy, Job, JobState, Label};
use overnight_core::text::one_line;
use overnight_core::units::Timestamp;
use overnight_store::{CancelRequest, JobFilter, Phase};
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{Document, NewOrder, Placed};
use super::fault::{Code, Fault};
use super::once::{Done, hash, nothing, once};
use super::stream::line;
use super::take::{Fields, Params, Part, Sender};
use super::{Api, answer, document};

/// Entries of a page when none are asked for, and the most that can be.
const PAGE: u32 = 100;
pub(super) const PAGE_MAX: u32 = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    state: Option<String>,
    label: Option<String>,
    repository: Option<String>,
    ended: Option<bool>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) fn page_size(wanted: Option<u32>) -> Result<u32, Fault> {
    let size = wanted.unwrap_or(PAGE);
    let fits = (1..=PAGE_MAX).contains(&size);
    fits.then_some(size).ok_or_else(|| Fault::new(Code::BadQuery, format!("limit is from 1 to {PAGE_MAX}")))
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Params(params): Params<ListParams>,
) -> Result<Response, Fault> {
    let size = page_size(params.limit)?;
    let filter = JobFilter { limit: Some(size + 1), ..filter(&api, params).await? };
    let mut found = api.in_time(api.store.jobs(&filter)).await?;
    let more = found.jobs.len() + found.unreadable.len() > size as usize;
    found.jobs.truncate(size as usize);
    let next = found.jobs.last().filter(|_| more).map(|job| format!("{}.{}", job.created_at.0, job.id));
    let unreadable: Vec<String> = found.unreadable.iter().map(ToString::to_string).collect();
    let jobs = api.desk.document(Document::Jobs(found.jobs)).await?;
    let mut body = document("jobs", &jobs);
    body["next"] = json!(next);
    body["unreadable"] = json!(unreadable);
    Ok(answer(StatusCode::OK, &body))
}

async fn filter(api: &Api, params: ListParams) -> Result<JobFilter, Fault> {
    let bad = |what: String| Fault::new(Code::BadQuery, what);
    let states: Vec<String> = match &params.state {
        Some(text) => text.split(',').map(str::to_owned).collect(),
        None => Vec::new(),
    };
    if let Some(unknown) = states.iter().find(|state| !super::schemas::STATES.contains(&state.as_str())) {
        let known = super::schemas::STATES.join(", ");
        return Err(bad(format!("there is no state {unknown:?}")).hint(format!("states are: {known}")));
    }
    let label = params.label.as_deref().map(Label::parse).transpose();
    let repository = match params.repository {
        None => None,
        Some(name) => Some(api.repository(&name, Code::BadQuery).await?),
    };
    let after = params.cursor.as_deref().map(after_job).transpose()?;
    let label = label.map_err(|error| bad(error.to_string()))?;
    Ok(JobFilter { repository, states, label, ended: params.ended, after, ..JobFilter::default() })
}

pub(super) fn after_job(text: &str) -> Result<(Timestamp, JobId), Fault> {
    let (made, id) = cursor(text)?;
    Ok((made, JobId::parse(id).map_err(|_| no_cursor())?))
}

/// The time and the id of the last entry of the page before.
pub(super) fn cursor(text: &str) -> Result<(Timestamp, &str), Fault> {
    let parts = text.split_once('.').and_then(|(made, id)| Some((made.parse().ok()?, id)));
    let (made, id) = parts.ok_or_else(no_cursor)?;
    Ok((Timestamp(made), id))
}

pub(super) fn no_cursor() -> Fault {
    Fault::new(Code::BadCursor, "a cursor is the `next` of an earlier answer")
}

impl Api {
    /// The repository with this name; `code` where there is none.
    pub(super) async fn repository(&self, name: &str, code: Code) -> Result<RepositoryId, Fault> {
        let all = self.in_time(self.store.repositories()).await?;
        let found = all.into_iter().find(|repository| repository.name == name);
        let missing = || {
            let detail = format!("there is no repository {:?}", one_line(name, 60));
            Fault::new(code, detail).hint("GET /api/v1/repositories")
        };
        Ok(found.ok_or_else(missing)?.id)
    }

    pub(super) async fn job(&self, wanted: &str) -> Result<Job, Fault> {
        match tokio::time::timeout(self.patience, self.store.job_find(wanted)).await {
            Ok(found) => Ok(found?),
            Err(_) => Err(Fault::new(Code::StoreFailed, "the store does not answer")),
        }
    }

    /// What is answered to an order.
    async fn placed(&self, placed: Placed) -> Result<Done, Fault> {
        let Placed { job, new, notes } = placed;
        let view = self.job_view(&job).await?;
        let place = view["key"].as_str().map(|key| format!("/api/v1/jobs/{key}"));
        let body = document("added", &json!({ "new": new, "job": view, "notes": notes }));
        Ok(Done::placed(new, place, body))
    }

    /// The job as it is in lists.
    pub(super) async fn job_view(&self, id: &JobId) -> Result<Value, Fault> {
        let job = self.in_time(self.store.job(id)).await?;
        let mut views = self.desk.document(Document::Jobs(vec![job])).await?;
        let view = views.as_array_mut().and_then(Vec::pop);
        view.ok_or_else(|| Fault::new(Code::Unexpected, "the job has no view"))
    }
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let job = api.job(&key).await?;
    let body = document("job", &api.desk.document(Document::Job(Box::new(job))).await?);
    let tag = format!("\"{}\"", &hash(body.to_string().as_bytes())[..32]);
    let mut response = if has(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer(StatusCode::OK, &body)
    };
    // Of hexadecimal digits and quotes.
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    // May be kept by who asked, to ask whether it still holds.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let texts = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|field| field.to_str().ok());
    let mut known = texts.flat_map(|text| text.split(',')).map(|one| one.trim());
    known.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventParams {
    after: Option<i64>,
    limit: Option<u32>,
}

pub(super) async fn events(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    Params(params): Params<EventParams>,
) -> Result<Response, Fault> {
    let size = page_size(params.limit)?;
    let after = EventNumber(params.after.unwrap_or(0));
    let job = api.job(&key).await?;
    let mut records = api.in_time(api.store.events(&job.id, after, size + 1)).await?;
    let more = records.len() > size as usize;
    records.truncate(size as usize);
    let next = records.last().filter(|_| more).map(|record| record.number);
    let lines =
        records.iter().map(|record| line(&job.id, record.number, record.at, record.event.as_ref().ok()));
    let mut body = document("events", &Value::Array(lines.collect()));
    body["next"] = json!(next);
    Ok(answer(StatusCode::OK, &body))
}

pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    fields: Fields,
) -> Result<Response, Fault> {
    nothing(fields)?;
    let job = api.job(&key).await?;
    let asked = api.store.cancel_request(&job.id, CancelledBy::Command).await?;
    let status = match asked {
        CancelRequest::Ended => StatusCode::OK,
        CancelRequest::Asked | CancelRequest::Recorded => StatusCode::ACCEPTED,
        CancelRequest::AlreadyEnded => return Err(ended(&job)),
    };
    Ok(answer(status, &document("job", &api.job_view(&job.id).await?)))
}

pub(super) fn ended(job: &Job) -> Fault {
    Fault::new(Code::JobEnded, format!("{} has ended", job.key))
        .hint(format!("POST /api/v1/jobs/{}/retry makes a new job of its order", job.key))
}

pub(super) async fn resume(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    fields: Fields,
) -> Result<Response, Fault> {
    nothing(fields)?;
    let job = api.job(&key).await?;
    if !api.store.job_wake(&job.id).await? {
        match api.in_time(api.store.standing(&job.id)).await?.phase {
            Phase::Ended => return Err(ended(&job)),
            Phase::Held => {
                let hint = "it goes on by itself; if its worker is lost, another one takes it when its lease is over";
                return Err(Fault::new(Code::JobHeld, format!("somebody works on {}", job.key)).hint(hint));
            }
            // Woken by somebody else, or never asleep: it goes on.
            Phase::Ready | Phase::Due | Phase::Asleep | Phase::Blocked => {}
        }
    }
    Ok(answer(StatusCode::OK, &document("job", &api.job_view(&job.id).await?)))
}

pub(super) async fn place(
    State(api): State<Arc<Api>>,
    sender: Sender,
    Fields(fields): Fields,
) -> Result<Response, Fault> {
    let asked = hash(Value::Object(fields.clone()).to_string().as_bytes());
    let any_directory = sender.principal.may(overnight_core::access::Scope::Admin);
    let order = NewOrder { fields, request: sender.request(), any_directory };
    once(&api, &sender, &format!("place {asked}"), async || api.placed(api.desk.order(order).await?).await)
        .await
}

pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    nothing(fields)?;
    let job = api.job(&key).await?;
    if !matches!(job.state, JobState::Ended { .. }) {
        let detail = format!("{} has not ended: it is {}", job.key, job.state.name());
        let hint = format!("POST /api/v1/jobs/{}/resume goes on with it", job.key);
        return Err(Fault::new(Code::JobNotEnded, detail).hint(hint));
    }
    let asked = format!("retry {}", job.id);
    let request = sender.request();
    once(&api, &sender, &asked, async || api.placed(api.desk.again(job, request).await?).await).await
}
