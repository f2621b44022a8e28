//! One HTTP request to a forge, and what its answer means in our words.
//!
//! Owns the connection pool and the token's header. Must not follow a redirect to another origin, repeat a request that
//! changes something, or put a header, a token or a body of ours into a log line or an error.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use overnight_core::units::Timestamp;
use reqwest::header::{
    AUTHORIZATION, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use serde_json::Value;

use crate::app::AppTokens;
use crate::cache::Cache;
use crate::error::{Call, ForgeError, Operation, Outage};
use crate::http_date;
use crate::meter::{Meter, Usage};
use crate::retry::{Budget, Settings};
use crate::said::Said;
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
    dialect: &'static Dialect,
    auth: Auth,
    pub(crate) settings: Settings,
    repository: Arc<str>,
    /// Our own name there, once it was asked for.
    pub(crate) login: OnceLock<String>,
    cache: Cache,
    meter: Meter,
}

/// Whom we speak for.
#[derive(Debug)]
pub(crate) enum Auth {
    Token(Secret),
    /// A GitHub App: its tokens are made when they are needed.
    App(Box<AppTokens>),
}

/// A request before it is sent.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) json: Option<&'a Value>,
}

impl<'a> Order<'a> {
    pub(crate) fn get(operation: Operation, url: Url) -> Self {
        Self { operation, method: Method::GET, url, json: None }
    }

    pub(crate) fn post(operation: Operation, url: Url, json: &'a Value) -> Self {
        Self { operation, method: Method::POST, url, json: Some(json) }
    }

    pub(crate) fn put(operation: Operation, url: Url, json: &'a Value) -> Self {
        Self { operation, method: Method::PUT, url, json: Some(json) }
    }

    pub(crate) fn patch(operation: Operation, url: Url, json: &'a Value) -> Self {
        Self { operation, method: Method::PATCH, url, json: Some(json) }
    }

    pub(crate) fn delete(operation: Operation, url: Url) -> Self {
        Self { operation, method: Method::DELETE, url, json: None }
    }

    fn again(&self) -> Self {
        Self {
            operation: self.operation,
            method: self.method.clone(),
            url: self.url.clone(),
            json: self.json,
        }
    }
}

