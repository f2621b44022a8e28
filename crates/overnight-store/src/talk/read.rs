//! Reading questions and messages, and what of them a job's next turn has to be told.

use overnight_core::id::{JobId, MessageId, QuestionId, TaskKey};
use overnight_core::talk::{Answer, Delivered, Message, Question, QuestionState, Sender, Told};
use overnight_core::units::Timestamp;

use super::TalkError;
use super::write::OPEN;
use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{Row, sql};
use crate::store::{Store, WriteTx};

const QUESTIONS: &str = "SELECT q.id, q.job_id, j.key, q.number, q.turn, q.text, q.options, q.asked_at, q.expires_at, q.awaited, \
    q.answer, q.answered_at, q.cancelled_at, q.told_at, j.ended, {now} AS now FROM questions q JOIN jobs j ON j.id = q.job_id";
const MESSAGES: &str =
    "SELECT id, job_id, number, sender, text, sent_at, told_turn, told_at, acknowledged_at FROM messages";

/// Which questions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuestionFilter {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Also those that nobody can answer any more.
    pub all: bool,
    /// The newest so many; `None`: all of them.
    pub limit: Option<u32>,
    /// Only those that come after this one in the list: when it was asked, and its id.
    pub after: Option<(Timestamp, QuestionId)>,
}

/// What is known of a job's questions and messages when its next turn is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkStanding {
    /// Questions so far.
    pub asked: u32,
    /// Those that can be answered.
    pub open: Vec<Question>,
    /// What the agent does not know yet.
    pub untold: Told,
}

impl TalkStanding {
    /// When the last of the open questions can no longer be answered.
    #[must_use]
    pub fn open_until(&self) -> Option<Timestamp> {
        self.open.iter().map(|question| question.expires_at).max()
    }
}

impl Store {
    /// Questions, newest first.
    ///
    /// # Errors
    /// [`TalkError::Store`].
    pub async fn questions(&self, filter: &QuestionFilter) -> Result<Vec<Question>, TalkError> {
        let mut conditions = vec!["1 = 1".to_owned()];
        if filter.job.is_some() {
            conditions.push("q.job_id = $1".to_owned());
        }
        if filter.after.is_some() {
            let first = if filter.job.is_some() { 2 } else { 1 };
            conditions.push(format!("(q.asked_at, q.id) < (${first}, ${})", first + 1));
        }
        if !filter.all {
            conditions.push(format!("{OPEN} AND NOT j.ended"));
        }
        let limit = filter.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let text = format!(
            "{QUESTIONS} WHERE {} ORDER BY q.asked_at DESC, q.id DESC{limit}",
            conditions.join(" AND ")
        );
        let mut query = sql(text);
        if let Some(job) = &filter.job {
            query = query.bind(job.as_str());
        }
        if let Some((asked, id)) = &filter.after {
            query = query.bind(asked.0).bind(id.as_str());
        }
        let found = self.all("list questions", query).await?;
        Ok(found.iter().map(question).collect::<Result<_, _>>().map_err(StoreError::from)?)
    }

    /// The question with this id.
    ///
    /// # Errors
    /// [`TalkError::UnknownQuestion`], [`TalkError::Store`].
    pub async fn question(&self, id: &QuestionId) -> Result<Question, TalkError> {
        let text = format!("{QUESTIONS} WHERE q.id = $1");
        let found = self.optional("read the question", sql(text).bind(id.as_str())).await?;
        let found = found.ok_or_else(|| TalkError::UnknownQuestion { wanted: id.to_string() })?;
        Ok(question(&found).map_err(StoreError::from)?)
    }

    /// The question with this id, or of this name: `app-12/q1`.
    ///
    /// # Errors
    /// As [`Store::question`].
    pub async fn question_find(&self, wanted: &str) -> Result<Question, TalkError> {
        let unknown = || TalkError::UnknownQuestion { wanted: wanted.to_owned() };
        let typed = wanted.trim().to_ascii_lowercase();
        let Some((key, number)) = typed.rsplit_once("/q") else {
            let id = QuestionId::parse(&typed).map_err(|_| unknown())?;
            return self.question(&id).await;
        };
        let (Ok(key), Ok(number)) = (TaskKey::parse(key), number.parse::<i64>()) else {
            return Err(unknown());
        };
        let text = format!("{QUESTIONS} WHERE j.key = $1 AND q.number = $2");
        let found = self.optional("find the question", sql(text).bind(key.as_str()).bind(number)).await?;
        Ok(question(&found.ok_or_else(unknown)?).map_err(StoreError::from)?)
    }

    /// The messages to a job, oldest first.
    ///
    /// # Errors
    /// [`TalkError::Store`].
    pub async fn messages(&self, job: &JobId) -> Result<Vec<Message>, TalkError> {
        let text = format!("{MESSAGES} WHERE job_id = $1 ORDER BY number");
        let found = self.all("list messages", sql(text).bind(job.as_str())).await?;
        Ok(found.iter().map(message).collect::<Result<_, _>>().map_err(StoreError::from)?)
    }

