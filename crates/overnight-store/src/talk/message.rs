//! Messages to jobs: sent by people and by the agents of other jobs, acknowledged by the agent that read them.

use overnight_core::id::{JobId, MessageId};
use overnight_core::job::{Job, JobEvent, JobState, can_be_told};
use overnight_core::talk::{MESSAGE_CHARS, MOST_MESSAGES, Message, Sender, words};

use super::{AgentOf, TalkError, locked, next_number, read, tell};
use crate::answers::id_of_request;
use crate::error::{CorruptRow, StoreError};
use crate::free::Locked;
use crate::sql::sql;
use crate::store::{Store, WriteTx};

impl Store {
    /// Sends a person's message to a job: its next turn is told.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn send_message(&self, to: &JobId, text: &str) -> Result<Message, TalkError> {
        self.send_message_once(to, text, None).await
    }

    /// The same; a request with a name of its own that comes again is the message that it made before.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn send_message_once(
        &self,
        to: &JobId,
        text: &str,
        request: Option<&str>,
    ) -> Result<Message, TalkError> {
        let text = words("message", text, MESSAGE_CHARS)?;
        let id = MessageId::parse(&id_of_request(request));
        let id = id.map_err(|error| StoreError::from(CorruptRow::new(to.as_str(), "message", error)))?;
        let mut tx = self.begin("send the message").await?;
        let Locked { job, .. } = locked(&mut tx, to).await?;
        match read::message_in(&mut tx, to, &id).await {
            Err(TalkError::UnknownMessage { .. }) => {}
            known => return known,
        }
        let message = send(&mut tx, &job, (id, Sender::Operator), text).await?;
        tx.commit().await?;
        Ok(message)
    }

    /// Sends a message of the agent whose turn runs to another job of the same repository.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn send_message_of(
        &self,
        agent: &AgentOf,
        to: &JobId,
        text: &str,
    ) -> Result<Message, TalkError> {
        let text = words("message", text, MESSAGE_CHARS)?;
        let from = self.job(&agent.job).await?;
        if !works(&from, agent) {
            return Err(TalkError::NotWorking { key: from.key });
        }
        let mut tx = self.begin("send the message").await?;
        let Locked { job, .. } = locked(&mut tx, to).await?;
        if job.repository != from.repository {
            return Err(TalkError::AnotherRepository { from: from.key, to: job.key });
        }
        let id = MessageId::parse(&id_of_request(None));
        let id = id.map_err(|error| StoreError::from(CorruptRow::new(to.as_str(), "message", error)))?;
        let message = send(&mut tx, &job, (id, Sender::Job(from.key)), text).await?;
        tx.commit().await?;
        Ok(message)
    }

    /// Notes that the agent whose turn runs has read a message: no turn is told of it any more. Doing so twice is no error.
    ///
    /// # Errors
    /// [`TalkError::NotWorking`], [`TalkError::UnknownMessage`], [`TalkError::Store`].
    pub async fn acknowledge(&self, agent: &AgentOf, message: &MessageId) -> Result<(), TalkError> {
        let mut tx = self.begin("note that a message was read").await?;
        let Locked { job, .. } = locked(&mut tx, &agent.job).await?;
        if !works(&job, agent) {
            return Err(TalkError::NotWorking { key: job.key });
        }
        let found = read::message_in(&mut tx, &agent.job, message).await?;
        if found.acknowledged_at.is_some() {
            return Ok(());
        }
        let text = "UPDATE messages SET acknowledged_at = {now} WHERE id = $1";
        tx.run(sql(text).bind(message.as_str())).await?;
        tell(&mut tx, &agent.job, &JobEvent::MessageAcknowledged { id: message.clone() }).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn works(job: &Job, agent: &AgentOf) -> bool {
    let runs = matches!(job.state, JobState::Working { turn: Some(_), .. });
    runs && job.holder.is_some() && job.fence == agent.fence
}

/// Into a job whose row is locked.
async fn send(
    tx: &mut WriteTx,
    job: &Job,
    (id, from): (MessageId, Sender),
    text: String,
) -> Result<Message, TalkError> {
    can_be_told(&job.state).map_err(|why| TalkError::not_told(&job.key, why))?;
    let raw = job.id.as_str();
    let number = next_number(tx, "messages", raw).await?;
    if number > i64::from(MOST_MESSAGES) {
        return Err(TalkError::TooManyMessages { key: job.key.clone() });
    }
    let event = JobEvent::MessageSent { id: id.clone(), from: from.clone(), text: text.clone() };
    let sent_at = tell(tx, &job.id, &event).await?;
    let sender = match &from {
        Sender::Operator => "",
        Sender::Job(key) => key.as_str(),
    };
    let insert =
        "INSERT INTO messages (job_id, number, id, sender, text, sent_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let insert =
        sql(insert).bind(raw).bind(number).bind(id.as_str()).bind(sender).bind(&text).bind(sent_at.0);
    tx.run(insert).await?;
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let job = job.id.clone();
    Ok(Message { id, job, number, from, text, sent_at, delivered: None, acknowledged_at: None })
}
