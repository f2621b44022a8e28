//! The API, `/api/v1`: jobs and what surrounds them for programs, and the events as streams.
//!
//! ```text
//! request ─► host (guard) ─► site, token (access) ─► scope ─► handler ─► store: rows that the engine picks up
//!                                                                    └─► desk: what only the program around it knows
//! ```
//!
//! `operations` is the one table of what there is: the router and the OpenAPI document are both made from it.

mod access;
mod backlog;
mod desk;
mod fault;
mod gate;
mod jobs;
mod log;
mod once;
mod openapi;
mod operations;
mod schemas;
mod stream;
mod take;
mod talk;
mod world;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use overnight_core::SCHEMA;
use overnight_store::{Store, StoreError};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

pub use desk::{
    Answer, Desk, Document, LogPage, LogParts, LogWanted, NewOrder, NewStart, Placed, Refusal, RefusalKind,
    Started,
};
pub(crate) use log::lines as log_lines;
pub use openapi::document as openapi;
pub(crate) use stream::Hub;

use crate::Limits;
use fault::{Code, Fault};
use operations::{Method, Op, Operation};

/// What every handler can see.
pub(crate) struct Api {
    pub(crate) store: Store,
    desk: Arc<dyn Desk>,
    hub: Arc<Hub>,
    /// How long the store may take for an answer.
    patience: Duration,
    /// How often a stream says that it lives.
    sign: Duration,
}

impl Api {
    pub(crate) fn new(
        store: Store,
        desk: Arc<dyn Desk>,
        limits: Limits,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let hub = Arc::new(Hub::new(store.clone(), closing));
        Self { store, desk, hub, patience: limits.store, sign: limits.sign }
    }

    pub(crate) fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// The store's answer, or a fault when it hangs.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Fault> {
        match timeout(self.patience, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::new(Code::StoreFailed, "the store does not answer")),
        }
    }
}

/// Everything below `/api/v1`.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new();
    for operation in operations::all() {
        let allowed = from_fn_with_state(operation.scope, access::allow);
        router = router.route(operation.path, handler(operation).layer(allowed));
    }
    router
        .method_not_allowed_fallback(not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(api), access::identify))
        .with_state(Arc::clone(api))
}

fn handler(operation: &Operation) -> MethodRouter<Arc<Api>> {
    let method = match operation.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    match operation.op {
        Op::JobsList => on(method, jobs::list),
        Op::JobPlace => on(method, jobs::place),
        Op::JobShow => on(method, jobs::show),
        Op::JobEvents => on(method, jobs::events),
        Op::JobStream => on(method, stream::of_job),
        Op::JobCancel => on(method, jobs::cancel),
        Op::JobResume => on(method, jobs::resume),
        Op::JobRetry => on(method, jobs::retry),
        Op::Stream => on(method, stream::of_all),
        Op::Backlog(op) => backlog::handler(op, method),
        Op::Workers => on(method, world::workers),
        Op::WorkerDrain => on(method, world::drain),
        Op::Status => on(method, world::status),
        Op::Budget => on(method, world::budget),
        Op::Cost => on(method, world::cost),
        Op::Limits => on(method, world::limits),
        Op::LimitSet => on(method, world::set_limit),
        Op::LimitRemove => on(method, world::remove_limit),
        Op::Whoami => on(method, world::whoami),
        Op::OpenApi => on(method, openapi::serve),
        Op::Talk(op) => talk::handler(op, method),
        Op::Gate(op) => gate::handler(op, method),
        Op::Log => on(method, log::read),
    }
}

/// A document in the envelope that `--json` has, too.
fn document(kind: &str, data: &Value) -> Value {
    json!({ "schema": SCHEMA, "kind": kind, "data": data })
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

async fn not_found() -> Fault {
    Fault::new(Code::NotFound, "nothing is at this path").hint("/api/v1/openapi.json lists what there is")
}

async fn not_allowed() -> Fault {
    Fault::new(Code::MethodNotAllowed, "this path takes other methods: see the header Allow")
}
