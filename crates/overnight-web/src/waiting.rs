//! What is answered before there is a store: that the process lives, and what it waits for.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::hosts::AllowedHosts;
use crate::problem::Problem;
use crate::{Limits, guard, health, listen};

/// A worker that has not begun.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What it waits for, as it is now.
    pub why: watch::Receiver<String>,
    /// As of [`Parts`](crate::Parts).
    pub allowed_hosts: Vec<String>,
    pub limits: Limits,
}

/// Answers on `listener` until `shutdown` is ready: `/healthz` with 200, and whatever needs a store with 503 and why.
/// The listener can be handed to [`serve`](crate::serve) afterwards; who connects in between is answered then.
///
/// # Errors
/// As of [`serve`](crate::serve).
pub async fn serve_waiting(
    listener: Arc<TcpListener>,
    waiting: Waiting,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let limits = waiting.limits;
    listen::accept(listener, router(waiting), limits, shutdown).await
}

fn router(waiting: Waiting) -> Router {
    let hosts = Arc::new(AllowedHosts::new(&waiting.allowed_hosts));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(not_yet))
        .route("/health", get(not_yet))
        .route("/metrics", get(not_yet))
        .route("/api/{*rest}", any(not_yet))
        .fallback(guard::not_found)
        .layer(from_fn_with_state(hosts, guard::check))
        .with_state(waiting.why)
}

async fn not_yet(State(why): State<watch::Receiver<String>>) -> Problem {
    let why = why.borrow().clone();
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)
}
