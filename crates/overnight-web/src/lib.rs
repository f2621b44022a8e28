//! The HTTP surface: whether the process, the store and the worker are well, and the queue in numbers.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 as long as the process answers at all |
//! | `/readyz` | 200 when the store answers, has this version's schema, and jobs may be claimed, else 503 and why |
//! | `/health` | what the worker says of itself, as JSON; 503 when somebody has to look |
//! | `/metrics` | OpenMetrics |
//! | `/api/v1` | jobs and events for programs that show a token: [`api`] |
//! | `/hooks/{host}` | word of a forge, signed: [`hooks`] |
//! | `/mcp` | the same for assistants, by the Model Context Protocol: [`mcp`] |
//!
//! All but the API changes nothing and knows nothing that the store and the worker's report do not say. It must stay answerable when
//! both are in trouble, because that is when it is asked: a store that hangs costs a request a few seconds, a client
//! that hangs costs one of a bounded number of connections, and no number of scrapes loads the store.

#![forbid(unsafe_code)]

pub mod api;
mod app;
mod backlog;
mod guard;
mod health;
pub mod hooks;
mod hosts;
mod listen;
pub mod mcp;
mod metrics;
mod openmetrics;
mod problem;
mod pulse;
mod stall;
mod stats;
#[cfg(test)]
mod tests;
mod waiting;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::worker::WorkerReport;
use overnight_store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

use api::{Api, Desk};

pub use waiting::{Waiting, serve_waiting};

/// What the surface shows, and to whom.
#[derive(Debug, Clone)]
pub struct Parts {
    pub store: Store,
    /// The worker of this process, as it is now.
    pub report: watch::Receiver<WorkerReport>,
    /// Names and addresses, without port, by which others may call this server besides those of the loopback device and
    /// the address that they connected to. A page on another name cannot read it through a browser.
    pub allowed_hosts: Vec<String>,
    /// Asked at each scrape, so it has to be cheap.
    pub usage: fn() -> ProcessUsage,
    /// What the API and the tools ask the program around them for; `None`: there are none.
    pub desk: Option<Arc<dyn Desk>>,
    /// Judges what forges deliver; `None`: nothing may be delivered.
    pub hooks: Option<Arc<dyn hooks::HookDoor>>,
    pub limits: Limits,
}

/// What this process uses of the machine; `None` where the platform does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    pub resident_bytes: Option<u64>,
    pub open_fds: Option<u64>,
}

/// How much of the process a client can use up, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Further connections wait in the kernel until one of these is closed.
    pub connections: usize,
    /// From the moment at which a request is expected until its head is there; also how long a connection stays idle.
    pub header: Duration,
    /// How long a client may take no byte of its answer.
    pub write: Duration,
    /// How long the store may take for an answer.
    pub store: Duration,
    /// How long an answer of the store is shown again before it is asked anew.
    pub stats_age: Duration,
    /// How long requests under way may take after the shutdown began.
    pub shutdown: Duration,
    /// A worker whose last heartbeat is older is not healthy.
    pub heartbeat_age: Duration,
    /// How often a stream says that it lives, and looks whether its token is still good.
    pub sign: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header: Duration::from_secs(10),
            write: Duration::from_secs(20),
            store: Duration::from_secs(5),
            stats_age: Duration::from_secs(2),
            shutdown: Duration::from_secs(5),
            heartbeat_age: Duration::from_secs(300),
            sign: Duration::from_secs(15),
        }
    }
}

/// Answers on `listener` until `shutdown` is ready, and lets the requests under way end. Dropping it ends all connections
/// at once.
///
/// # Errors
/// Only when the listener itself cannot be used any more. A failed connection is no error.
pub async fn serve(
    listener: impl Into<Arc<TcpListener>>,
    parts: Parts,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (pulse, beats) = pulse::channel(&parts.report);
    let limits = parts.limits;
    let follow = pulse::follow(parts.report.clone(), pulse);
    let (close, closing) = watch::channel(false);
    let api = parts.desk.clone().map(|desk| Arc::new(Api::new(parts.store.clone(), desk, limits, closing)));
    let hub = api.as_ref().map(|api| api.hub());
    let streaming = async move {
        match hub {
            Some(hub) => hub.run().await,
            None => std::future::pending().await,
        }
    };
    // Streams end of themselves only when they are told.
    let shutdown = async move {
        shutdown.await;
        close.send_replace(true);
    };
    let serving = listen::accept(listener.into(), app::router(parts, beats, api.as_ref()), limits, shutdown);
    tokio::select! {
        ended = serving => ended,
        never = follow => match never {},
        never = streaming => match never {},
    }
}
