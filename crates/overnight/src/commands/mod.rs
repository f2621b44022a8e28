//! The commands, one file each. A command looks things up, asks the engine or the store to act, and says what came of it;
//! it holds no rule of its own.

pub mod add;
pub mod agent;
pub mod api;
pub mod backlog;
pub mod budget;
pub mod cancel;
pub mod cascade;
pub mod compact;
pub mod completions;
pub mod config;
pub mod cost;
pub mod db;
pub mod diff;
pub mod doctor;
pub mod exception;
pub mod follow_up;
pub mod gate;
pub mod gc;
pub mod help;
pub mod limit;
pub mod logs;
pub mod ls;
pub mod mcp;
pub mod messages;
pub mod pr;
pub mod questions;
pub mod resume;
pub mod retry;
pub mod run;
pub mod serve;
pub mod show;
pub mod status;
pub mod token;
pub mod work;
pub mod worker;

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::{Job, JobEvent};
use overnight_store::{EventRecord, Store};
use serde::Serialize;
use serde_json::Value;

use crate::app::store_error;
use crate::error::AppError;
use crate::story::Story;
use crate::view::JobView;

/// Events read at once.
const PAGE: u32 = 1000;

/// Every event of a job, in order.
///
/// # Errors
/// When the store fails.
pub async fn events(store: &Store, job: &JobId) -> Result<Vec<EventRecord>, AppError> {
    let mut all: Vec<EventRecord> = Vec::new();
    loop {
        let after = all.last().map_or(EventNumber(0), |record| record.number);
        let page = store.events(job, after, PAGE).await.map_err(|error| store_error(&error))?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Jobs as JSON, with where they stand.
///
/// # Errors
/// When the store fails.
pub async fn views(store: &Store, jobs: &[Job]) -> Result<Vec<JobView>, AppError> {
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
    let standings = store.standings(&ids).await.map_err(|error| store_error(&error))?;
    Ok(jobs.iter().map(|job| JobView::of(job, standings.get(&job.id))).collect())
}

/// A view as JSON that others put into a document of theirs.
///
/// # Errors
/// Never: views are made of text, numbers and lists.
pub fn as_value(view: &impl Serialize) -> Result<Value, AppError> {
    serde_json::to_value(view)
        .map_err(|error| AppError::unexpected("a view cannot be written as JSON").because(&error))
}

/// One job as JSON, with where it stands.
///
/// # Errors
/// When the store fails.
pub async fn view(store: &Store, job: &Job) -> Result<JobView, AppError> {
    let standing = store.standing(&job.id).await.map_err(|error| store_error(&error))?;
    Ok(JobView::of(job, Some(&standing)))
}

/// What became of a job so far. Events that this version cannot read are passed over.
///
/// # Errors
/// When the store fails.
pub async fn story(store: &Store, job: &JobId) -> Result<Story, AppError> {
    let events = events(store, job).await?;
    Ok(Story::of(readable(&events)))
}

/// The events that this version can read.
pub fn readable(events: &[EventRecord]) -> impl Iterator<Item = &JobEvent> {
    events.iter().filter_map(|record| record.event.as_ref().ok())
}
