//! From what a follower finds to bytes on a connection: frames, signs of life, and the ends of a stream. What a client does not
//! take waits in its connection, and is cut off with it after a while; nothing is piled up here.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use overnight_core::access::{Scope, TokenText};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::super::Api;
use super::super::access::principal;
use super::super::fault::{Code, Fault};

/// What a client is told to wait before it comes back.
const BEGIN: &str = "retry: 2000\n: overnight\n\n";

/// One look of a follower.
pub(super) enum Found {
    /// Frames to be sent.
    Frames(String),
    /// Frames, and then the end.
    Last(String),
}

/// Whoever finds what comes next. It may be dropped while it waits, and asked again.
pub(super) trait Follow: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Result<Found, Fault>> + Send;
}

pub(super) fn frame(event: &str, id: &str, data: &str) -> String {
    format!("event: {event}\nid: {id}\ndata: {data}\n\n")
}

struct Sending<F> {
    follower: F,
    api: Arc<Api>,
    token: TokenText,
    closing: watch::Receiver<bool>,
    sign: Instant,
    begun: bool,
    over: bool,
}

pub(super) fn response(follower: impl Follow, api: &Arc<Api>, token: TokenText) -> Response {
    let closing = api.hub.closing.clone();
    let sign = Instant::now() + api.sign;
    let sending = Sending { follower, api: Arc::clone(api), token, closing, sign, begun: false, over: false };
    let frames = unfold(sending, |mut sending| async move {
        let text = sending.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), sending))
    });
    let kind = HeaderValue::from_static("text/event-stream");
    let mut response = ([(header::CONTENT_TYPE, kind)], Body::from_stream(frames)).into_response();
    // Proxies are not to wait for more.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl<F: Follow> Sending<F> {
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(BEGIN.to_owned());
        }
        if self.over || *self.closing.borrow() {
            return None;
        }
        let found = tokio::select! {
            found = timeout_at(self.sign, self.follower.next()) => found,
            _ = self.closing.changed() => return None,
        };
        match found {
            Err(_) => self.sign_of_life().await,
            Ok(Ok(Found::Frames(text))) => Some(text),
            Ok(Ok(Found::Last(text))) => {
                self.over = true;
                Some(text)
            }
            // The client comes back with the last id that it has.
            Ok(Err(_)) => None,
        }
    }

    async fn sign_of_life(&mut self) -> Option<String> {
        self.sign = Instant::now() + self.api.sign;
        match principal(&self.api, &self.token).await {
            Ok(principal) if principal.may(Scope::Read) => {}
            // The next request is told why.
            Ok(_) => return None,
            Err(fault) if fault.code() != Code::StoreFailed => return None,
            // A store in trouble makes no token bad.
            Err(_) => {}
        }
        Some(": still here\n\n".to_owned())
    }
}
