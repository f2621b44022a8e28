//! What waits for a person's word, that word, and exceptions from rules: as `overnight approve`, `reject` and `exception`.

mod table;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use overnight_core::access::Principal;
use overnight_core::git::CommitPrefix;
use overnight_core::job::ParkReason;
use overnight_core::policy::preflight::ExceptionTerms;
use overnight_store::{Answer, ExceptionFilter, JobFilter, NewException, WordError};
use serde::Deserialize;
use serde_json::json;

use super::fault::{Code, Fault};
use super::jobs::{after_job, cursor, no_cursor, page_size};
use super::once::{Done, once, words};
use super::take::{Fields, Params, Part, Sender};
use super::world::NoParams;
use super::{Api, answer, document};

pub(super) use table::{OPERATIONS, schemas};

/// Jobs of a page when none are asked for, and the most that can be: each is shown with all that was found in it.
const PAGE: u32 = 20;
const PAGE_MAX: u32 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Waiting,
    Evidence,
    Approve,
    Reject,
    Exceptions,
    Except,
    Revoke,
}

pub(super) fn handler(op: Op, method: MethodFilter) -> MethodRouter<Arc<Api>> {
    match op {
        Op::Waiting => on(method, waiting),
        Op::Evidence => on(method, evidence),
        Op::Approve => on(method, approve),
        Op::Reject => on(method, reject),
        Op::Exceptions => on(method, exceptions),
        Op::Except => on(method, except),
        Op::Revoke => on(method, revoke),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitingParams {
    repository: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn waiting(
    State(api): State<Arc<Api>>,
    Params(params): Params<WaitingParams>,
) -> Result<Response, Fault> {
    let size = params.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(Fault::new(Code::BadQuery, format!("limit is from 1 to {PAGE_MAX}")));
    }
    let repository = match &params.repository {
        Some(name) => Some(api.repository(name, Code::BadQuery).await?),
        None => None,
    };
    let after = params.cursor.as_deref().map(after_job).transpose()?;
    let filter = JobFilter {
        repository,
        parked: Some(ParkReason::Approval),
        ended: Some(false),
        limit: Some(size + 1),
        after,
        ..JobFilter::default()
    };
    let found = api.in_time(api.store.jobs(&filter)).await?;
    let more = found.jobs.len() + found.unreadable.len() > size as usize;
    let jobs = || found.jobs.iter().take(size as usize);
    let next = jobs().next_back().filter(|_| more).map(|job| format!("{}.{}", job.created_at.0, job.id));
    let mut shown = Vec::new();
    for job in jobs() {
        shown.extend(api.in_time(api.store.awaited_approval(job)).await?);
    }
    let mut body = document("approvals", &json!(shown));
    body["next"] = json!(next);
    Ok(answer(StatusCode::OK, &body))
}

async fn evidence(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    _: Params<NoParams>,
) -> Result<Response, Fault> {
    let job = api.job(&key).await?;
    let asked = api.in_time(api.store.awaited_approval(&job)).await?;
    let asked = asked.ok_or_else(|| WordError::NotAsked { job: Box::new(job) })?;
    Ok(answer(StatusCode::OK, &document("approval", &json!(asked))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApproval {
    commit: String,
    message: Option<String>,
}

async fn approve(
    state: State<Arc<Api>>,
    Part(key): Part,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let asked = words("approve", &key, &fields);
    let NewApproval { commit, message } = fields.into()?;
    say(&state.0, &sender, (&key, &commit, &asked), Answer::Approve { message }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRejection {
    commit: String,
    message: String,
    #[serde(default)]
    end: bool,
}

async fn reject(
    state: State<Arc<Api>>,
    Part(key): Part,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let asked = words("reject", &key, &fields);
    let NewRejection { commit, message, end } = fields.into()?;
    say(&state.0, &sender, (&key, &commit, &asked), Answer::Reject { message, end }).await
}

async fn say(
    api: &Api,
    sender: &Sender,
    (key, commit, asked): (&str, &str, &str),
    word: Answer,
) -> Result<Response, Fault> {
    let commit = CommitPrefix::parse(commit).map_err(|error| Fault::new(Code::BadBody, error.to_string()))?;
    let by = api.speaker(sender).await?;
    let act = async || {
        let job = api.job(key).await?;
        api.store.job_say(&job, Some(&commit), &by, word).await?;
        Ok(Done::ok(document("job", &api.job_view(&job.id).await?)))
    };
    once(api, sender, asked, act).await
}

impl Api {
    /// Who speaks, for the record: the token's name.
    async fn speaker(&self, sender: &Sender) -> Result<String, Fault> {
        match &sender.principal {
            Principal::Person { token, .. } => {
                let name = self.in_time(self.store.token_name(token)).await?;
                Ok(name.map_or_else(|| "a token".to_owned(), |name| format!("token {name}")))
            }
            Principal::Agent { .. } => {
                Err(Fault::new(Code::ScopeTooSmall, "an agent's word counts for nothing"))
            }
        }
    }
}

impl From<WordError> for Fault {
    fn from(error: WordError) -> Self {
        let what = error.to_string();
        match error {
            WordError::Words(_) => Self::new(Code::BadBody, what),
            WordError::NotAsked { .. } => {
                Self::new(Code::NoApproval, what).hint("GET /api/v1/approvals lists those that do")
            }
            WordError::OtherCommit { key, .. } => Self::new(Code::OtherCommit, what)
                .hint(format!("look at that one: GET /api/v1/jobs/{key}/approval; then name it")),
            WordError::Cancelled { .. } => Self::new(Code::CancelAsked, what),
            WordError::Held { .. } => {
                Self::new(Code::JobHeld, what).hint("nothing was recorded; say it again in a moment")
            }
            WordError::Store(error) => error.into(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionParams {
    all: Option<bool>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn exceptions(
    State(api): State<Arc<Api>>,
    Params(params): Params<ExceptionParams>,
) -> Result<Response, Fault> {
    let size = page_size(params.limit)?;
    let after = match params.cursor.as_deref() {
        None => None,
        Some(text) => {
            let (made, id) = cursor(text)?;
            Some((made, exception_id(id).ok_or_else(no_cursor)?.to_owned()))
        }
    };
    let filter = ExceptionFilter { all: params.all.unwrap_or(false), limit: Some(size + 1), after };
    let mut listed = api.in_time(api.store.exceptions(&filter)).await?;
    let more = listed.len() > size as usize;
    listed.truncate(size as usize);
    let next = listed.last().filter(|_| more).map(|last| format!("{}.{}", last.made_at.0, last.id));
    let mut body = document("exceptions", &json!(listed));
    body["next"] = json!(next);
    Ok(answer(StatusCode::OK, &body))
}

/// Text that can be an exception's id. No server takes some of what cannot.
fn exception_id(text: &str) -> Option<&str> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fits.then_some(text)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Except {
    repository: String,
    rule: String,
    path: Option<String>,
    until: Option<String>,
    message: String,
}

async fn except(
    State(api): State<Arc<Api>>,
    _: Params<NoParams>,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let asked = words("except", "", &fields);
    let Except { repository, rule, path, until, message } = fields.into()?;
    let terms = ExceptionTerms::parse(&rule, path.as_deref(), &message, until.as_deref());
    let terms = terms.map_err(|error| Fault::new(Code::BadBody, error.to_string()))?;
    let repository = api.repository(&repository, Code::BadBody).await?;
    let new = NewException { repository, terms, by: api.speaker(&sender).await? };
    let request = sender.request().map(|request| format!("{request} {asked}"));
    let act = async || {
        let made = api.store.exception_add(&new, request.as_deref()).await?;
        Ok(Done::made(document("exception", &json!(made))))
    };
    once(&api, &sender, &asked, act).await
}

async fn revoke(State(api): State<Arc<Api>>, Part(id): Part, _: Params<NoParams>) -> Result<Response, Fault> {
    let unknown = || {
        Fault::new(Code::UnknownException, "no exception with this id holds")
            .hint("GET /api/v1/exceptions lists those that do")
    };
    let id = exception_id(&id).ok_or_else(unknown)?;
    if api.store.exception_end(id).await? == 0 {
        return Err(unknown());
    }
    let ended = api.in_time(api.store.exception(id)).await?.ok_or_else(unknown)?;
    Ok(answer(StatusCode::OK, &document("exception", &json!(ended))))
}
