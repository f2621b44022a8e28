//! The backlog through the API: repositories, items, plans, and the start of tasks.

mod items;
mod operations;
mod plans;
mod repositories;
mod schemas;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use overnight_core::backlog::plan::PlanError;
use overnight_store::{BacklogError, StoreError};
use serde_json::Value;
use tokio::time::timeout;

pub(super) use operations::{OPERATIONS, Op};
pub(super) use schemas::all as schemas;

use super::fault::{Code, Fault};
use super::jobs::has;
use super::{Api, answer};
use crate::backlog::{Reach, Refused};

pub(super) fn handler(op: Op, method: MethodFilter) -> MethodRouter<Arc<Api>> {
    match op {
        Op::Repositories => on(method, repositories::list),
        Op::RepositoryAdd => on(method, repositories::add),
        Op::RepositoryShow => on(method, repositories::show),
        Op::RepositoryEdit => on(method, repositories::edit),
        Op::RepositoryRemove => on(method, repositories::remove),
        Op::Items => on(method, items::list),
        Op::ItemAdd => on(method, items::add),
        Op::ItemShow => on(method, items::show),
        Op::ItemEdit => on(method, items::edit),
        Op::ItemRemove => on(method, items::remove),
        Op::ItemMark => on(method, items::mark),
        Op::ItemExport => on(method, plans::export),
        Op::Start => on(method, plans::start),
        Op::Import => on(method, plans::import),
    }
}

impl Api {
    fn backlog(&self) -> Reach<'_> {
        Reach { store: &self.store, desk: Some(self.desk.as_ref()) }
    }

    /// What was looked up, or a fault when the store hangs.
    async fn soon<T>(&self, asked: impl Future<Output = Result<T, Refused>>) -> Result<T, Fault> {
        match timeout(self.patience, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::new(Code::StoreFailed, "the store does not answer")),
        }
    }
}

/// An answer that can be asked for again only if it has changed.
fn tagged(headers: &HeaderMap, tag: &str, body: &Value) -> Response {
    let mut response = if has(headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer(StatusCode::OK, body)
    };
    put_tag(&mut response, tag);
    // May be kept by who asked, to ask whether it still holds.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// Of hexadecimal digits, dots and quotes.
fn put_tag(response: &mut Response, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// What `If-Match` asks for; `None`: anything will do.
fn if_match(headers: &HeaderMap) -> Option<Vec<String>> {
    let fields = headers.get_all(header::IF_MATCH);
    let texts: Vec<&str> = fields.iter().map(|field| field.to_str().unwrap_or_default()).collect();
    let tags = || texts.iter().flat_map(|text| text.split(',')).map(|tag| tag.trim().to_owned());
    (!texts.is_empty() && !tags().any(|tag| tag == "*")).then(|| tags().collect())
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let (what, help) = refused.told();
        let fault = match refused {
            Refused::Missing(BacklogError::NotFound { .. }) => Self::new(Code::UnknownItem, what),
            Refused::Missing(error) | Refused::Backlog(error) => return of_store(error, what, help),
            Refused::NoRepository { .. } => Self::new(Code::UnknownRepository, what),
            Refused::Stale { .. } => Self::new(Code::ChangedMeanwhile, what),
            Refused::Bad { .. } => Self::new(Code::ItemRefused, what),
            Refused::Plan(PlanError { line, column, .. }) => {
                Self::new(Code::PlanRefused, what).at(line, column)
            }
            Refused::Desk(refusal) => return refusal.into(),
        };
        match help {
            Some(help) => fault.hint(help),
            None => fault,
        }
    }
}

fn of_store(error: BacklogError, what: String, help: Option<String>) -> Fault {
    let code = match error {
        BacklogError::Store(StoreError::TaskBusy { .. }) | BacklogError::Running { .. } => Code::ItemBusy,
        BacklogError::Store(error) => return error.into(),
        BacklogError::Changed { .. } | BacklogError::SettingsChanged => Code::ChangedMeanwhile,
        BacklogError::HasParts { .. } => Code::ItemHasParts,
        BacklogError::RequestReused { .. } => Code::RequestReused,
        BacklogError::RepositoryInUse { .. } => Code::RepositoryInUse,
        BacklogError::NotFound { .. }
        | BacklogError::Parent { .. }
        | BacklogError::Elsewhere { .. }
        | BacklogError::WrongKind { .. }
        | BacklogError::Circle(_)
        | BacklogError::Planned { .. }
        | BacklogError::NoPlan { .. }
        | BacklogError::Plan { .. }
        | BacklogError::Invalid(_) => Code::ItemRefused,
    };
    let fault = Fault::new(code, what);
    match help {
        Some(help) => fault.hint(help),
        None => fault,
    }
}
