//! What comes with a request: queries and bodies, with limits, and with problems instead of plain text where they cannot be used.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use overnight_core::access::{Principal, TokenId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::Api;
use super::fault::{Code, Fault};

/// Largest body: the largest prompt, with its characters escaped.
pub(crate) const BODY_MAX: usize = 6 << 20;
/// How long a body may take: a slow line has time for the largest, and one that trickles is cut off.
const BODY_TIME: Duration = Duration::from_secs(60);
/// Longest idempotency key.
pub(crate) const KEY_MAX: usize = 200;

/// The query, of which every name has to be known.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Fault> {
        let read = Query::<T>::from_request_parts(parts, api).await;
        let Query(params) = read.map_err(|error| {
            Fault::new(Code::BadQuery, error.body_text()).hint("/api/v1/openapi.json lists what may be said")
        })?;
        Ok(Self(params))
    }
}

/// One part of the path.
pub(super) struct Part(pub(super) String);

impl FromRequestParts<Arc<Api>> for Part {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Fault> {
        let read = Path::<String>::from_request_parts(parts, api).await;
        let Path(part) = read.map_err(|error| Fault::new(Code::BadRequest, error.body_text()))?;
        Ok(Self(part))
    }
}

/// A body that is a JSON object. An empty one is an object without fields.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl FromRequest<Arc<Api>> for Fields {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Api>) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Fault::new(Code::NotJson, "the body is not declared to be JSON")
                .hint("send the header \"Content-Type: application/json\""));
        }
        let bytes = read(&parts.headers, body).await?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Fault::new(Code::BadBody, "the body is not a JSON object")),
            Err(error) => Err(Fault::new(Code::BadRequest, format!("the body is not JSON: {error}"))),
        }
    }
}

impl Fields {
    /// The body as a type of its own, which refuses what it does not know.
    pub(super) fn into<T: DeserializeOwned>(self) -> Result<T, Fault> {
        serde_json::from_value(Value::Object(self.0)).map_err(|error| {
            Fault::new(Code::BadBody, error.to_string())
                .hint("/api/v1/openapi.json says what the body may hold")
        })
    }
}

/// The first word is what counts: a page can send other types to any address without asking, and this one it cannot.
fn is_json(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return false };
    let text = field.to_str().unwrap_or_default();
    text.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn read(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Fault> {
    let too_large = || {
        Fault::new(Code::BodyTooLarge, format!("a body may have {BODY_MAX} bytes"))
            .hint("put large material into the repository and name it in the prompt")
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > BODY_MAX as u64) {
        return Err(too_large());
    }
    match timeout(BODY_TIME, axum::body::to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            let mut cause = Some(&error as &dyn std::error::Error);
            while let Some(error) = cause {
                if error.to_string().contains("length limit") {
                    return Err(too_large());
                }
                cause = error.source();
            }
            Err(Fault::new(Code::BadRequest, "the body broke off"))
        }
        Err(_) => Err(Fault::new(Code::BodyTooSlow, format!("a body has {} s", BODY_TIME.as_secs()))),
    }
}

/// Who asks, with the key that they gave to this request.
pub(super) struct Sender {
    pub(super) principal: Principal,
    pub(super) key: Option<String>,
}

impl Sender {
    pub(super) fn token(&self) -> Option<&TokenId> {
        match &self.principal {
            Principal::Person { token, .. } => Some(token),
            Principal::Agent { .. } => None,
        }
    }

    /// The request's name in the queue: the same key of another token is another request.
    pub(super) fn request(&self) -> Option<String> {
        Some(format!("api:{}:{}", self.token()?.as_str(), self.key.as_deref()?))
    }
}

impl FromRequestParts<Arc<Api>> for Sender {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Fault> {
        let principal = parts.extensions.get::<Principal>().cloned();
        let principal = principal.ok_or_else(|| Fault::new(Code::TokenMissing, "nobody was identified"))?;
        let mut fields = parts.headers.get_all("idempotency-key").iter();
        let key = match (fields.next(), fields.next()) {
            (None, _) => None,
            (Some(field), None) => Some(field.to_str().unwrap_or_default().to_owned()),
            (Some(_), Some(_)) => Some(String::new()),
        };
        if key.as_ref().is_some_and(|key| key.trim().is_empty() || key.len() > KEY_MAX) {
            let detail =
                format!("an idempotency key has 1 to {KEY_MAX} visible characters of ASCII, and comes once");
            return Err(Fault::new(Code::BadKey, detail));
        }
        Ok(Self { principal, key })
    }
}
