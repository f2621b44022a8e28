//! One HTTP request to a forge, and what its answer means in our words.
//!
//! Owns the connection pool and the token's header. Must not follow a redirect to another origin, repeat a request that
//! changes something, or put a header, a token or a body of ours into a log line or an error.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::units::Timestamp;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Call, ForgeError, Operation, Outage};
use crate::http_date;
use crate::retry::{Budget, Settings};
use overnight_core::secret::Secret;

/// A longer answer is refused. A page of 100 pull requests with bodies of the longest kind stays below 30 MB.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// Redirects within the same origin (a renamed repository) that are followed.
const MAX_REDIRECTS: usize = 3;
/// Characters kept of what a forge says about an error.
const MAX_MESSAGE: usize = 500;

/// A connection to one forge with one token.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    headers: HeaderMap,
    token: Secret,
    pub(crate) settings: Settings,
    repository: Arc<str>,
}

/// A request before it is sent.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) operation: Operation,
    pub(crate) url: Url,
    /// Posted as JSON; `None` is a GET.
    pub(crate) json: Option<&'a Value>,
    /// What is sent is a change of what is there, not something new.
    pub(crate) patch: bool,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

/// The ways in which a forge wants to be spoken to.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The word before the token in `Authorization`.
    pub(crate) scheme: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

impl Http {
    pub(crate) fn new(
        dialect: &Dialect,
        token: Secret,
        settings: Settings,
        repository: &str,
    ) -> Result<Self, ForgeError> {
        // Another part of the program may have chosen a provider before us: any one will do.
        drop(rustls::crypto::ring::default_provider().install_default());
        let repository: Arc<str> = repository.into();
        let unusable = |problem, source| {
            let call = Call { operation: Operation::Connect, repository: Arc::clone(&repository) };
            ForgeError::Unusable { call, problem, source }
        };
        let headers = headers(dialect, &token)
            .ok_or_else(|| unusable("the token is empty or no header can hold it", None))?;
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("overnight/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &settings.proxy {
            let proxy =
                reqwest::Proxy::all(proxy).map_err(|_| unusable("the proxy's URL cannot be used", None))?;
            builder = builder.proxy(proxy);
        }
        let client =
            builder.build().map_err(|source| unusable("the HTTP client could not be made", Some(source)))?;
        Ok(Self { client, headers, token, settings, repository })
    }

    pub(crate) fn call(&self, operation: Operation) -> Call {
        Call { operation, repository: Arc::clone(&self.repository) }
    }

    pub(crate) fn unexpected(&self, operation: Operation, problem: impl Into<String>) -> ForgeError {
        ForgeError::Unexpected { call: self.call(operation), problem: problem.into() }
    }

