//! Following the events of all jobs.

use std::sync::Arc;

use overnight_store::{FeedPosition, Store};
use serde_json::json;
use tokio::sync::watch;

use super::super::Api;
use super::super::fault::Fault;
use super::hub::{Hub, Latest, Line, PAGE, Seat};
use super::wire::{Follow, Found, frame};

pub(super) struct Follower {
    store: Store,
    latest: watch::Receiver<Latest>,
    place: FeedPosition,
    /// The place that the client named is not to be had: it is told so first.
    reset: bool,
    _seat: Seat,
}

impl Follower {
    pub(super) fn new(api: &Arc<Api>, seat: Seat, place: FeedPosition, reset: bool) -> Self {
        let latest = Hub::latest(&api.hub);
        Self { store: api.store.clone(), latest, place, reset, _seat: seat }
    }

    fn sent<'a>(&mut self, lines: impl Iterator<Item = &'a Line>) -> String {
        let mut text = String::new();
        for line in lines {
            text += &frame("job", &line.position.to_string(), &line.data);
            self.place = line.position.clone();
        }
        text
    }
}

impl Follow for Follower {
    async fn next(&mut self) -> Result<Found, Fault> {
        if std::mem::take(&mut self.reset) {
            let why = "events after that position were deleted, or it is one of another database: look at the jobs again";
            let data = json!({ "reason": why }).to_string();
            return Ok(Found::Frames(frame("reset", &self.place.to_string(), &data)));
        }
        loop {
            let kept = self.latest.borrow_and_update().after(&self.place);
            match kept {
                Some(lines) if lines.is_empty() => {
                    if self.latest.changed().await.is_err() {
                        return Ok(Found::Last(String::new()));
                    }
                }
                Some(lines) => return Ok(Found::Frames(self.sent(lines.iter().map(Arc::as_ref)))),
                None => {
                    let items = self.store.feed(&self.place, PAGE).await?;
                    if !items.is_empty() {
                        let lines: Vec<Line> = items.iter().map(Line::of).collect();
                        return Ok(Found::Frames(self.sent(lines.iter())));
                    }
                    // Nothing yet, and the hub has not begun: it tells when it has.
                    if self.latest.changed().await.is_err() {
                        return Ok(Found::Last(String::new()));
                    }
                }
            }
        }
    }
}
