//! Requests that are done once: with an idempotency key, the same request gets the same answer for a day.
//!
//! That what a request makes is made only once does not hang on the kept answer, which a crash may prevent: it has a name in the store
//! that is made of the key ([`Sender::request`]).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use overnight_store::{KeptAnswer, Recalled};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fault::{Code, Fault};
use super::take::{Fields, Sender};
use super::{Api, answer};

/// How long the answer to a request with an idempotency key is given again.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What was done, as it is answered.
pub(super) struct Done {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// Where what was made is from now on.
    pub(super) place: Option<String>,
}

impl Done {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body, place: None }
    }

    pub(super) fn made(body: Value) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// Made, or found where the same request had made it before.
    pub(super) fn placed(new: bool, place: Option<String>, body: Value) -> Self {
        let done = if new { Self::made(body) } else { Self::ok(body) };
        Self { place, ..done }
    }
}

/// Does what was asked, or gives the answer again that the same request got before. `asked`: what makes it the same.
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
                let detail = "this idempotency key came with another request";
                return Err(
                    Fault::new(Code::RequestReused, detail).hint("give each request a key of its own")
                );
            }
            Recalled::Full => {
                let detail = "this token has used too many keys within a day";
                return Err(Fault::new(Code::TooManyAnswers, detail));
            }
        }
    }
    let Done { status, body, place } = act().await?;
    if let Some((token, key)) = kept {
        let kept = KeptAnswer { status: status.as_u16(), body: body.to_string() };
        if let Err(error) = api.store.answer_keep(token, key, asked, &kept, KEPT).await {
            // The same request finds by its name what it made.
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

/// Short and the same for the same bytes.
pub(super) fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// What is asked of one thing: the same words for the same request.
pub(super) fn words(what: &str, about: &str, fields: &Fields) -> String {
    format!("{what} {about} {}", hash(Value::Object(fields.0.clone()).to_string().as_bytes()))
}

/// Refuses fields where none are expected.
pub(super) fn nothing(fields: Fields) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    fields.into::<Nothing>().map(drop)
}
