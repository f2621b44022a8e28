//! An agent asks while its turn runs. Its job waits for the answer when the turn has ended.

use std::time::Duration;

use overnight_core::id::QuestionId;
use overnight_core::job::{JobEvent, JobState};
use overnight_core::talk::{Asked, Question};
use overnight_core::units::Timestamp;

use super::{AgentOf, TalkError, locked, next_number, tell, write};
use crate::error::{CorruptRow, StoreError};
use crate::free::Locked;
use crate::lease::span;
use crate::sql::sql;
use crate::store::Store;

impl Store {
    /// Records a question of the agent whose turn runs, to be answered within `expire`; `most`: of one job.
    ///
    /// # Errors
    /// [`TalkError::NotWorking`], [`TalkError::TooManyQuestions`], [`TalkError::Store`].
    pub async fn ask(
        &self,
        agent: &AgentOf,
        asked: &Asked,
        expire: Duration,
        most: u32,
    ) -> Result<Question, TalkError> {
        let id = QuestionId::parse(&uuid::Uuid::now_v7().to_string());
        let id =
            id.map_err(|error| StoreError::from(CorruptRow::new(agent.job.as_str(), "question", error)))?;
        let mut tx = self.begin("record the question").await?;
        let Locked { job, now, .. } = locked(&mut tx, &agent.job).await?;
        let JobState::Working { trail, turn: Some(_), .. } = &job.state else {
            return Err(TalkError::NotWorking { key: job.key });
        };
        if job.holder.is_none() || job.fence != agent.fence {
            return Err(TalkError::NotWorking { key: job.key });
        }
        let number = next_number(&mut tx, "questions", agent.job.as_str()).await?;
        if number > i64::from(most) {
            return Err(TalkError::TooManyQuestions { key: job.key, most });
        }
        let expires_at = Timestamp(now.0.saturating_add(span(expire)));
        let turn = trail.turns;
        write::insert(&mut tx, agent.job.as_str(), (&id, turn, asked, expires_at), now).await?;
        let (text, options) = (asked.text().to_owned(), asked.options().to_vec());
        tell(&mut tx, &agent.job, &JobEvent::QuestionAsked { id: id.clone(), text, options, expires_at })
            .await?;
        tx.commit().await?;
        self.question(&id).await
    }
    /// Notes that the agent whose turn runs has been given the answer already: no turn is told of it any more. Of a question that is
    /// open nothing is noted.
    ///
    /// # Errors
    /// [`TalkError::NotWorking`], [`TalkError::Store`].
    pub async fn answer_read(&self, agent: &AgentOf, question: &QuestionId) -> Result<(), TalkError> {
        let mut tx = self.begin("note that an answer was read").await?;
        let Locked { job, .. } = locked(&mut tx, &agent.job).await?;
        let JobState::Working { trail, turn: Some(_), .. } = &job.state else {
            return Err(TalkError::NotWorking { key: job.key });
        };
        if job.holder.is_none() || job.fence != agent.fence {
            return Err(TalkError::NotWorking { key: job.key });
        }
        let text = "UPDATE questions SET told_turn = $3, told_at = {now} WHERE job_id = $1 AND id = $2 AND told_at IS NULL \
                    AND (answered_at IS NOT NULL OR cancelled_at IS NOT NULL OR expires_at <= {now})";
        let query = sql(text).bind(agent.job.as_str()).bind(question.as_str()).bind(i64::from(trail.turns));
        tx.run(query).await?;
        tx.commit().await?;
        Ok(())
    }
}
