//! Shows progress while a job runs: lines that stay, a live line on a terminal, a sign of life elsewhere, or NDJSON.
//!
//! Owns the last line of the terminal while it runs, and gives it back. Never slows the job: it reads from an unbounded
//! channel and keeps only what it shows.

use std::time::Duration;

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;
use overnight_engine::progress::Progress;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::progress::View;
use crate::output::Out;

/// How often a terminal's live line is renewed: often enough for seconds to run smoothly.
const FRAME: Duration = Duration::from_millis(250);
/// How long silence lasts off a terminal before a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// Erases the line and goes to its start.
const ERASE: &str = "\r\u{1b}[2K";

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Lines for people, on standard error.
    Lines,
    /// Persisted events, on standard output.
    Events,
    /// Nothing.
    Silent,
}

/// One event as it is streamed.
#[derive(Debug, Serialize)]
pub struct EventLine<'a> {
    pub schema: &'static str,
    pub kind: &'static str,
    pub job: &'a JobId,
    pub number: EventNumber,
    pub at_ms: Timestamp,
    pub event: &'a JobEvent,
}

impl<'a> EventLine<'a> {
    #[must_use]
    pub fn new(job: &'a JobId, number: EventNumber, at: Timestamp, event: &'a JobEvent) -> Self {
        Self { schema: crate::output::SCHEMA, kind: "event", job, number, at_ms: at, event }
    }
}

/// Shows everything that comes until the sender is gone.
pub async fn show(job: JobId, view: View, mode: Mode, out: Out, mut progress: UnboundedReceiver<Progress>) {
    let began = Instant::now();
    let mut screen = Screen { view, out, last: began, live: false };
    let mut tick = interval(if out.live { FRAME } else { SIGN_OF_LIFE });
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = progress.recv() => match (next, mode) {
                (Some(next), Mode::Lines) => screen.lines(&next, began.elapsed()),
                (Some(Progress::Event { number, at, event }), Mode::Events) => {
                    // Nobody reads any more: the job goes on, its events are in the store.
                    let _ = out.ndjson(&EventLine::new(&job, number, at, &event));
                }
                (Some(_), Mode::Events | Mode::Silent) => {}
                (None, _) => break,
            },
            _ = tick.tick(), if mode == Mode::Lines => screen.tick(began.elapsed()),
        }
    }
    screen.erase();
}

struct Screen {
    view: View,
    out: Out,
    /// When something was last written.
    last: Instant,
    /// A live line stands on the screen.
    live: bool,
}

impl Screen {
    fn lines(&mut self, progress: &Progress, now: Duration) {
        let lines = self.view.on(progress, now);
        if lines.is_empty() {
            return;
        }
        self.erase();
        for line in lines {
            self.out.say(&line);
        }
        self.last = Instant::now();
        self.redraw(now);
    }

    fn tick(&mut self, now: Duration) {
        if self.out.live {
            self.redraw(now);
        } else if self.last.elapsed() >= SIGN_OF_LIFE {
            if let Some(line) = self.view.live(now, usize::MAX) {
                self.out.say(&line);
            }
            self.last = Instant::now();
        }
    }

    fn redraw(&mut self, now: Duration) {
        if !self.out.live || self.out.quiet {
            return;
        }
        match self.view.live(now, self.out.width) {
            Some(line) => {
                self.out.terminal(&format!("{ERASE}{line}"));
                self.live = true;
            }
            None => self.erase(),
        }
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.live) {
            self.out.terminal(ERASE);
        }
    }
}
