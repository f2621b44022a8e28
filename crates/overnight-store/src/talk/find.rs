//! Which question is meant: by its own name or id, or by its job where that has one open.

use overnight_core::id::TaskKey;
use overnight_core::talk::Question;

use super::{QuestionFilter, TalkError};
use crate::find::FindError;
use crate::store::Store;

/// Why there is no one question for what was said.
#[derive(Debug, thiserror::Error)]
pub enum MeantError {
    #[error(transparent)]
    Talk(#[from] TalkError),
    /// It is no question's name, and no job's either.
    #[error(transparent)]
    Job(#[from] FindError),
    #[error("{key} has no open question")]
    NoneOpen { key: TaskKey },
    #[error("{key} has {} open questions", questions.len())]
    SeveralOpen { key: TaskKey, questions: Vec<Question> },
}

impl Store {
    /// The question that is meant by its name (`app-12/q1`), its id, or by a job that has one open.
    ///
    /// # Errors
    /// [`MeantError`].
    pub async fn question_meant(&self, wanted: &str) -> Result<Question, MeantError> {
        match self.question_find(wanted).await {
            Err(TalkError::UnknownQuestion { .. }) if !wanted.contains('/') => {}
            found => return Ok(found?),
        }
        let job = self.job_find(wanted).await?;
        let filter = QuestionFilter { job: Some(job.id), ..QuestionFilter::default() };
        let mut open = self.questions(&filter).await?;
        match (open.pop(), open.is_empty()) {
            (Some(question), true) => Ok(question),
            (Some(first), false) => {
                open.push(first);
                Err(MeantError::SeveralOpen { key: job.key, questions: open })
            }
            (None, _) => Err(MeantError::NoneOpen { key: job.key }),
        }
    }
}
