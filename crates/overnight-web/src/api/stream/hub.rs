//! The one reader of the feed for all streams. It reads only while somebody listens, and keeps the latest events, so that any
//! number of streams costs the store one question.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use overnight_core::id::{EventNumber, JobId};
use overnight_store::{FeedItem, FeedPosition, Store, StoreError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::super::fault::{Code, Fault};
use super::{STREAMS_MAX, line};

/// Events that are kept: a stream that is further behind reads the store itself.
const KEPT: usize = 2048;
/// Events of one question.
pub(super) const PAGE: u32 = 256;
/// How often the store is asked when nobody wakes us: not every commit does, and a wake may be missed.
const POLL: Duration = Duration::from_millis(500);
/// The least between two questions: many commits at once are one question.
const GAP: Duration = Duration::from_millis(20);
/// The wait after the store failed.
const AGAIN: Duration = Duration::from_secs(1);

/// One event, ready to be sent.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) position: FeedPosition,
    pub(super) job: JobId,
    pub(super) number: EventNumber,
    /// JSON on one line.
    pub(super) data: String,
}

impl Line {
    pub(super) fn of(item: &FeedItem) -> Self {
        let event = item.event.as_ref().ok();
        Self {
            position: item.position.clone(),
            job: item.job.clone(),
            number: item.number,
            data: line(&item.job, item.number, item.at, event).to_string(),
        }
    }
}

/// The latest events: all that there are after `from`, up to the last one here.
#[derive(Debug)]
pub(super) struct Latest {
    from: FeedPosition,
    /// The number of the first line, of all that were ever here.
    first: u64,
    lines: VecDeque<Arc<Line>>,
}

impl Latest {
    fn new(from: FeedPosition) -> Self {
        Self { from, first: 0, lines: VecDeque::new() }
    }

    fn end(&self) -> &FeedPosition {
        self.lines.back().map_or(&self.from, |line| &line.position)
    }

    fn push(&mut self, line: Line) {
        self.lines.push_back(Arc::new(line));
        if self.lines.len() > KEPT
            && let Some(gone) = self.lines.pop_front()
        {
            self.from = gone.position.clone();
            self.first += 1;
        }
    }

    /// The lines after this place; `None`: some of them are not here.
    pub(super) fn after(&self, place: &FeedPosition) -> Option<Vec<Arc<Line>>> {
        if *place < self.from {
            return None;
        }
        let at = self.lines.partition_point(|line| line.position <= *place);
        Some(self.lines.range(at..).cloned().collect())
    }

    /// Where the next line will be counted.
    pub(super) fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The lines from this count on; `None`: some of them are not here any more.
    pub(super) fn counted_from(&self, count: u64) -> Option<Vec<Arc<Line>>> {
        let skipped = usize::try_from(count.checked_sub(self.first)?).ok()?;
        Some(self.lines.iter().skip(skipped).cloned().collect())
    }
}

pub(crate) struct Hub {
    store: Store,
    latest: watch::Sender<Latest>,
    /// How many streams are open.
    seats: AtomicUsize,
    seated: watch::Sender<usize>,
    pub(super) closing: watch::Receiver<bool>,
}

/// The right to be one of the streams. Given back when it is dropped.
pub(super) struct Seat(Arc<Hub>);

impl Drop for Seat {
    fn drop(&mut self) {
        let left = self.0.seats.fetch_sub(1, Ordering::AcqRel) - 1;
        self.0.seated.send_replace(left);
    }
}

impl Hub {
    pub(crate) fn new(store: Store, closing: watch::Receiver<bool>) -> Self {
        let latest = watch::Sender::new(Latest::new(FeedPosition::start()));
        Self { store, latest, seats: AtomicUsize::new(0), seated: watch::Sender::new(0), closing }
    }

    pub(super) fn seat(hub: &Arc<Self>) -> Result<Seat, Fault> {
        let taken = hub.seats.fetch_add(1, Ordering::AcqRel) + 1;
        let seat = Seat(Arc::clone(hub));
        if taken > STREAMS_MAX {
            return Err(Fault::new(Code::TooManyStreams, format!("{STREAMS_MAX} streams are open"))
                .hint("one stream of /api/v1/events serves a program for all of its jobs"));
        }
        hub.seated.send_replace(taken);
        Ok(seat)
    }

    pub(super) fn latest(&self) -> watch::Receiver<Latest> {
        self.latest.subscribe()
    }

    /// Reads for as long as there are streams. Never comes back.
    pub(crate) async fn run(&self) -> std::convert::Infallible {
        let mut seated = self.seated.subscribe();
        loop {
            if seated.wait_for(|count| *count > 0).await.is_err() {
                return std::future::pending().await;
            }
            let _hearing = self.store.listen();
            if let Err(error) = self.follow(&mut seated).await {
                tracing::warn!(%error, "the feed cannot be read; it is tried again");
                sleep(AGAIN).await;
            }
        }
    }

    async fn follow(&self, seated: &mut watch::Receiver<usize>) -> Result<(), StoreError> {
        // Registered before the first look, so that nothing falls in between.
        let mut woken = self.store.subscribe();
        let end = self.store.feed_end().await?;
        // What came while nobody listened was not kept: whoever is further back reads it from the store.
        self.latest.send_modify(|latest| {
            let first = latest.next();
            *latest = Latest { first: first + 1, ..Latest::new(end) };
        });
        while *seated.borrow() > 0 {
            woken.mark_unchanged();
            let after = self.latest.borrow().end().clone();
            let items = self.store.feed(&after, PAGE).await?;
            let full = items.len() == PAGE as usize;
            if !items.is_empty() {
                self.latest.send_modify(|latest| items.iter().for_each(|item| latest.push(Line::of(item))));
            }
            if !full {
                let _ = timeout(POLL, woken.changed()).await;
                sleep(GAP).await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: i64) -> Line {
        let position: FeedPosition = format!("{number}.1.j-{number}").parse().unwrap();
        let job = JobId::parse(&format!("j-{number}")).unwrap();
        Line { position, job, number: EventNumber(1), data: String::new() }
    }

    #[test]
    fn a_place_is_served_by_what_is_kept_or_not_at_all() {
        let mut latest = Latest::new(line(5).position);
        assert_eq!(latest.after(&line(5).position).unwrap().len(), 0);
        assert!(latest.after(&line(4).position).is_none());
        let count = i64::try_from(KEPT).unwrap();
        let began = latest.next();
        (6..6 + count).for_each(|number| latest.push(line(number)));
        assert_eq!(latest.after(&line(5).position).unwrap().len(), KEPT);
        assert_eq!(latest.counted_from(began).unwrap().len(), KEPT);
        latest.push(line(6 + count));
        assert!(latest.after(&line(5).position).is_none());
        assert!(latest.counted_from(began).is_none());
        assert_eq!(latest.after(&line(6).position).unwrap().len(), KEPT);
        assert_eq!(latest.counted_from(began + 1).unwrap().len(), KEPT);
        assert_eq!(latest.after(&line(6 + count).position).unwrap().len(), 0);
        assert_eq!(latest.counted_from(latest.next()).unwrap().len(), 0);
    }
}
