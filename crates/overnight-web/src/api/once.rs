//! Requests that come with an idempotency key: done once, and answered again as they were answered.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use overnight_store::{KeptAnswer, Recalled};
use serde_json::Value;

use super::fault::{Code, Fault};
use super::take::Sender;
use super::{Api, answer};

/// How long the answer to a request with an idempotency key is given again.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What was made, or found where the same request had made it before.
pub(super) struct Done {
    pub(super) new: bool,
    /// Where it is.
    pub(super) place: Option<String>,
    pub(super) body: Value,
}

/// Does what was asked, or gives the answer again that the same request got before. That something is made only once does
/// not hang on this: its request has a name in the queue or in the backlog.
pub(super) async fn once(
    api: &Api,
    sender: &Sender,
    asked: &str,
    act: impl AsyncFnOnce() -> Result<Done, Fault>,
) -> Result<Response, Fault> {
    let kept = sender.token().zip(sender.key.as_deref());
    if let Some((token, key)) = kept {
        match api.in_time(api.store.answer_recall(token, key, asked)).await? {
            Recalled::New => {}
            Recalled::Again(KeptAnswer { status, body }) => return Ok(again(status, body)),
            Recalled::Other => {
                return Err(Fault::new(
                    Code::RequestReused,
                    "this idempotency key came with another request",
                )
                .hint("give each request a key of its own"));
            }
            Recalled::Full => {
                return Err(Fault::new(
                    Code::TooManyAnswers,
                    "this token has used too many keys within a day",
                ));
            }
        }
    }
    let Done { new, place, body } = act().await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    if let Some((token, key)) = kept {
        let kept = KeptAnswer { status: status.as_u16(), body: body.to_string() };
        if let Err(error) = api.store.answer_keep(token, key, asked, &kept, KEPT).await {
            // The same request finds what it made by its name.
            tracing::warn!(%error, "an answer could not be kept");
        }
    }
    let mut response = answer(status, &body);
    if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn again(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = HeaderValue::from_static("application/json");
    let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}
