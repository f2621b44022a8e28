//! The HTTP server of the scripted model, and how far each session has come.
//!
//! Owns the listening socket (loopback, a free port), the sessions' progress and the record of requests. Wire
//! formats are rendered elsewhere; this file only routes, counts and sends.

use super::question::Question;
use super::record::{RecordedRequest, RequestKind};
use super::reply::{Ending, Message, Rendered, Reply};
use super::scenario::Scenario;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A request above this is refused. The vendor's own limit is 32 MB.
const MAX_BODY_BYTES: usize = 32 << 20;
/// How long a test waits for requests: far above the 5 s of processor time that the slowest CLI needs for its first one.
const WAIT: Duration = Duration::from_secs(180);

/// A running scripted model. Dropping it closes the socket and every open answer.
#[derive(Debug)]
pub struct ModelServer {
    port: u16,
    hub: Arc<Hub>,
    /// Never sent to: its end is the signal to close.
    _running: watch::Sender<()>,
}

#[derive(Debug)]
struct Hub {
    port: u16,
    scenarios: BTreeMap<String, Scenario>,
    state: Mutex<Progress>,
    /// The number of recorded requests.
    recorded: watch::Sender<usize>,
    closing: watch::Receiver<()>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Main requests taken per session.
    taken: BTreeMap<(String, String), usize>,
    requests: Vec<RecordedRequest>,
}

impl ModelServer {
    /// Starts a server with one scenario, played at [`ModelServer::base_url`].
    ///
    /// # Errors
    /// If the loopback interface has no free port.
    pub async fn start(scenario: Scenario) -> io::Result<Self> {
        Self::start_many(BTreeMap::from([(String::new(), scenario)])).await
    }

    /// Starts a server with named scenarios, each played anew for every [`ModelServer::session_url`].
    ///
    /// # Errors
    /// If the loopback interface has no free port.
    pub async fn start_many(scenarios: BTreeMap<String, Scenario>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (running, closing) = watch::channel(());
        let hub = Arc::new(Hub {
            port,
            scenarios,
            state: Mutex::default(),
            recorded: watch::Sender::new(0),
            closing: closing.clone(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&hub));
        tokio::spawn(async move {
            // An accept error ends the server; the test sees it as a refused connection.
            drop(axum::serve(listener, router).with_graceful_shutdown(closed(closing)).await);
        });
        Ok(Self { port, hub, _running: running })
    }

    /// The base URL for the one scenario of [`ModelServer::start`], without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The base URL of a session that plays the named scenario from its start. `key` is free, but must not
    /// hold a slash; the same key is the same session.
    #[must_use]
    pub fn session_url(&self, scenario: &str, key: &str) -> String {
        format!("{}/s/{scenario}/{key}", self.base_url())
    }

    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.hub.state().requests.clone()
    }

    /// The requests of one session.
    #[must_use]
    pub fn session_requests(&self, scenario: &str, key: &str) -> Vec<RecordedRequest> {
        let of_session =
            |request: &RecordedRequest| request.session.0 == scenario && request.session.1 == key;
        self.requests().into_iter().filter(of_session).collect()
    }

    /// How many requests so far offered tools.
    #[must_use]
    pub fn main_requests(&self) -> usize {
        self.hub.state().main_requests()
    }

    /// Waits until at least `count` requests of any kind have arrived, and returns all of them.
    ///
    /// # Errors
    /// If they did not arrive within 3 minutes: how many did.
    pub async fn wait_for_requests(&self, count: usize) -> Result<Vec<RecordedRequest>, String> {
        self.wait_for(count, |progress| progress.requests.len()).await?;
        Ok(self.requests())
    }

    /// Waits until at least `count` requests that offer tools have arrived, whatever comes on the side.
    ///
    /// # Errors
    /// If they did not arrive within 3 minutes: how many did.
    pub async fn wait_for_main_requests(&self, count: usize) -> Result<(), String> {
        self.wait_for(count, Progress::main_requests).await
    }

