//! Following the events of one job, from number to number.

use std::sync::Arc;

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::JobEvent;
use overnight_store::Store;
use serde_json::json;
use tokio::sync::watch;

use super::super::Api;
use super::super::fault::Fault;
use super::hub::{Hub, Latest, PAGE, Seat};
use super::line;
use super::wire::{Follow, Found, frame};

pub(super) struct Follower {
    store: Store,
    latest: watch::Receiver<Latest>,
    job: JobId,
    after: EventNumber,
    /// Of the hub's events, those that were looked through; `None`: the store has to be asked first.
    counted: Option<u64>,
    _seat: Seat,
}

impl Follower {
    pub(super) fn new(api: &Arc<Api>, seat: Seat, job: JobId, after: EventNumber) -> Self {
        let latest = Hub::latest(&api.hub);
        Self { store: api.store.clone(), latest, job, after, counted: None, _seat: seat }
    }

    /// Everything after the last number, from the store: this is how a gap can never be.
    async fn read(&mut self) -> Result<Option<Found>, Fault> {
        let records = self.store.events(&self.job, self.after, PAGE).await?;
        let mut text = String::new();
        let mut is_end = false;
        for record in &records {
            let event = record.event.as_ref().ok();
            let data = line(&self.job, record.number, record.at, event).to_string();
            text += &frame("job", &record.number.0.to_string(), &data);
            is_end = matches!(event, Some(JobEvent::Ended { .. }));
            self.after = record.number;
        }
        Ok(match (records.is_empty(), is_end) {
            (true, _) => None,
            (false, false) => Some(Found::Frames(text)),
            (false, true) => Some(Found::Last(text + &self.end())),
        })
    }

    fn end(&self) -> String {
        frame("end", &self.after.0.to_string(), &json!({ "job": self.job }).to_string())
    }

    /// Whether there may be something that is not sent yet, and where the hub's next event will be counted.
    fn look(&mut self) -> (bool, u64) {
        let latest = self.latest.borrow_and_update();
        let behind = match self.counted.and_then(|counted| latest.counted_from(counted)) {
            Some(lines) => lines.iter().any(|line| line.job == self.job && line.number > self.after),
            None => true,
        };
        (behind, latest.next())
    }
}

impl Follow for Follower {
    async fn next(&mut self) -> Result<Found, Fault> {
        loop {
            let (behind, next) = self.look();
            if behind && let Some(found) = self.read().await? {
                // There may be another page.
                self.counted = None;
                return Ok(found);
            }
            // Only now: whoever is dropped while it reads has to read again.
            self.counted = Some(next);
            if !behind && self.latest.changed().await.is_err() {
                return Ok(Found::Last(String::new()));
            }
        }
    }
}