/// A successful answer. One without a body, as of a deletion, is `null`.
#[derive(Debug, Clone)]
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
        dialect: &'static Dialect,
        auth: Auth,
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
        if let Auth::Token(token) = &auth
            && bearer(dialect.scheme, token).is_none()
        {
            return Err(unusable("the token is empty or no header can hold it", None));
        }
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
        let meter = Meter::new(settings.calls);
        Ok(Self {
            client,
            dialect,
            auth,
            settings,
            repository,
            login: OnceLock::new(),
            cache: Cache::default(),
            meter,
        })
    }

    /// What was used of the forge's limit so far.
    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage()
    }

    pub(crate) fn app(&self) -> Option<&AppTokens> {
        match &self.auth {
            Auth::App(tokens) => Some(tokens),
            Auth::Token(_) => None,
        }
    }

    /// The token as it is now: an App's is made first if there is none that lives long enough.
    pub(crate) async fn token(&self, limit: Duration) -> Result<Secret, ForgeError> {
        match &self.auth {
            Auth::Token(token) => Ok(token.clone()),
            Auth::App(tokens) => tokens.current(self, limit).await,
        }
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
        self.send(&Order::get(operation, url), budget).await
    }

    /// Sends what may be done twice with the same outcome, and repeats it while the budget lasts. A conflict is an
    /// answer here, unless nothing was to be changed.
    pub(crate) async fn send(
        &self,
        order: &Order<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<Answer, ForgeError> {
        loop {
            match self.send_once(order.again(), budget.request_timeout()).await {
                Ok(answer) => return Ok(answer),
                Err(error @ ForgeError::Conflict { .. }) if order.method != Method::GET => return Err(error),
                Err(error) if budget.pause_after(&error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends one request, never a second time, and reads the whole answer.
    pub(crate) async fn send_once(&self, order: Order<'_>, limit: Duration) -> Result<Answer, ForgeError> {
        let token = self.token(limit).await?;
        self.send_as(order, self.dialect.scheme, &token, limit).await
    }

    /// Sends one request with a token of the caller's.
    pub(crate) async fn send_as(
        &self,
        mut order: Order<'_>,
        scheme: &str,
        token: &Secret,
        limit: Duration,
    ) -> Result<Answer, ForgeError> {
        let call = self.call(order.operation);
        let exchange = async {
            for _ in 0..=MAX_REDIRECTS {
                let response = self.exchange(&order, scheme, token).await?;
                let Some(to) = redirect_of(&response) else {
                    return self.answer(&order, token, response).await;
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

    async fn exchange(
        &self,
        order: &Order<'_>,
        scheme: &str,
        token: &Secret,
    ) -> Result<Response, ForgeError> {
        let (operation, method) = (order.operation, order.method.clone());
        let Some(headers) = headers(self.dialect, scheme, token) else {
            return Err(self.unexpected(operation, "the token that it gave fits in no header"));
        };
        let under_way = self.meter.admit().map_err(|spent| ForgeError::BudgetExhausted {
            call: self.call(operation),
            wait: spent.wait,
            until: spent.until,
        })?;
        let mut request = self.client.request(method.clone(), order.url.clone()).headers(headers);
        if let Some(json) = order.json {
            request = request.json(json);
        }
        if method == Method::GET
            && let Some(etag) = self.cache.etag(&order.url)
        {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await.map_err(|source| self.lost(operation, source))?;
        under_way.answered(response.status().as_u16(), response.headers());
        tracing::debug!(%method, path = order.url.path(), status = response.status().as_u16(), "forge answered");
        Ok(response)
    }

    /// The end of a text that belongs to `url` (a log), at most `most` bytes of it. Where the forge keeps it elsewhere,
    /// it is fetched there without our token. `None` when it cannot be had, which is never a reason to fail.
    pub(crate) async fn tail(
        &self,
        operation: Operation,
        url: Url,
        most: usize,
        limit: Duration,
    ) -> Option<String> {
        let token = self.token(limit).await.ok()?;
        let reading = async {
            let order = Order::get(operation, url);
            let mut response = self.exchange(&order, self.dialect.scheme, &token).await.ok()?;
            if let Some(to) = redirect_of(&response) {
                let target = order.url.join(&to).ok()?;
                if target.scheme() != "https" && target.origin() != order.url.origin() {
                    return None;
                }
                let same = target.origin() == order.url.origin();
                let bare = self.client.get(target.clone());
                response = if same {
                    self.exchange(&Order::get(operation, target), self.dialect.scheme, &token).await.ok()?
                } else {
                    bare.send().await.ok()?
                };
            }
            if !response.status().is_success() {
                return None;
            }
            let mut kept: Vec<u8> = Vec::new();
            let mut seen = 0;
            while let Some(chunk) = response.chunk().await.ok()? {
                seen += chunk.len();
                kept.extend_from_slice(&chunk);
                let excess = kept.len().saturating_sub(most);
                kept.drain(..excess);
                if seen > MAX_ANSWER_BYTES {
                    break;
                }
            }
            Some(token.redact(&String::from_utf8_lossy(&kept)))
        };
        tokio::time::timeout(limit, reading).await.ok().flatten()
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

    async fn answer(
        &self,
        order: &Order<'_>,
        token: &Secret,
        response: Response,
    ) -> Result<Answer, ForgeError> {
        let operation = order.operation;
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::NOT_MODIFIED {
            let known = self.cache.get(&order.url);
            return known.ok_or_else(|| {
                self.unexpected(operation, "it says \"not modified\" of nothing that we know")
            });
        }
        let bytes = self.read(operation, response).await?;
        if !status.is_success() {
            if status == StatusCode::UNAUTHORIZED
                && let Some(app) = self.app()
            {
                app.forget();
            }
            return Err(self.refusal(operation, status, &headers, &bytes, token));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            // A read that says nothing is no answer; an order may well be carried out in silence.
            return match order.method {
                Method::GET => Err(self.unexpected(operation, "its body is empty")),
                _ => Ok(Answer { headers, json: Value::Null }),
            };
        }
        let json = serde_json::from_slice(&bytes)
            .map_err(|error| self.unexpected(operation, format!("its body is not JSON ({error})")))?;
        let answer = Answer { headers, json };
        if order.method == Method::GET
            && let Some(etag) = answer.headers.get(ETAG).cloned()
        {
            self.cache.keep(&order.url, etag, &answer, bytes.len());
        }
        Ok(answer)
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
        token: &Secret,
    ) -> ForgeError {
        let call = self.call(operation);
        let said = Said::read(body);
        let message = clean(&token.redact(&said.text(status)));
        let writes = operation == Operation::CreatePullRequest;
        match status.as_u16() {
            429 => limited(call, headers, message),
            403 if said.is_limit() || limit_headers(headers) => limited(call, headers, message),
            401 => ForgeError::Auth { call, message },
            403 | 423 | 451 => ForgeError::Permission { call, message },
            // Whoever may read a repository but not write gets 404 as well.
            404 if writes => ForgeError::Permission { call, message },
            404 | 410 => ForgeError::NotFound { call, message },
            405 | 406 => ForgeError::Refused { call, message },
            409 => ForgeError::Conflict { call, message },
            422 if said.is_duplicate() => ForgeError::Conflict { call, message },
            400 | 422 => ForgeError::Validation { call, message },
            408 | 500..=599 => {
                ForgeError::Unavailable { call, why: Outage::Status(status.as_u16()), source: None }
            }
            _ => ForgeError::Unexpected { call, problem: message },
        }
    }

    fn clean(&self, text: &str) -> String {
        match &self.auth {
            Auth::Token(token) => clean(&token.redact(text)),
            Auth::App(_) => clean(text),
        }
    }
}

/// What a forge says, fit to be shown: one line, cut, without control characters.
fn clean(text: &str) -> String {
    crate::body::one_line(text).chars().take(MAX_MESSAGE).collect()
}

fn bearer(scheme: &str, token: &Secret) -> Option<HeaderValue> {
    if token.is_empty() {
        return None;
    }
    let mut authorization = HeaderValue::from_str(&format!("{scheme} {}", token.expose())).ok()?;
    authorization.set_sensitive(true);
    Some(authorization)
}

fn headers(dialect: &Dialect, scheme: &str, token: &Secret) -> Option<HeaderMap> {
    let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(scheme, token)?)]);
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