    async fn wait_for(&self, count: usize, arrived: fn(&Progress) -> usize) -> Result<(), String> {
        let mut recorded = self.hub.recorded.subscribe();
        let waited = async {
            while arrived(&self.hub.state()) < count {
                if recorded.changed().await.is_err() {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(WAIT, waited).await;
        in_time.map_err(|_| {
            format!("{} of {count} requests arrived within {WAIT:?}", arrived(&self.hub.state()))
        })
    }
}

impl Progress {
    fn main_requests(&self) -> usize {
        self.requests.iter().filter(|request| request.kind == RequestKind::Main).count()
    }
}

impl Hub {
    /// A panic in another test thread leaves nothing half-changed here.
    fn state(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the request, takes a step if it is a main request, and says what to answer and under which id.
    fn take(&self, mut request: RecordedRequest) -> (Option<(Question, Reply)>, String) {
        let scenario = self.scenarios.get(&request.session.0);
        let question = Question::of(&request);
        let mut state = self.state();
        let id = format!("{:05}{:06}", self.port, state.requests.len());
        let answer = scenario.zip(question).map(|(scenario, question)| {
            if question.aside {
                request.kind = RequestKind::Side;
                return (question, Reply::to_side_request());
            }
            request.kind = RequestKind::Main;
            let taken = state.taken.entry(request.session.clone()).or_default();
            let number = *taken;
            *taken += 1;
            let reply = Reply::to_main_request(
                scenario.step(number),
                number,
                &question.offered,
                acted(&request.body),
            );
            (question, reply)
        });
        state.requests.push(request);
        self.recorded.send_replace(state.requests.len());
        (answer, id)
    }
}

/// Whether the conversation holds the result of a tool, in any vendor's words.
fn acted(body: &Value) -> bool {
    let text = body.to_string();
    let results = [
        "\"type\":\"tool_result\"",
        "\"type\":\"function_call_output\"",
        "\"type\":\"custom_tool_call_output\"",
        "\"role\":\"tool\"",
        "\"functionResponse\":",
    ];
    results.iter().any(|result| text.contains(result))
}

async fn closed(mut closing: watch::Receiver<()>) {
    // Nothing is ever sent, so this returns when the sender is gone.
    while closing.changed().await.is_ok() {}
}

async fn answer(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let Ok(request) = read(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (answer, id) = hub.take(request);
    let closing = hub.closing.clone();
    let Some((question, reply)) = answer else { return not_found() };
    match reply {
        Reply::Refusal(refusal) => refused(question.format.refusal(&refusal)),
        Reply::NoCredit => refused(question.format.no_credit()),
        Reply::Silence => {
            closed(closing).await;
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Reply::Message(message) => whole(&question, &message, &id),
        Reply::Partial(message, ending) => partial(&question, &message, ending, &id, closing),
    }
}

/// Splits a request into its session, its path and its body.
async fn read(request: Request) -> Result<RecordedRequest, axum::Error> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_BODY_BYTES).await?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let (session, path) = split_session(path);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(RecordedRequest {
        session,
        kind: RequestKind::Other,
        method: parts.method.to_string(),
        path,
        headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    })
}

/// `/s/<scenario>/<key>/rest` is session (scenario, key) and path `/rest`; all else is the unnamed session.
fn split_session(path: &str) -> ((String, String), String) {
    let named = || {
        let (scenario, rest) = path.strip_prefix("/s/")?.split_once('/')?;
        let (key, rest) = rest.split_once('/')?;
        Some(((scenario.to_owned(), key.to_owned()), format!("/{rest}")))
    };
    named().unwrap_or_else(|| (Default::default(), path.to_owned()))
}

fn refused(refusal: Rendered) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, json_body(&refusal.body)).into_response();
    for (name, value) in refusal.headers {
        // Rendered numbers and fixed words are always valid header values.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn whole(question: &Question, message: &Message, id: &str) -> Response {
    if !question.streamed {
        return json_body(&question.whole(message, id)).into_response();
    }
    let events = question.events(message, id).into_iter().map(Ok::<_, Infallible>);
    event_stream(Body::from_stream(stream::iter(events)))
}

/// A beginning, then silence until the server closes, then (or at once, if cut) a broken connection.
fn partial(
    question: &Question,
    message: &Message,
    ending: Ending,
    id: &str,
    closing: watch::Receiver<()>,
) -> Response {
    let streamed = question.streamed;
    let beginning = if streamed { question.first_events(message, id) } else { vec!["{".to_owned()] };
    let broken = async move {
        match ending {
            Ending::Silence => closed(closing).await,
            // Without a pause, what is already queued for the socket is thrown away together with it.
            Ending::Cut => tokio::task::yield_now().await,
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let parts = stream::iter(beginning.into_iter().map(Ok)).chain(stream::once(broken));
    let body = Body::from_stream(parts);
    if streamed {
        event_stream(body)
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

fn event_stream(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], body)
        .into_response()
}

fn json_body(value: &Value) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}

fn not_found() -> Response {
    let error =
        json!({"type": "not_found_error", "message": "the scripted model has no such path or scenario"});
    (StatusCode::NOT_FOUND, json_body(&json!({"type": "error", "error": error}))).into_response()
}
