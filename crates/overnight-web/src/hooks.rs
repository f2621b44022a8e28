//! Word from forges: `POST /hooks/{host}`. Whether a delivery is from the forge, and what it is about, its [`HookDoor`] says; here
//! is only how much of a stranger's body is read, how long, and how many at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::Limits;
use crate::problem::Problem;

/// Bytes of one delivery; longer ones are found by asking the forge.
const MAX_BODY: usize = 5 << 20;
/// Bodies that are in memory at a time: nobody has shown yet who they are.
const AT_ONCE: usize = 4;

/// What a delivery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAnswer {
    /// Something that we look after may have changed: it is looked at.
    Taken,
    /// It was delivered before.
    Known,
    /// Nothing that concerns us.
    Ignored,
    /// No forge of that name has a secret here.
    UnknownForge,
    /// Nobody has shown that it is from the forge. Why, without what the right answer would have been.
    Refused(String),
    /// From the forge, and not what it is known to send.
    Malformed(String),
    /// It cannot be written down now.
    Failed,
}

/// A delivery as it came over the wire.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The forge, as the configuration names it.
    pub host: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Judges deliveries and acts on them.
pub trait HookDoor: std::fmt::Debug + Send + Sync {
    fn deliver(&self, delivered: Delivered) -> Pin<Box<dyn Future<Output = HookAnswer> + Send>>;
}

#[derive(Debug)]
struct Hooks {
    door: Arc<dyn HookDoor>,
    room: Semaphore,
    limits: Limits,
}

pub(crate) fn endpoint<S: Clone + Send + Sync + 'static>(
    door: Arc<dyn HookDoor>,
    limits: Limits,
) -> Router<S> {
    let hooks = Hooks { door, room: Semaphore::new(AT_ONCE), limits };
    Router::new()
        .route("/hooks/{host}", post(deliver))
        // The limit is this file's own, because its answer is a problem document.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(hooks))
}

async fn deliver(
    State(hooks): State<Arc<Hooks>>,
    Path(host): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(Ok(_room)) = timeout(hooks.limits.header, hooks.room.acquire()).await else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "too many deliveries at a time; deliver it again");
    };
    let body = match timeout(hooks.limits.write, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 5 MiB, or broke off");
        }
        Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    };
    let answered = timeout(hooks.limits.store, hooks.door.deliver(Delivered { host, headers, body })).await;
    match answered.unwrap_or(HookAnswer::Failed) {
        HookAnswer::Taken => StatusCode::ACCEPTED.into_response(),
        HookAnswer::Known | HookAnswer::Ignored => StatusCode::NO_CONTENT.into_response(),
        HookAnswer::UnknownForge => {
            problem(StatusCode::NOT_FOUND, "no forge of this name is configured with a secret for webhooks")
        }
        HookAnswer::Refused(why) => problem(StatusCode::UNAUTHORIZED, &why),
        HookAnswer::Malformed(why) => problem(StatusCode::BAD_REQUEST, &why),
        HookAnswer::Failed => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "it cannot be written down now; deliver it again")
        }
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    Problem::new(status, detail).into_response()
}
