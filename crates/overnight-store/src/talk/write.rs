//! What a step means for the questions and messages of its job, written in the step's transaction.

use overnight_core::id::{MessageId, QuestionId};
use overnight_core::talk::{Asked, Given, TalkChange};
use overnight_core::units::Timestamp;

use super::next_number;
use crate::error::StoreError;
use crate::insert::runs;
use crate::row::{self, to_json};
use crate::sql::{places, sql};
use crate::store::WriteTx;

/// Follows a SELECT or UPDATE of questions: those that can be answered now.
pub(super) const OPEN: &str = "answered_at IS NULL AND cancelled_at IS NULL AND expires_at > {now}";

/// Writes the changes of a step. The job's row is locked, because it was changed before.
pub(crate) async fn write(
    tx: &mut WriteTx,
    job: &str,
    at: Timestamp,
    changes: &[TalkChange],
) -> Result<(), StoreError> {
    for change in changes {
        match change {
            TalkChange::Asked { id, turn, asked, expires_at } => {
                insert(tx, job, (id, *turn, asked, *expires_at), at).await?;
            }
            TalkChange::Awaited => awaited(tx, job).await?,
            TalkChange::GoneOn { questions } => {
                let ids: Vec<String> = questions.iter().map(ToString::to_string).collect();
                let text = format!(
                    "UPDATE questions SET cancelled_at = {{now}} WHERE job_id = $1 AND id IN ({}) AND {OPEN}",
                    places(2, ids.len())
                );
                tx.run(sql(text).bind(job).bind_all(ids)).await?;
            }
            TalkChange::Told { turn, given } => told(tx, job, (*turn, at), given).await?,
        }
    }
    Ok(())
}

pub(super) async fn insert(
    tx: &mut WriteTx,
    job: &str,
    (id, turn, asked, expires_at): (&QuestionId, u32, &Asked, Timestamp),
    at: Timestamp,
) -> Result<(), StoreError> {
    let number = next_number(tx, "questions", job).await?;
    let text = "INSERT INTO questions (job_id, number, id, turn, text, options, asked_at, expires_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let query = sql(text).bind(job).bind(number).bind(id.as_str()).bind(i64::from(turn)).bind(asked.text());
    tx.run(query.bind(to_json("options", &asked.options())?).bind(at.0).bind(expires_at.0)).await.map(drop)
}

/// The job waits from here on. What was answered before it came to that is as good as an answer that comes now.
async fn awaited(tx: &mut WriteTx, job: &str) -> Result<(), StoreError> {
    let text = format!("UPDATE questions SET awaited = TRUE WHERE job_id = $1 AND {OPEN}");
    if tx.run(sql(text).bind(job)).await? > 0 {
        return Ok(());
    }
    tx.run(sql("UPDATE jobs SET phase = 'ready' WHERE id = $1 AND phase IN ('due', 'asleep')").bind(job))
        .await?;
    tx.gives_work();
    Ok(())
}

async fn told(
    tx: &mut WriteTx,
    job: &str,
    (turn, at): (u32, Timestamp),
    given: &Given,
) -> Result<(), StoreError> {
    let questions: Vec<&str> = given.questions.iter().map(QuestionId::as_str).collect();
    let messages: Vec<&str> = given.messages.iter().map(MessageId::as_str).collect();
    for (table, ids) in [("questions", questions), ("messages", messages)] {
        for run in runs(&ids) {
            let text = format!(
                "UPDATE {table} SET told_turn = $2, told_at = $3 WHERE job_id = $1 AND told_at IS NULL AND id IN ({})",
                places(4, run.len())
            );
            tx.run(sql(text).bind(job).bind(i64::from(turn)).bind(at.0).bind_all(run.iter().copied()))
                .await?;
        }
    }
    Ok(())
}

/// Whether the job has a question that can be answered now.
pub(super) async fn has_open(tx: &mut WriteTx, job: &str) -> Result<bool, StoreError> {
    let text = format!("SELECT COUNT(*) AS count FROM questions WHERE job_id = $1 AND {OPEN}");
    let found = tx.optional(sql(text).bind(job)).await?;
    let found = found.ok_or(StoreError::Internal { what: "a sum has no row" })?;
    Ok(row::number(&found, job, "count")? > 0)
}
