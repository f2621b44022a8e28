//! Streams of events: nothing is missing and nothing comes twice, over reconnects, restarts, and many clients.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::id::EventNumber;
use overnight_core::job::CancelledBy;
use overnight_store::Store;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::{Counter, Fixture, enqueue, fixture, fixture_on_postgres, refused};
use crate::Limits;
use crate::tests::{PATIENCE, served};

/// One frame of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
struct Frame {
    event: String,
    id: String,
    data: String,
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn open(f: &Fixture, path: &str, last: Option<&str>) -> Self {
        let mut stream = f.server.connect().await;
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head = format!(
            "GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{last}\r\n",
            f.read
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut client = Self(BufReader::new(stream));
        // The stream has begun, and has its place, when its first words are there.
        while client.line().await.unwrap() != "retry: 2000" {}
        client
    }

    /// `None`: the stream is over.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("nothing comes");
        match read {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    async fn frame(&mut self) -> Option<Frame> {
        let mut frame = Frame::default();
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("event", event)) => frame.event = event.to_owned(),
                Some(("id", id)) => frame.id = id.to_owned(),
                Some(("data", data)) => frame.data = data.to_owned(),
                // Chunks' sizes, and signs of life.
                _ if line.is_empty() && !frame.data.is_empty() => return Some(frame),
                _ => {}
            }
        }
    }

    /// The next events, as job and number, with the last id.
    async fn events(&mut self, count: usize) -> (Vec<(String, i64)>, String) {
        let (mut seen, mut last) = (Vec::new(), String::new());
        while seen.len() < count {
            let frame = self.frame().await.expect("the stream ended");
            assert_eq!(frame.event, "job");
            seen.push(numbered(&frame));
            last = frame.id;
        }
        (seen, last)
    }
}

fn numbered(frame: &Frame) -> (String, i64) {
    let data: Value = serde_json::from_str(&frame.data).unwrap();
    (data["job"].as_str().unwrap().to_owned(), data["number"].as_i64().unwrap())
}

async fn queue_and_end(store: &Store, jobs: usize) {
    for _ in 0..jobs {
        let job = enqueue(store, "x", None).await;
        store.cancel_request(&job.id, CancelledBy::Command).await.unwrap();
    }
}

async fn all_events(store: &Store) -> Vec<(String, i64)> {
    let mut all = Vec::new();
    for job in store.jobs(&overnight_store::JobFilter::default()).await.unwrap().jobs {
        let events = store.events(&job.id, EventNumber(0), 1000).await.unwrap();
        all.extend(events.iter().map(|record| (job.id.to_string(), record.number.0)));
    }
    all.sort();
    all
}

/// Another server before the same store, at another address.
async fn restarted(f: Fixture) -> Fixture {
    let Fixture { server, read, operate, admin } = f;
    let dir = tempfile::tempdir().unwrap();
    let (store, old) = (server.store.clone(), server.dir);
    // Killed, not stopped: connections break in the middle.
    server.serving.abort();
    let _ = server.serving.await;
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let desk = Arc::new(Counter(store.clone()));
    let server = served(listener, Limits::default(), store, Some(desk), dir).await;
    // The file stays where it is.
    std::mem::forget(old);
    Fixture { server, read, operate, admin }
}

