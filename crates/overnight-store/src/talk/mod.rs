//! Questions of jobs' agents, and messages to jobs. What has become of either follows from its row; what a question means for its
//! job's way is decided by the core.
//!
//! Whoever asks, answers or sends locks the job's row first: an answer and the step that parks a job for it come one after the
//! other, and whichever is second sees the first.

mod answer;
mod ask;
mod find;
mod message;
mod read;
mod write;

use overnight_core::id::{Fence, JobId, TaskKey};
use overnight_core::job::{JobEvent, NotTold};
use overnight_core::talk::{InvalidWords, MOST_MESSAGES};
use overnight_core::units::Timestamp;

use crate::apply::{EVENTS, event_row};
use crate::error::{ErrorClass, StoreError};
use crate::free::{self, Locked};
use crate::row;
use crate::sql::sql;
use crate::store::WriteTx;

pub use answer::Reply;
pub use find::MeantError;
pub use read::{QuestionFilter, TalkStanding};
pub(crate) use write::write;

/// The agent that works on a job, or whoever speaks for it: good for as long as that worker holds the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOf {
    pub job: JobId,
    /// Of the claim under which it works.
    pub fence: Fence,
}

/// Why something was not said. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    #[error(transparent)]
    Words(#[from] InvalidWords),
    #[error("there is no question {wanted:?}")]
    UnknownQuestion { wanted: String },
    #[error("there is no message {wanted:?} to this job")]
    UnknownMessage { wanted: String },
    #[error("{name} has {has} offered answers, and none with the number {number}")]
    NoSuchOption { name: String, has: usize, number: usize },
    #[error("{name} was answered already: {answer:?}")]
    Answered { name: String, answer: String, at: Timestamp },
    #[error("{name} was taken back, or its job went on without an answer")]
    Cancelled { name: String },
    #[error("{name} could be answered until a while ago; by now {key} goes on, or ends, without")]
    Expired { name: String, key: TaskKey, at: Timestamp },
    #[error("{key} has ended")]
    Ended { key: TaskKey },
    #[error("the work of {key} is being published: no turn of its agent comes any more")]
    Publishing { key: TaskKey },
    #[error("{key} has asked {most} questions, as many as a job may: decide without, and say how")]
    TooManyQuestions { key: TaskKey, most: u32 },
    #[error("{key} has {MOST_MESSAGES} messages, as many as a job may")]
    TooManyMessages { key: TaskKey },
    #[error("{from} may only write to jobs of its own repository, and {to} is of another")]
    AnotherRepository { from: TaskKey, to: TaskKey },
    /// Its worker does not hold the job any more, or no turn of its agent runs.
    #[error("no turn of {key} runs under this claim")]
    NotWorking { key: TaskKey },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TalkError {
    /// `None`: nothing is wrong with the store.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Store(error) => Some(error.class()),
            Self::Words(_)
            | Self::UnknownQuestion { .. }
            | Self::UnknownMessage { .. }
            | Self::NoSuchOption { .. }
            | Self::Answered { .. }
            | Self::Cancelled { .. }
            | Self::Expired { .. }
            | Self::Ended { .. }
            | Self::Publishing { .. }
            | Self::TooManyQuestions { .. }
            | Self::TooManyMessages { .. }
            | Self::AnotherRepository { .. }
            | Self::NotWorking { .. } => None,
        }
    }

    pub(crate) fn is_collision(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_collision())
    }

    fn not_told(key: &TaskKey, why: NotTold) -> Self {
        match why {
            NotTold::Ended => Self::Ended { key: key.clone() },
            NotTold::Publishing => Self::Publishing { key: key.clone() },
        }
    }
}

/// Locks and reads a job that is said something about.
async fn locked(tx: &mut WriteTx, job: &JobId) -> Result<Locked, StoreError> {
    let found = free::lock(tx, job.as_str()).await?;
    found.ok_or_else(|| StoreError::UnknownJob { job: job.clone() })
}

/// Adds an event to a job whose row this transaction has locked, whoever holds it.
async fn tell(tx: &mut WriteTx, job: &JobId, event: &JobEvent) -> Result<Timestamp, StoreError> {
    let raw = job.as_str();
    let text = "UPDATE jobs SET last_event = last_event + 1, updated_at = {now} WHERE id = $1 RETURNING last_event, updated_at";
    let counted = tx.optional(sql(text).bind(raw)).await?;
    let counted = counted.ok_or_else(|| StoreError::UnknownJob { job: job.clone() })?;
    let at = Timestamp(row::number(&counted, raw, "updated_at")?);
    let number = overnight_core::id::EventNumber(row::number(&counted, raw, "last_event")?);
    EVENTS.rows(tx, &[event_row(raw, number, at, event)?]).await?;
    Ok(at)
}

/// The number of the next row of a job in `table`, whose name is this crate's own.
async fn next_number(tx: &mut WriteTx, table: &str, job: &str) -> Result<i64, StoreError> {
    let text = format!("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM {table} WHERE job_id = $1");
    let found = tx.optional(sql(text).bind(job)).await?;
    let found = found.ok_or(StoreError::Internal { what: "a sum has no row" })?;
    Ok(row::number(&found, job, "next")?)
}
