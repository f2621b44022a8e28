//! Somebody answers a question, or takes it back: with that, a job that waits for nothing else stands in the queue again.

use overnight_core::id::QuestionId;
use overnight_core::job::{Input, JobEvent, JobState, ParkReason};
use overnight_core::talk::{QUESTION_CHARS, Question, QuestionState, words};

use super::{TalkError, locked, read, tell, write};
use crate::free::{self, Locked};
use crate::sql::sql;
use crate::store::{Store, WriteTx};

/// What is said to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Text(String),
    /// Number of an offered answer, from 1.
    Option(usize),
}

impl Reply {
    fn to(&self, question: &Question) -> Result<String, TalkError> {
        match self {
            Self::Text(text) => Ok(words("answer", text, QUESTION_CHARS)?),
            Self::Option(number) => {
                let found = number.checked_sub(1).and_then(|at| question.options.get(at)).cloned();
                let has = question.options.len();
                found.ok_or_else(|| TalkError::NoSuchOption { name: question.name(), has, number: *number })
            }
        }
    }
}

impl Store {
    /// Answers a question, and wakes its job when that waits for no other answer: one transaction. Of two answers the first counts.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn answer(&self, id: &QuestionId, reply: &Reply) -> Result<Question, TalkError> {
        loop {
            match self.settle(id, Some(reply)).await {
                Err(error) if error.is_collision() => {}
                done => return done,
            }
        }
    }

    /// Takes a question back: its job goes on without an answer.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn cancel_question(&self, id: &QuestionId) -> Result<Question, TalkError> {
        self.settle(id, None).await
    }

    async fn settle(&self, id: &QuestionId, reply: Option<&Reply>) -> Result<Question, TalkError> {
        let job = self.question(id).await?.job;
        let mut tx = self.begin("answer the question").await?;
        let Locked { job, now, .. } = locked(&mut tx, &job).await?;
        // Again, now that nobody else can change it.
        let question = read::question_in(&mut tx, id).await?;
        match question.state(now) {
            QuestionState::Open => {}
            QuestionState::Answered => {
                let (name, asked_at) = (question.name(), question.asked_at);
                let answer = question.answer.map(|answer| (answer.text, answer.at));
                let (answer, at) = answer.unwrap_or((String::new(), asked_at));
                return Err(TalkError::Answered { name, answer, at });
            }
            QuestionState::Cancelled if question.job_ended => return Err(TalkError::Ended { key: job.key }),
            QuestionState::Cancelled => return Err(TalkError::Cancelled { name: question.name() }),
            QuestionState::Expired => {
                return Err(TalkError::Expired {
                    name: question.name(),
                    key: job.key,
                    at: question.expires_at,
                });
            }
        }
        let event = match reply {
            Some(reply) => {
                let answer = reply.to(&question)?;
                let text = "UPDATE questions SET answer = $2, answered_at = {now} WHERE id = $1";
                tx.run(sql(text).bind(id.as_str()).bind(&answer)).await?;
                JobEvent::QuestionAnswered { id: id.clone(), answer }
            }
            None => {
                tx.run(sql("UPDATE questions SET cancelled_at = {now} WHERE id = $1").bind(id.as_str()))
                    .await?;
                JobEvent::QuestionCancelled { id: id.clone() }
            }
        };
        tell(&mut tx, &job.id, &event).await?;
        let waits = matches!(&job.state, JobState::Parked { reason: ParkReason::Answer, .. });
        if waits && job.holder.is_none() && !write::has_open(&mut tx, job.id.as_str()).await? {
            go_on(&mut tx, job.id.as_str()).await?;
        }
        tx.commit().await?;
        self.question(id).await
    }
}

async fn go_on(tx: &mut WriteTx, job: &str) -> Result<(), TalkError> {
    free::move_free(tx, job, Input::Woken).await?;
    // It was begun long ago: the time before which it was not to be started means nothing any more.
    tx.run(sql("UPDATE jobs SET phase = 'ready' WHERE id = $1 AND phase = 'due'").bind(job)).await?;
    tx.gives_work();
    Ok(())
}
