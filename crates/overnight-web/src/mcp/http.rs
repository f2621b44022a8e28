//! The endpoint over HTTP: one message in, one answer out, as JSON. No streams are offered, and no sessions.
//!
//! In this order: whose page sent it, who sends it, in what form, how much, and whether what the headers say agrees with the
//! body. Somebody between us and the client may have decided by the headers, so a request that says two things is refused.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::Value;
use tokio::time::timeout;

use super::protocol::{self, Era};
use super::rpc::{
    self, Fault, HEADER_MISMATCH, INVALID_PARAMS, METHOD_NOT_FOUND, Message, UNSUPPORTED_VERSION,
};
use super::{Door, MAX_MESSAGE};
use crate::hosts::AllowedHosts;
use crate::problem::Problem;

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(10);
const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

struct Endpoint {
    door: Arc<dyn Door>,
    hosts: Arc<AllowedHosts>,
}

/// The endpoint `/mcp`. What every request is checked for (by which name we are called) is checked outside of it.
pub(crate) fn endpoint<S: Clone + Send + Sync + 'static>(
    door: Arc<dyn Door>,
    hosts: Arc<AllowedHosts>,
) -> Router<S> {
    Router::new().route("/mcp", any(handle)).with_state(Arc::new(Endpoint { door, hosts }))
}

/// A router with nothing but the endpoint `/mcp`, for a listener of its own. `allowed_hosts`: as of
/// [`Parts`](crate::Parts::allowed_hosts).
pub fn router(door: Arc<dyn Door>, allowed_hosts: &[String]) -> Router {
    let hosts = Arc::new(AllowedHosts::new(allowed_hosts));
    endpoint(door, Arc::clone(&hosts)).layer(axum::middleware::from_fn_with_state(hosts, crate::guard::check))
}

async fn handle(State(endpoint): State<Arc<Endpoint>>, request: Request<Body>) -> Response {
    if let Err(refused) = from_where(&endpoint.hosts, &request) {
        return refused.into_response();
    }
    let toolbox = match bearer(request.headers()) {
        Ok(bearer) => endpoint.door.toolbox(bearer).await,
        Err(()) => None,
    };
    let Some(toolbox) = toolbox else { return unauthorized() };
    if request.method() != Method::POST {
        let mut response =
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "messages are sent with POST").into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if let Err(refused) = form(request.headers()) {
        return refused.into_response();
    }
    let (head, body) = request.into_parts();
    let body = match timeout(BODY, axum::body::to_bytes(body, MAX_MESSAGE)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let detail = format!("a message has at most {MAX_MESSAGE} bytes, and all of them have to come");
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
        }
        Err(_) => {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "the message did not come in time")
                .into_response();
        }
    };
    let request = match rpc::parse(&body) {
        Ok(Message::Request(request)) => request,
        Ok(Message::Notification | Message::Response) => return StatusCode::ACCEPTED.into_response(),
        Err(fault) => return answer(StatusCode::BAD_REQUEST, &rpc::error(&Value::Null, &fault)),
    };
    let id = request.id.clone();
    let era = match agreed(&head.headers, &request) {
        Ok(era) => era,
        Err(fault) => return answer(StatusCode::BAD_REQUEST, &rpc::error(&id, &fault)),
    };
    match protocol::answer(request, era, &toolbox).await {
        Ok(result) => answer(StatusCode::OK, &rpc::result(&id, &result)),
        Err(fault) => answer(status(&fault, era), &rpc::error(&id, &fault)),
    }
}

/// A page of the web names itself. Only pages that are served under a name of ours may call.
fn from_where(hosts: &AllowedHosts, request: &Request<Body>) -> Result<(), Problem> {
    let headers = request.headers();
    let foreign = || Problem::new(StatusCode::FORBIDDEN, "pages of other servers may not call this one");
    for origin in headers.get_all(header::ORIGIN) {
        let name = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        let local = request.extensions().get().copied();
        if !name.is_some_and(|name| hosts.is_ours(name, local)) {
            return Err(foreign());
        }
    }
    match headers.get("sec-fetch-site") {
        Some(site) if site == "cross-site" => Err(foreign()),
        Some(_) | None => Ok(()),
    }
}

