//! Commits shared by steps that come at the same time: a disk that takes a millisecond to make one transaction durable
//! makes sixty-four jobs' steps durable in the same millisecond.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::apply::{WRITE, Write, Written, write_all};
use crate::error::{ErrorClass, StoreError};
use crate::store::{Store, retried};

/// Most steps of one transaction.
const MOST: usize = 64;
/// Most looks for further steps before a transaction begins; each is a turn of the tasks that are ready to run.
const LOOKS: u32 = 16;

#[derive(Debug)]
struct Waiting {
    write: Write,
    reply: oneshot::Sender<Written>,
}

impl Waiting {
    fn answer(self, written: Written) {
        // Nobody waits any more; it is written all the same.
        let _ = self.reply.send(written);
    }
}

/// Steps that wait for a transaction, and the turns of those who write one.
#[derive(Debug, Clone)]
pub(crate) struct Commits {
    waiting: Arc<Mutex<Vec<Waiting>>>,
    turns: Arc<Semaphore>,
}

impl Default for Commits {
    fn default() -> Self {
        // One after the other: two at a time would halve what each of them gathers.
        Self { waiting: Arc::default(), turns: Arc::new(Semaphore::new(1)) }
    }
}

impl Commits {
    /// Writes a step, together with others that wait at the same time.
    pub(crate) async fn write(&self, store: &Store, write: Write) -> Written {
        let (reply, mut answer) = oneshot::channel();
        self.lock().push(Waiting { write, reply });
        let turn = tokio::select! {
            turn = Arc::clone(&self.turns).acquire_owned() => turn,
            // Somebody else's transaction took it along.
            written = &mut answer => return written.unwrap_or_else(|_| Err(unheard())),
        };
        self.gather().await;
        let gathered = self.take();
        if gathered.is_empty() {
            drop(turn);
        } else {
            let store = store.clone();
            // A task of its own: whoever waits may be dropped, and the others must not be lost with it.
            tokio::spawn(async move {
                write_gathered(&store, gathered).await;
                drop(turn);
            });
        }
        answer.await.unwrap_or_else(|_| Err(unheard()))
    }

    /// Those that come in the same moment come along: waits as long as every look finds more of them than the one before.
    async fn gather(&self) {
        let mut seen = 0;
        for _ in 0..LOOKS {
            tokio::task::yield_now().await;
            let waiting = self.lock().len();
            if waiting <= seen || waiting >= MOST {
                return;
            }
            seen = waiting;
        }
    }

    /// The next steps to be written. What nobody waits for any more is left out, and never written. Of two steps of one job
    /// the later one stays: it is for the next transaction.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.lock();
        let mut jobs = BTreeSet::new();
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for one in waiting.drain(..).filter(|one| !one.reply.is_closed()) {
            if taken.len() < MOST && jobs.insert(one.write.held.job.clone()) {
                taken.push(one);
            } else {
                left.push(one);
            }
        }
        *waiting = left;
        // In one order for everybody, so that two transactions never wait for each other.
        taken.sort_by(|a, b| a.write.held.job.cmp(&b.write.held.job));
        taken
    }

    /// How many transactions could be begun now.
    #[cfg(test)]
    pub(crate) fn free_turns(&self) -> usize {
        self.turns.available_permits()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_gathered(store: &Store, gathered: Vec<Waiting>) {
    let (gathered, failed) = at_once(store, gathered).await;
    if let Some(error) = failed {
        return gathered.into_iter().for_each(|waiting| waiting.answer(Err(shared(&error))));
    }
    let (writes, replies): (Vec<Write>, Vec<oneshot::Sender<Written>>) =
        gathered.into_iter().map(|waiting| (waiting.write, waiting.reply)).unzip();
    if writes.is_empty() {
        return;
    }
    let results = match write_tried(store, &writes).await {
        Ok(results) => results,
        Err(error) if writes.len() == 1 => vec![Err(error)],
        // One of them may be what the database refuses: each for itself, then.
        Err(error) if is_of_one(error.class()) => {
            tracing::debug!(%error, steps = writes.len(), "steps are written one by one");
            one_by_one(store, writes).await
        }
        Err(error) => writes.iter().map(|_| Err(shared(&error))).collect(),
    };
    for (reply, result) in replies.into_iter().zip(results) {
        // Nobody waits any more; it is written all the same.
        let _ = reply.send(result);
    }
}

/// Writes those that can be written at once, and gives back the others. With an error nothing is known of these.
async fn at_once(store: &Store, gathered: Vec<Waiting>) -> (Vec<Waiting>, Option<StoreError>) {
    let writes = gathered.iter().map(|waiting| &waiting.write);
    let written = match store.write_at_once(writes).await {
        Ok(written) => written,
        Err(error) if error.class() == ErrorClass::Io => return (gathered, Some(error)),
        // Nothing was written; step by step it shows which of them is the reason.
        Err(error) => {
            tracing::debug!(%error, "steps are not written at once");
            return (gathered, None);
        }
    };
    let mut left = Vec::new();
    for (waiting, applied) in gathered.into_iter().zip(written) {
        match applied {
            Some(applied) => waiting.answer(Ok(applied)),
            None => left.push(waiting),
        }
    }
    (left, None)
}

async fn one_by_one(store: &Store, writes: Vec<Write>) -> Vec<Written> {
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        let written =
            write_tried(store, &[write]).await.and_then(|mut all| all.pop().unwrap_or_else(missing));
        results.push(written);
    }
    results
}

/// Whether an error of this class is that of a single step. The others are the database's, and would meet each step again.
fn is_of_one(class: ErrorClass) -> bool {
    match class {
        ErrorClass::LeaseLost | ErrorClass::Corrupt | ErrorClass::Refused | ErrorClass::Bug => true,
        ErrorClass::Busy | ErrorClass::Full | ErrorClass::ReadOnly | ErrorClass::Io | ErrorClass::Newer => {
            false
        }
    }
}

/// The error of a transaction, for one of several steps. They may have been written all the same: only their holders can tell.
fn shared(error: &StoreError) -> StoreError {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    StoreError::Unheard { operation: WRITE, class: error.class(), why: cause }
}

/// The task that wrote it is gone.
fn unheard() -> StoreError {
    StoreError::Unheard {
        operation: WRITE,
        class: ErrorClass::Io,
        why: "the answer was not heard".to_owned(),
    }
}

fn missing() -> Written {
    Err(StoreError::Internal { what: "a step was written without an answer" })
}

async fn write_tried(store: &Store, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
    retried(|| write_all(store, writes)).await
}