    /// What a job's next turn depends on.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn talk_standing(&self, job: &JobId) -> Result<TalkStanding, StoreError> {
        let text = format!("{QUESTIONS} WHERE q.job_id = $1 ORDER BY q.number");
        let found = self.all("read the job's questions", sql(text).bind(job.as_str())).await?;
        let (mut open, mut settled) = (Vec::new(), Vec::new());
        for row in &found {
            let now = Timestamp(row::number(row, job.as_str(), "now")?);
            let told =
                row.optional_number("told_at").map_err(|e| CorruptRow::new(job.as_str(), "told_at", e))?;
            let question = question(row)?;
            match question.state(now) {
                QuestionState::Open => open.push(question),
                QuestionState::Answered | QuestionState::Cancelled | QuestionState::Expired => {
                    settled.extend(told.is_none().then_some(question));
                }
            }
        }
        let text = format!(
            "{MESSAGES} WHERE job_id = $1 AND told_at IS NULL AND acknowledged_at IS NULL ORDER BY number"
        );
        let messages = self.all("read the job's messages", sql(text).bind(job.as_str())).await?;
        let messages = messages.iter().map(message).collect::<Result<_, _>>()?;
        let asked = u32::try_from(found.len()).unwrap_or(u32::MAX);
        Ok(TalkStanding { asked, open, untold: Told { questions: settled, messages } })
    }
}

pub(super) async fn question_in(tx: &mut WriteTx, id: &QuestionId) -> Result<Question, TalkError> {
    let text = format!("{QUESTIONS} WHERE q.id = $1");
    let found = tx.optional(sql(text).bind(id.as_str())).await?;
    let found = found.ok_or_else(|| TalkError::UnknownQuestion { wanted: id.to_string() })?;
    Ok(question(&found).map_err(StoreError::from)?)
}

pub(super) async fn message_in(tx: &mut WriteTx, job: &JobId, id: &MessageId) -> Result<Message, TalkError> {
    let text = format!("{MESSAGES} WHERE id = $1 AND job_id = $2");
    let found = tx.optional(sql(text).bind(id.as_str()).bind(job.as_str())).await?;
    let found = found.ok_or_else(|| TalkError::UnknownMessage { wanted: id.to_string() })?;
    Ok(message(&found).map_err(StoreError::from)?)
}

fn job_of(found: &Row) -> Result<(String, JobId), CorruptRow> {
    let raw = row::text(found, "?", "job_id")?;
    let id = JobId::parse(&raw).map_err(|error| CorruptRow::new(&raw, "job_id", error))?;
    Ok((raw, id))
}

fn time(found: &Row, raw: &str, column: &'static str) -> Result<Option<Timestamp>, CorruptRow> {
    let read = found.optional_number(column).map_err(|error| CorruptRow::new(raw, column, error))?;
    Ok(read.map(Timestamp))
}

fn small(found: &Row, raw: &str, column: &'static str) -> Result<u32, CorruptRow> {
    u32::try_from(row::number(found, raw, column)?).map_err(|error| CorruptRow::new(raw, column, error))
}

fn question(found: &Row) -> Result<Question, CorruptRow> {
    let (raw, job) = job_of(found)?;
    let id = QuestionId::parse(&row::text(found, &raw, "id")?);
    let answer = row::optional_text(found, &raw, "answer")?;
    let answered = time(found, &raw, "answered_at")?;
    Ok(Question {
        id: id.map_err(|error| CorruptRow::new(&raw, "question", error))?,
        key: row::key(found, &raw)?,
        number: small(found, &raw, "number")?,
        turn: small(found, &raw, "turn")?,
        text: row::text(found, &raw, "text")?,
        options: row::json(&raw, "options", &row::text(found, &raw, "options")?)?,
        asked_at: Timestamp(row::number(found, &raw, "asked_at")?),
        expires_at: Timestamp(row::number(found, &raw, "expires_at")?),
        awaited: row::flag(found, &raw, "awaited")?,
        answer: answer.zip(answered).map(|(text, at)| Answer { text, at }),
        cancelled_at: time(found, &raw, "cancelled_at")?,
        job_ended: row::flag(found, &raw, "ended")?,
        job,
    })
}

fn message(found: &Row) -> Result<Message, CorruptRow> {
    let (raw, job) = job_of(found)?;
    let id = MessageId::parse(&row::text(found, &raw, "id")?);
    let from = match row::text(found, &raw, "sender")?.as_str() {
        "" => Sender::Operator,
        key => Sender::Job(TaskKey::parse(key).map_err(|error| CorruptRow::new(&raw, "sender", error))?),
    };
    let told = time(found, &raw, "told_at")?;
    let delivered = match told {
        Some(at) => Some(Delivered { turn: small(found, &raw, "told_turn")?, at }),
        None => None,
    };
    Ok(Message {
        id: id.map_err(|error| CorruptRow::new(&raw, "message", error))?,
        job,
        number: small(found, &raw, "number")?,
        from,
        text: row::text(found, &raw, "text")?,
        sent_at: Timestamp(row::number(found, &raw, "sent_at")?),
        delivered,
        acknowledged_at: time(found, &raw, "acknowledged_at")?,
    })
}