/// The token of the request. `Err`: something that is no bearer token, or several.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let field = match (fields.next(), fields.next()) {
        (None, _) => return Ok(None),
        (Some(field), None) => field.to_str().map_err(|_| ())?,
        (Some(_), Some(_)) => return Err(()),
    };
    let (scheme, token) = field.split_once(' ').ok_or(())?;
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Ok(Some(token)) } else { Err(()) }
}

fn unauthorized() -> Response {
    let detail = "a bearer token of this server is needed: Authorization: Bearer …; one that ended is not taken any more";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    let realm = HeaderValue::from_static("Bearer realm=\"overnight\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
    response
}

/// JSON in, JSON out. A form that a page can send without being asked for it is no JSON.
fn form(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a message is application/json"));
    }
    let takes = |accept: &str| {
        let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
        kinds.into_iter().any(|kind| matches!(kind, "application/json" | "application/*" | "*/*"))
    };
    match text(header::ACCEPT) {
        Some(accept) if !takes(accept) => {
            Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "answers are application/json"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The era of a request whose headers say the same as its body.
fn agreed(headers: &HeaderMap, request: &rpc::Request) -> Result<Era, Fault> {
    let stated = one(headers, VERSION)?;
    let said = request.meta(protocol::VERSION_KEY).and_then(Value::as_str);
    if let (Some(stated), Some(said)) = (stated, said)
        && stated != said
    {
        let (stated, said) = (rpc::shown(stated), rpc::shown(said));
        return Err(mismatch(format!("{VERSION} says {stated}, the body {said}")));
    }
    if let Some(version) = stated.filter(|version| !protocol::supported().any(|known| known == *version)) {
        return Err(protocol::unsupported(version));
    }
    let era = protocol::era_of(request)?;
    match (stated, said) {
        // The older clients' requests say nothing in their body.
        (Some(stated), None) if stated == protocol::MODERN => protocol::check_meta(request)?,
        (None, Some(_)) if era == Era::Modern => {
            return Err(mismatch(format!("the header {VERSION} is missing")));
        }
        (Some(_) | None, _) => {}
    }
    if era == Era::Modern {
        protocol::check_meta(request)?;
        routed(headers, request)?;
    }
    Ok(era)
}

/// What a server in between may have gone by.
fn routed(headers: &HeaderMap, request: &rpc::Request) -> Result<(), Fault> {
    let same = |name: &str, body: &str| match one(headers, name)? {
        Some(header) if decoded(header).as_deref() == Some(body) => Ok(()),
        Some(header) => Err(mismatch(format!("{name} says {}, the body something else", rpc::shown(header)))),
        None => Err(mismatch(format!("the header {name} is missing"))),
    };
    same(METHOD, &request.method)?;
    match (request.method.as_str(), request.param("name"), request.param("uri")) {
        ("tools/call" | "prompts/get", Some(name), _) | ("resources/read", _, Some(name)) => same(NAME, name),
        (_, _, _) => Ok(()),
    }
}

/// What stands in a header once. Twice is no agreement.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut fields = headers.get_all(name).iter();
    match (fields.next(), fields.next()) {
        (None, _) => Ok(None),
        (Some(field), None) => {
            let unreadable = |_| mismatch(format!("the header {name} cannot be read"));
            field.to_str().map(|text| Some(text.trim())).map_err(unreadable)
        }
        (Some(_), Some(_)) => Err(mismatch(format!("the header {name} stands there twice"))),
    }
}

/// A value that no header can carry is written as `=?base64?…?=`. Names of ours never need it.
fn decoded(header: &str) -> Option<String> {
    let Some(encoded) = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(header.to_owned());
    };
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok()
}

fn mismatch(message: String) -> Fault {
    Fault::new(HEADER_MISMATCH, message)
}

/// Clients of the old era read errors from the body only.
fn status(fault: &Fault, era: Era) -> StatusCode {
    match (era, fault.code) {
        (Era::Modern, METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        (Era::Modern, HEADER_MISMATCH | UNSUPPORTED_VERSION) => StatusCode::BAD_REQUEST,
        (Era::Modern, INVALID_PARAMS) => StatusCode::OK,
        (Era::Modern | Era::Legacy, _) => StatusCode::OK,
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
