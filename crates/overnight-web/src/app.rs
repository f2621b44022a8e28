//! What every request can see, and which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use overnight_core::worker::WorkerReport;
use tokio::sync::watch;

use crate::api::{self, Api};
use crate::hosts::AllowedHosts;
use crate::pulse::Pulse;
use crate::stats::StatsCache;
use crate::{Limits, Parts, ProcessUsage, guard, health, hooks, mcp, metrics};

pub(crate) struct App {
    pub(crate) report: watch::Receiver<WorkerReport>,
    pub(crate) pulse: watch::Receiver<Pulse>,
    pub(crate) stats: StatsCache,
    pub(crate) usage: fn() -> ProcessUsage,
    pub(crate) limits: Limits,
}

pub(crate) fn router(parts: Parts, pulse: watch::Receiver<Pulse>, api: Option<&Arc<Api>>) -> Router {
    let limits = parts.limits;
    let hosts = Arc::new(AllowedHosts::new(&parts.allowed_hosts));
    let app = Arc::new(App {
        report: parts.report,
        pulse,
        stats: StatsCache::new(parts.store.clone(), limits.store, limits.stats_age),
        usage: parts.usage,
        limits,
    });
    let mut router = Router::new();
    if let Some(api) = api {
        router = router.nest_service("/api/v1", api::router(api));
    }
    if let Some(desk) = parts.desk {
        let door = mcp::PersonDoor { store: parts.store, desk, limits };
        router = router.merge(mcp::endpoint(Arc::new(door), Arc::clone(&hosts)));
    }
    if let Some(door) = parts.hooks {
        router = router.merge(hooks::endpoint(door, limits));
    }
    router
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::report))
        .route("/metrics", get(metrics::scrape))
        .fallback(guard::not_found)
        .layer(from_fn_with_state(hosts, guard::check))
        .with_state(app)
}