    /// Reads, and repeats while the budget lasts.
    pub(crate) async fn get(
        &self,
        operation: Operation,
        url: Url,
        budget: &mut Budget<'_>,
    ) -> Result<Answer, ForgeError> {
        loop {
            let order = Order { operation, url: url.clone(), json: None, patch: false };
            match self.send_once(order, budget.request_timeout()).await {
                Ok(answer) => return Ok(answer),
                Err(error) if budget.pause_after(&error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends one request, never a second time, and reads the whole answer.
    pub(crate) async fn send_once(
        &self,
        mut order: Order<'_>,
        limit: Duration,
    ) -> Result<Answer, ForgeError> {
        let call = self.call(order.operation);
        let exchange = async {
            for _ in 0..=MAX_REDIRECTS {
                let response = self.exchange(&order).await?;
                let Some(to) = redirect_of(&response) else {
                    return self.answer(order.operation, response).await;
                };
                order.url = self.same_origin(&order, &to)?;
            }
            Err(self.unexpected(order.operation, "it redirects in a circle"))
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(result) => result,
            Err(_) => Err(ForgeError::Unavailable { call, why: Outage::Timeout, source: None }),
        }
    }

    async fn exchange(&self, order: &Order<'_>) -> Result<Response, ForgeError> {
        let method = match (order.json, order.patch) {
            (None, _) => Method::GET,
            (Some(_), false) => Method::POST,
            (Some(_), true) => Method::PATCH,
        };
        let mut request =
            self.client.request(method.clone(), order.url.clone()).headers(self.headers.clone());
        if let Some(json) = order.json {
            request = request.json(json);
        }
        let response = request.send().await.map_err(|source| self.lost(order.operation, source))?;
        tracing::debug!(%method, path = order.url.path(), status = response.status().as_u16(), "forge answered");
        Ok(response)
    }

    /// The token goes to the origin it was configured for and to no other.
    fn same_origin(&self, order: &Order<'_>, to: &str) -> Result<Url, ForgeError> {
        let target =
            order.url.join(to).map_err(|_| self.unexpected(order.operation, "it redirects to no URL"))?;
        if target.origin() == order.url.origin() {
            return Ok(target);
        }
        let to = self.clean(&target.origin().ascii_serialization());
        Err(ForgeError::Redirected { call: self.call(order.operation), to })
    }

    fn lost(&self, operation: Operation, source: reqwest::Error) -> ForgeError {
        let why = match (source.is_timeout(), source.is_connect()) {
            (true, _) => Outage::Timeout,
            (false, true) => Outage::NoConnection,
            (false, false) => Outage::CutOff,
        };
        ForgeError::Unavailable { call: self.call(operation), why, source: Some(source.without_url()) }
    }

    async fn answer(&self, operation: Operation, response: Response) -> Result<Answer, ForgeError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = self.read(operation, response).await?;
        if !status.is_success() {
            return Err(self.refusal(operation, status, &headers, &bytes));
        }
        let json = serde_json::from_slice(&bytes)
            .map_err(|error| self.unexpected(operation, format!("its body is not JSON ({error})")))?;
        Ok(Answer { headers, json })
    }

    async fn read(&self, operation: Operation, mut response: Response) -> Result<Vec<u8>, ForgeError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| self.lost(operation, source))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(self.unexpected(operation, "its body is too large"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn refusal(
        &self,
        operation: Operation,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> ForgeError {
        let call = self.call(operation);
        let said = Said::read(body);
        let message = self.clean(&said.text(status));
        let writes = matches!(operation, Operation::CreatePullRequest | Operation::ChangePullRequest);
        match status.as_u16() {
            429 => limited(call, headers, message),
            403 if said.is_limit() || limit_headers(headers) => limited(call, headers, message),
            401 => ForgeError::Auth { call, message },
            403 | 423 | 451 => ForgeError::Permission { call, message },
            // Whoever may read a repository but not write gets 404 as well.
            404 if writes => ForgeError::Permission { call, message },
            404 | 410 => ForgeError::NotFound { call, message },
            409 => ForgeError::Conflict { call, message },
            422 if said.is_duplicate() => ForgeError::Conflict { call, message },
            400 | 422 => ForgeError::Validation { call, message },
            408 | 500..=599 => {
                ForgeError::Unavailable { call, why: Outage::Status(status.as_u16()), source: None }
            }
            _ => ForgeError::Unexpected { call, problem: message },
        }
    }

    /// What a forge says, fit to be shown: one line, cut, without control characters and without our token.
    fn clean(&self, text: &str) -> String {
        let line: String =
            crate::body::one_line(&self.token.redact(text)).chars().take(MAX_MESSAGE).collect();
        line
    }
}

fn headers(dialect: &Dialect, token: &Secret) -> Option<HeaderMap> {
    if token.is_empty() {
        return None;
    }
    let mut authorization = HeaderValue::from_str(&format!("{} {}", dialect.scheme, token.expose())).ok()?;
    authorization.set_sensitive(true);
    let mut headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
    for (name, value) in dialect.headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Some(headers)
}

fn redirect_of(response: &Response) -> Option<String> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok())?;
    redirects.then(|| to.to_owned())
}

/// The error bodies of GitHub and Gitea, as far as they agree. Every field may be missing or of another shape.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    message: String,
    /// GitHub: objects with a `message`. Gitea: text.
    errors: Vec<Value>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn details(&self) -> impl Iterator<Item = &str> {
        self.errors
            .iter()
            .filter_map(|error| error.as_str().or_else(|| error.get("message").and_then(Value::as_str)))
    }

    fn text(&self, status: StatusCode) -> String {
        let mut parts: Vec<String> = Vec::new();
        if !self.message.is_empty() {
            parts.push(self.message.clone());
        }
        parts.extend(self.details().map(str::to_owned));
        parts.extend(self.errors.iter().filter_map(invalid_field));
        if parts.is_empty() { format!("status {}", status.as_u16()) } else { parts.join("; ") }
    }

    /// GitHub answers 403 to clients that are too fast, and tells only by its text.
    fn is_limit(&self) -> bool {
        let text = self.message.to_ascii_lowercase();
        ["rate limit", "abuse detection"].iter().any(|words| text.contains(words))
    }

    /// GitHub has no code of its own for this: it is `custom` with a text.
    fn is_duplicate(&self) -> bool {
        let coded = |error: &Value| error.get("code").and_then(Value::as_str) == Some("already_exists");
        self.errors.iter().any(coded)
            || self
                .details()
                .chain([self.message.as_str()])
                .any(|text| text.to_ascii_lowercase().contains("already exists"))
    }
}

/// GitHub's `{"field": "head", "code": "invalid"}`, which has no message.
fn invalid_field(error: &Value) -> Option<String> {
    if error.get("message").is_some() {
        return None;
    }
    Some(format!("{} is {}", error.get("field")?.as_str()?, error.get("code")?.as_str()?))
}

fn limit_headers(headers: &HeaderMap) -> bool {
    headers.contains_key(RETRY_AFTER) || text(headers, "x-ratelimit-remaining") == Some("0")
}

fn limited(call: Call, headers: &HeaderMap, message: String) -> ForgeError {
    let now = text(headers, DATE.as_str()).and_then(http_date::parse);
    let asked = text(headers, RETRY_AFTER.as_str());
    let seconds = |text: &str| text.parse::<i64>().ok();
    let used_up = text(headers, "x-ratelimit-remaining") == Some("0");
    let reset_at = text(headers, "x-ratelimit-reset").filter(|_| used_up).and_then(seconds);
    let at = asked.and_then(http_date::parse).or(reset_at);
    let wait = asked.and_then(seconds).or_else(|| Some(at?.saturating_sub(now?)));
    let reset = wait.zip(now).map(|(wait, now)| now.saturating_add(wait.max(0))).or(at);
    ForgeError::RateLimited {
        call,
        retry_after: wait.map(|wait| Duration::from_secs(u64::try_from(wait).unwrap_or(0))),
        reset: reset.map(|seconds| Timestamp(seconds.saturating_mul(1_000))),
        message,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
