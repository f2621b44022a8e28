//! What is checked before any request, and said with every answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::hosts::{AllowedHosts, HostRefusal};
use crate::problem::Problem;

/// An answer of ours is data: not a page, not a script, not a frame, not for other origins, and old at once.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

pub(crate) async fn check(State(hosts): State<Arc<AllowedHosts>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&hosts, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

fn refusal(hosts: &AllowedHosts, request: &Request) -> Option<Response> {
    match hosts.check(request) {
        Ok(()) => {}
        Err(HostRefusal::Unreadable) => {
            let detail = "the request names no host, several, or none that can be read";
            return Some(Problem::new(StatusCode::BAD_REQUEST, detail).into_response());
        }
        Err(HostRefusal::Foreign) => {
            let detail =
                "this server is not called by that name; if it should be, add the name to its allowed hosts";
            return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response());
        }
    }
    // These say themselves what can be done where.
    let path = request.uri().path();
    let judges_itself = path.starts_with("/api/") || path.starts_with("/hooks/") || path == "/mcp";
    if judges_itself || matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut response =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here").into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there are /healthz, /readyz, /health, /metrics and /api/v1")
}
