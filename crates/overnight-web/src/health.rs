//! The three questions a supervisor asks: is the process alive, can it take work, does somebody have to look.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use overnight_core::SCHEMA;
use overnight_core::worker::{Intake, Verdict, WorkerReport};
use overnight_store::SCHEMA_VERSION;
use serde::Serialize;

use crate::app::App;
use crate::problem::Problem;

#[derive(Serialize)]
struct HealthBody {
    schema: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
    heartbeat_age_ms: u64,
    #[serde(flatten)]
    report: WorkerReport,
}

/// The worker's report, the age of its heartbeat, and what they amount to.
pub(crate) struct Seen {
    pub(crate) report: WorkerReport,
    pub(crate) age: Duration,
    pub(crate) verdict: Verdict,
}

impl App {
    pub(crate) fn look(&self) -> Seen {
        let report = self.report.borrow().clone();
        let age = self.pulse.borrow().age(&report);
        let verdict = report.verdict(report.heartbeat_at.plus(age), self.limits.heartbeat_age);
        Seen { report, age, verdict }
    }
}

/// A restart helps only against what this cannot answer; everything else is for `/health`.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    let refuse = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let seen = app.stats.get().await;
    if let Ok(found) = seen.schema
        && found != SCHEMA_VERSION
    {
        return Err(refuse(other_schema(found)));
    }
    seen.stats.map_err(|error| refuse(error.to_string()))?;
    match &app.look().report.intake {
        Intake::Open { .. } => Ok("ready\n"),
        Intake::Closed { reason, .. } => Err(refuse(format!("no jobs are claimed: {}", reason.code()))),
    }
}

fn other_schema(found: i64) -> String {
    let way = if found > SCHEMA_VERSION {
        "start the newer version that brought it there"
    } else {
        "`overnight db migrate` brings it forward"
    };
    format!(
        "the database has schema {found}, and this version of overnight works with schema {SCHEMA_VERSION}: {way}"
    )
}

pub(crate) async fn report(State(app): State<Arc<App>>) -> Response {
    let Seen { report, age, verdict } = app.look();
    let status = if verdict.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let heartbeat_age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let body = HealthBody { schema: SCHEMA, kind: "health", verdict, heartbeat_age_ms, report };
    (status, Json(body)).into_response()
}
