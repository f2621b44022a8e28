//! What a watcher sees while a job is worked on: persisted events as they are written, and short-lived facts that are
//! not worth keeping (what the agent does right now, which check is running).

use std::sync::Arc;
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
#[derive(Clone)]
pub struct Watcher(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Watcher(somebody)" } else { "Watcher(nobody)" })
    }
}

impl Watcher {
    /// Nobody watches.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Each progress is handed to `tell`, which must not wait.
    #[must_use]
    pub fn calling(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Progress>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let tell = move |progress| {
            // The receiver is gone when the terminal went away; the job goes on.
            let _ = sender.send(progress);
        };
        (Self::calling(tell), receiver)
    }

    pub(crate) fn listens(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}
