//! Commits shared by steps that come at the same time: a disk that takes a millisecond to make one transaction durable
//! makes sixty-four jobs' steps durable in the same millisecond.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::apply::{Write, Written, write_all};
use crate::error::{ErrorClass, StoreError};
use crate::store::Store;

/// Most steps of one transaction.
const MOST: usize = 64;
/// A transaction that collided with another is tried this often.
const TRIES: u32 = 3;

#[derive(Debug)]
struct Waiting {
    write: Write,
    reply: oneshot::Sender<Written>,
}

/// Steps that wait for a transaction, and the turns of those who write one.
#[derive(Debug, Clone)]
pub(crate) struct Commits {
    waiting: Arc<Mutex<Vec<Waiting>>>,
    turns: Arc<Semaphore>,
}

impl Commits {
    /// `at_once`: transactions that may be written side by side.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { waiting: Arc::default(), turns: Arc::new(Semaphore::new(at_once)) }
    }

    /// Writes a step, together with others that wait at the same time.
    pub(crate) async fn write(&self, store: &Store, write: Write) -> Written {
        let lost = write.held.lost();
        let (reply, mut answer) = oneshot::channel();
        self.lock().push(Waiting { write, reply });
        let turn = tokio::select! {
            turn = Arc::clone(&self.turns).acquire_owned() => turn,
            // Somebody else's transaction took it along.
            written = &mut answer => return written.unwrap_or(Err(lost)),
        };
        let gathered = self.take();
        if !gathered.is_empty() {
            let store = store.clone();
            // A task of its own: whoever waits may be dropped, and the others must not be lost with it.
            tokio::spawn(async move {
                let _turn = turn;
                write_gathered(&store, gathered).await;
            });
        }
        answer.await.unwrap_or(Err(lost))
    }

    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.lock();
        let count = waiting.len().min(MOST);
        let mut taken: Vec<Waiting> = waiting.drain(..count).collect();
        // In one order for everybody, so that two transactions never wait for each other.
        taken.sort_by(|a, b| a.write.held.job.cmp(&b.write.held.job));
        taken
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_gathered(store: &Store, gathered: Vec<Waiting>) {
    let (writes, replies): (Vec<Write>, Vec<oneshot::Sender<Written>>) =
        gathered.into_iter().map(|waiting| (waiting.write, waiting.reply)).unzip();
    let results = match write_tried(store, &writes).await {
        Ok(results) => results,
        Err(error) if writes.len() == 1 => vec![Err(error)],
        // They may have been written all the same: only their holders can tell.
        Err(error) if error.class() == ErrorClass::Io => {
            let why = error.to_string();
            writes.iter().map(|_| Err(StoreError::Unheard { operation: "write the step", why: why.clone() })).collect()
        }
        // One of them may be what the database refuses: each for itself, then.
        Err(error) => {
            tracing::debug!(%error, steps = writes.len(), "steps are written one by one");
            one_by_one(store, writes).await
        }
    };
    for (reply, result) in replies.into_iter().zip(results) {
        // Nobody waits any more; it is written all the same.
        let _ = reply.send(result);
    }
}

async fn one_by_one(store: &Store, writes: Vec<Write>) -> Vec<Written> {
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        let written = write_tried(store, &[write]).await.and_then(|mut all| all.pop().unwrap_or_else(missing));
        results.push(written);
    }
    results
}

fn missing() -> Written {
    Err(StoreError::Internal { what: "a step was written without an answer" })
}

/// What collides with another transaction is undone by the database and can be written again.
async fn write_tried(store: &Store, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
    let mut tried = 1;
    loop {
        match write_all(store, writes).await {
            Err(error) if error.is_collision() && tried < TRIES => tried += 1,
            done => return done,
        }
    }
}