async fn resumed(f: Fixture) {
    let store = f.server.store.clone();
    let mut one = Client::open(&f, "/events?since=start", None).await;
    let mut other = Client::open(&f, "/events", None).await;
    let working = tokio::spawn({
        let store = store.clone();
        async move { queue_and_end(&store, 60).await }
    });
    let (mut first, last) = one.events(50).await;
    let (mut second, place) = other.events(31).await;
    drop((one, other));
    let f = restarted(f).await;
    working.await.unwrap();
    let all = all_events(&store).await;
    let mut one = Client::open(&f, "/events", Some(&last)).await;
    let mut other = Client::open(&f, "/events", Some(&place)).await;
    first.extend(one.events(all.len() - 50).await.0);
    second.extend(other.events(all.len() - 31).await.0);
    for mut seen in [first, second] {
        seen.sort();
        assert_eq!(seen, all);
    }
    // And what comes from now on comes at once.
    let began = Instant::now();
    let job = enqueue(&store, "new", None).await;
    for client in [&mut one, &mut other] {
        assert_eq!(client.events(1).await.0, [(job.id.to_string(), 1)]);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    f.server.stop().await;
}

#[tokio::test]
async fn two_clients_and_a_killed_server_miss_nothing_and_get_nothing_twice() {
    resumed(fixture().await).await;
    if let Some(f) =
        fixture_on_postgres("two_clients_and_a_killed_server_miss_nothing_and_get_nothing_twice").await
    {
        resumed(f).await;
    }
}

#[tokio::test]
async fn a_jobs_stream_goes_from_any_number_to_its_end() {
    let f = fixture().await;
    let store = &f.server.store;
    let job = enqueue(store, "x", None).await;
    let mut live = Client::open(&f, "/jobs/app-1/events/stream", None).await;
    assert_eq!(live.events(1).await.0, [(job.id.to_string(), 1)]);
    queue_and_end(store, 3).await;
    store.cancel_request(&job.id, CancelledBy::Command).await.unwrap();
    let count = store.events(&job.id, EventNumber(0), 99).await.unwrap().len();
    let (seen, last) = live.events(count - 1).await;
    assert_eq!(seen.last().unwrap().1, count as i64);
    let end = live.frame().await.unwrap();
    assert_eq!((end.event.as_str(), end.id.as_str()), ("end", last.as_str()));
    assert_eq!(live.frame().await, None, "the stream ends with the job");
    let mut again = Client::open(&f, "/jobs/app-1/events/stream", Some("1")).await;
    assert_eq!(again.events(count - 1).await.0, seen);
    let over =
        f.ask(&f.read, &format!("GET /api/v1/jobs/app-1/events/stream\nLast-Event-ID: {last}"), "").await;
    assert_eq!(over.status, 204);
    let wrong = f.ask(&f.read, "GET /api/v1/jobs/app-1/events/stream\nLast-Event-ID: x", "").await;
    refused(&wrong, 400, "bad-position");
    refused(&f.get("/jobs/app-99/events/stream").await, 404, "unknown-job");
    f.server.stop().await;
}

#[tokio::test]
async fn a_place_that_is_gone_is_told_and_the_stream_goes_on() {
    let f = fixture().await;
    let store = f.server.store.clone();
    queue_and_end(&store, 2).await;
    let mut client = Client::open(&f, "/events?since=start", None).await;
    let (_, first) = client.events(1).await;
    drop(client);
    let jobs = store.jobs(&overnight_store::JobFilter::default()).await.unwrap().jobs;
    let ids: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
    let later = store.now().await.unwrap().plus(Duration::from_secs(60));
    assert_eq!(store.jobs_prune(later, &ids).await.unwrap().len(), 2);
    for gone in [first.as_str(), "9223372036854775807.1.x"] {
        let mut client = Client::open(&f, "/events", Some(gone)).await;
        assert_eq!(client.frame().await.unwrap().event, "reset");
        let job = enqueue(&store, "x", None).await;
        assert_eq!(client.events(1).await.0, [(job.id.to_string(), 1)]);
    }
    for bad in ["x", "1.2", "1.2.a b"] {
        let said = f.ask(&f.read, &format!("GET /api/v1/events\nLast-Event-ID: {bad}"), "").await;
        refused(&said, 400, "bad-position");
    }
    f.server.stop().await;
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_server() {
    let f = fixture().await;
    let mut open = Vec::new();
    for _ in 0..128 {
        open.push(Client::open(&f, "/events", None).await);
    }
    let one_more = f.get("/events").await;
    refused(&one_more, 429, "too-many-streams");
    assert_eq!(f.get("/jobs").await.status, 200, "others are answered");
    drop(open.pop());
    let deadline = Instant::now() + PATIENCE;
    while f.get("/jobs/nowhere").await.status != 404 {
        assert!(Instant::now() < deadline);
    }
    let job = enqueue(&f.server.store, "x", None).await;
    for client in &mut open {
        assert_eq!(client.events(1).await.0, [(job.id.to_string(), 1)]);
    }
    let began = Instant::now();
    f.server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(open[0].frame().await, None);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let f = super::fixture_with(Limits { sign: Duration::from_millis(100), ..Limits::default() }).await;
    let mut client = Client::open(&f, "/events", None).await;
    while client.line().await.as_deref() != Some(": still here") {}
    f.server.store.token_revoke("r").await.unwrap();
    assert_eq!(client.frame().await, None);
    refused(&f.get("/events").await, 401, "token-revoked");
    f.server.stop().await;
}
