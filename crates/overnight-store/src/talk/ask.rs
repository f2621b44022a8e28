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
}
