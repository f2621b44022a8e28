//! Accepting connections, a bounded number of them, none of which can stay without saying or taking something.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Limits;
use crate::hosts::LocalAddress;
use crate::stall::StallGuard;

/// The wait after the machine refused a connection, for want of file descriptors or memory.
const EXHAUSTED: Duration = Duration::from_millis(200);
/// Requests to us are a line and a few fields; this is the least that the HTTP library works with.
const HEAD_BYTES: usize = 8 * 1024;
const HEAD_FIELDS: usize = 64;

pub(crate) async fn accept(
    listener: Arc<TcpListener>,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    // Dropping the sender tells the connections.
    let (running, stopped) = watch::channel(());
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < limits.connections.max(1) => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), limits, stopped.clone()));
                }
                Err(error) => refused(error).await?,
            },
        }
    }
    drop((listener, running));
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Most errors of `accept` are those of one connection or of a moment. A listener that is none never gets better.
async fn refused(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::InvalidInput => return Err(error),
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::Interrupted => {}
        // std's enum is open.
        _ => {
            tracing::warn!(%error, "no connection could be accepted");
            sleep(EXHAUSTED).await;
        }
    }
    Ok(())
}

/// Serves one connection to its end. After the shutdown began it ends with the request under way.
async fn connection(stream: TcpStream, router: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    let Ok(local) = stream.local_addr() else { return };
    let io = TokioIo::new(StallGuard::new(stream, limits.write));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(HEAD_FIELDS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(io, marked(router, local));
    let mut serving = pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => return note(ended),
        _ = stopped.changed() => {}
    }
    serving.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(limits.shutdown, serving).await {
        note(ended);
    }
}

fn note(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke");
    }
}

/// The router, which is told to which address of ours a request came.
fn marked(
    router: Router,
    local: SocketAddr,
) -> impl Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> {
    let router = TowerToHyperService::new(router);
    service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(LocalAddress(local.ip()));
        router.call(request)
    })
}
