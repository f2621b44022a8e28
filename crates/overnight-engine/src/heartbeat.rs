//! Keeps a lease alive while its job is worked on, and learns from the reply whether the job is still ours and whether
//! somebody asked for a cancel.

use std::sync::Arc;
use std::time::Duration;

use overnight_store::{Lease, Renewal, Store};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::signals::{Cause, Signals, Stop};

/// How often the cancel flag is looked at. Reading it costs microseconds; half a second is what a person takes for "at once".
const PEEK: Duration = Duration::from_millis(500);
/// The holder stops itself this long before its lease could be taken by another, so that its tree is gone by then.
const MARGIN: Duration = Duration::from_secs(12);

/// Lease times, both settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm {
    pub(crate) lease: Duration,
    pub(crate) heartbeat: Duration,
}

/// Ends the heartbeat when the job is let go.
#[derive(Debug)]
pub(crate) struct Heartbeat(Vec<JoinHandle<()>>);

impl Drop for Heartbeat {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Starts renewing `lease` and listening to `stop`; both end up in the returned signals.
pub(crate) fn start(
    store: Store,
    lease: Arc<Lease>,
    rhythm: Rhythm,
    stop: &Stop,
) -> (Heartbeat, Arc<Signals>) {
    let signals = Arc::new(Signals::default());
    let beat = tokio::spawn(beat(store, lease, rhythm, Arc::clone(&signals)));
    let listen = tokio::spawn(listen(stop.clone(), Arc::clone(&signals)));
    (Heartbeat(vec![beat, listen]), signals)
}

async fn listen(stop: Stop, signals: Arc<Signals>) {
    stop.cancel.cancelled().await;
    signals.raise(Cause::Cancel(overnight_core::job::CancelledBy::Interrupt));
}

async fn beat(store: Store, lease: Arc<Lease>, rhythm: Rhythm, signals: Arc<Signals>) {
    let safe = rhythm.lease.saturating_sub(MARGIN.min(rhythm.lease / 3));
    let mut deadline = Instant::now() + safe;
    let mut renew_at = Instant::now() + rhythm.heartbeat;
    let mut ticks = interval(PEEK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = sleep_until(deadline) => {
                tracing::error!(job.id = %lease.job(), "the lease could not be renewed in time; standing down");
                return signals.raise(Cause::LeaseLost);
            }
            _ = ticks.tick() => {}
        }
        let now = Instant::now();
        let renewing = now >= renew_at;
        let reply = if renewing {
            store.lease_renew(&lease, rhythm.lease).await
        } else {
            store.lease_peek(&lease).await
        };
        match reply {
            Ok(Renewal::Held { cancel, .. }) => {
                if renewing {
                    // Counted from before the request: the database may have set the expiry at any moment since.
                    deadline = now + safe;
                    renew_at = now + rhythm.heartbeat;
                }
                if let Some(by) = cancel {
                    signals.raise(Cause::Cancel(by));
                }
            }
            Ok(Renewal::Lost) => return signals.raise(Cause::LeaseLost),
            // One failed renewal is not a loss: the deadline decides.
            Err(error) => tracing::warn!(job.id = %lease.job(), %error, "a heartbeat failed"),
        }
    }
}
