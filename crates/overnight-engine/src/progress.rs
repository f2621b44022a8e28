//! What a watcher sees while a job is worked on: persisted events as they are written, and short-lived facts that are
//! not worth keeping (what the agent does right now, which check is running).

use std::time::Duration;

use overnight_core::agent::{AgentEvent, Usage};
use overnight_core::id::EventNumber;
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;
use overnight_core::verdict::Verdict;
use tokio::sync::mpsc;

/// One thing to show.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Written to the store.
    Event {
        number: EventNumber,
        at: Timestamp,
        event: JobEvent,
    },
    /// The agent did something.
    Agent(AgentEvent),
    /// Used by the whole job so far, the running turn included.
    Used(Usage),
    CheckStarted {
        check: String,
        on_base: bool,
    },
    CheckFinished {
        check: String,
        on_base: bool,
        verdict: Verdict,
        elapsed: Duration,
    },
    /// Something that may take a while has begun: shown until the next progress.
    Waiting {
        what: String,
    },
}

/// Where progress goes. A watcher that has gone away is no reason to stop.
#[derive(Debug, Clone)]
pub struct Watcher(Option<mpsc::UnboundedSender<Progress>>);

impl Watcher {
    /// Nobody watches.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Progress>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    pub(crate) fn tell(&self, progress: Progress) {
        if let Some(sender) = &self.0 {
            // The receiver is gone when the terminal went away; the job goes on.
            let _ = sender.send(progress);
        }
    }
}
