//! Clients that say nothing, say it slowly, say too much, or do not listen.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{PATIENCE, answer, read_to_end, server, server_with};
use crate::Limits;

fn tight() -> Limits {
    let short = Duration::from_millis(400);
    Limits { connections: 4, header: short, write: short, ..Limits::default() }
}

#[tokio::test]
async fn slow_requests_are_cut_off_and_others_are_answered() {
    let server = server_with(tight()).await;
    let began = Instant::now();
    let mut slow = Vec::new();
    for begin in ["", "GET /he", "GET /health HTTP/1.1\r\nHost: localhost\r\n", "\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // All places are taken: this one waits until they are free again.
    assert_eq!(server.get("/healthz").await.status, 200);
    assert!(began.elapsed() >= tight().header, "there are more places than configured");
    for stream in &mut slow {
        let said = read_to_end(stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said:?}");
    }
    server.stop().await;
}

/// A byte now and then does not buy time: the whole head is due.
#[tokio::test]
async fn a_request_that_trickles_in_is_cut_off() {
    let server = server_with(tight()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ").await.unwrap();
    let began = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "still open");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(300), "cut off too early");
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = server_with(tight()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(answer(&read_to_end(&mut stream).await).status, 200);
    server.stop().await;
}

/// Asks and asks, and never reads: the answers fill the connection's buffers, and then the server waits.
#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = server_with(Limits { connections: 1, ..tight() }).await;
    let mut deaf = server.connect().await;
    let many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let asking = tokio::spawn(async move { while deaf.write_all(many.as_bytes()).await.is_ok() {} });
    timeout(PATIENCE, asking).await.expect("its connection stays open").unwrap();
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = server().await;
    let mut stream = server.connect().await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    // The server may answer and close before all of it is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    let said = read_to_end(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said:?}");
    let fields = "X: y\r\n".repeat(200);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(server.send(&request).await.status, 431);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_closes_idle_connections_and_accepts_no_more() {
    let mut server = server().await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let began = Instant::now();
    drop(server.stop.take());
    read_to_end(&mut idle).await;
    timeout(PATIENCE, server.serving).await.unwrap().unwrap().unwrap();
    assert!(began.elapsed() < Limits::default().shutdown, "waited for a client that says nothing");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_waits_for_a_slow_request_only_so_long() {
    let (header, shutdown) = (3 * PATIENCE, Duration::from_millis(300));
    let server = server_with(Limits { header, shutdown, ..Limits::default() }).await;
    let mut half = server.connect().await;
    half.write_all(b"GET /hea").await.unwrap();
    // A later connection is answered, so the earlier one is in the server's hands.
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await;
    assert_eq!(read_to_end(&mut half).await, "");
}
