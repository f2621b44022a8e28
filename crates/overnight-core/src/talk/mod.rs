//! What people, agents and other jobs say to each other about a job: questions with their answers, and messages.
//!
//! Types, limits and the cleaning of text; what a question means for a job's way is `job/talking.rs`, how all of it is said to
//! an agent is `told`.

mod told;
mod view;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{JobId, MessageId, QuestionId, TaskKey};
use crate::text;
use crate::units::Timestamp;

pub use told::{Told, note_of};
pub use view::QuestionView;

/// Longest question and answer, in characters: a page, which a person reads before the coffee is cold.
pub const QUESTION_CHARS: usize = 4_000;
/// Most answers that a question may offer: what fits a list that one chooses from.
pub const MOST_OPTIONS: usize = 8;
/// Longest offered answer, in characters: one line.
pub const OPTION_CHARS: usize = 200;
/// Longest message, in characters.
pub const MESSAGE_CHARS: usize = 8_000;
/// Most messages of one job: two jobs that talk to each other come to an end.
pub const MOST_MESSAGES: u32 = 100;
/// Characters of messages that one turn is told; what is beyond waits for the next. Far below what any model reads at once.
pub const TOLD_CHARS: usize = 40_000;

/// Why a text cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWords {
    #[error("the {what} is empty")]
    Empty { what: &'static str },
    #[error("the {what} has {chars} characters; at most {most} are allowed")]
    TooLong { what: &'static str, chars: usize, most: usize },
    #[error("a question offers at most {MOST_OPTIONS} answers, not {count}")]
    TooManyOptions { count: usize },
}

/// Text from outside that may be stored and shown: trimmed, and control, bidirectional and invisible characters are visible escapes.
///
/// # Errors
/// [`InvalidWords`] for one that is empty or too long.
pub fn words(what: &'static str, text: &str, most: usize) -> Result<String, InvalidWords> {
    // Before it is cleaned: a megabyte is not looked at character by character twice.
    let chars = text.trim().chars().count();
    if chars > most {
        return Err(InvalidWords::TooLong { what, chars, most });
    }
    let clean = text::for_terminal(text.trim()).trim().to_owned();
    match clean.chars().count() {
        0 => Err(InvalidWords::Empty { what }),
        chars if chars > most => Err(InvalidWords::TooLong { what, chars, most }),
        _ => Ok(clean),
    }
}

/// What is asked, clean and within its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    text: String,
    options: Vec<String>,
}

impl Asked {
    /// # Errors
    /// [`InvalidWords`].
    pub fn parse(text: &str, options: &[String]) -> Result<Self, InvalidWords> {
        if options.len() > MOST_OPTIONS {
            return Err(InvalidWords::TooManyOptions { count: options.len() });
        }
        let option = |option: &String| words("offered answer", option, OPTION_CHARS);
        let options = options.iter().map(option).collect::<Result<_, _>>()?;
        Ok(Self { text: words("question", text, QUESTION_CHARS)?, options })
    }

    /// What a vendor's CLI says that its agent asked: cut to what fits instead of refused.
    #[must_use]
    pub fn cut(text: &str, options: &[String]) -> Self {
        let fit = |text: &str, most: usize| text::cut_chars(&text::for_terminal(text.trim()), most);
        let asked = fit(text, QUESTION_CHARS);
        let asked = if asked.is_empty() { "it does not say what".to_owned() } else { asked };
        let options =
            options.iter().map(|option| fit(option, OPTION_CHARS)).filter(|option| !option.is_empty());
        Self { text: asked, options: options.take(MOST_OPTIONS).collect() }
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn options(&self) -> &[String] {
        &self.options
    }
}

/// A question of a job's agent, as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    pub id: QuestionId,
    pub job: JobId,
    pub key: TaskKey,
    /// Which of its job's questions, from 1: `app-12/q1` names it.
    pub number: u32,
    /// The turn in which it was asked.
    pub turn: u32,
    pub text: String,
    pub options: Vec<String>,
    #[serde(rename = "asked_at_ms")]
    pub asked_at: Timestamp,
    #[serde(rename = "expires_at_ms")]
    pub expires_at: Timestamp,
    /// The job has waited for its answer.
    pub awaited: bool,
    pub answer: Option<Answer>,
    #[serde(rename = "cancelled_at_ms")]
    pub cancelled_at: Option<Timestamp>,
    /// The job has ended: nobody can answer any more.
    pub job_ended: bool,
}

/// What somebody said to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub text: String,
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}

/// What has become of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionState {
    Open,
    Answered,
    /// Taken back, or its job went on or ended without an answer.
    Cancelled,
    Expired,
}

impl QuestionState {
    /// The public word, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl Question {
    /// How people name it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/q{}", self.key, self.number)
    }

    #[must_use]
    pub fn state(&self, now: Timestamp) -> QuestionState {
        match (&self.answer, self.cancelled_at) {
            (Some(_), _) => QuestionState::Answered,
            (None, Some(_)) => QuestionState::Cancelled,
            (None, None) if self.expires_at <= now => QuestionState::Expired,
            (None, None) if self.job_ended => QuestionState::Cancelled,
            (None, None) => QuestionState::Open,
        }
    }
}

/// Who sent a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "key")]
pub enum Sender {
    /// The person whose job it is, or who speaks for them.
    Operator,
    /// The agent of another job: its words are not to be trusted.
    Job(TaskKey),
}

/// A message to a job, as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub id: MessageId,
    pub job: JobId,
    /// Which of its job's messages, from 1.
    pub number: u32,
    pub from: Sender,
    pub text: String,
    #[serde(rename = "sent_at_ms")]
    pub sent_at: Timestamp,
    /// The turn that was told of it, and whose agent came to an end of its own.
    pub delivered: Option<Delivered>,
    /// When the agent said that it has read it.
    #[serde(rename = "acknowledged_at_ms")]
    pub acknowledged_at: Option<Timestamp>,
}

/// When an agent was told of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Delivered {
    pub turn: u32,
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}

/// What follows when an agent leaves off with a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnQuestion {
    /// The job waits for a person.
    #[default]
    Park,
    /// The backup takes over, or the job ends.
    End,
}

/// What follows when nobody answers in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnExpiry {
    /// The agent is told so, and goes on with the most sensible reading.
    #[default]
    GoOn,
    End,
}

/// A worker's settings for questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuestionPolicy {
    pub on_question: OnQuestion,
    pub on_expiry: OnExpiry,
    /// How long a question can be answered.
    pub expire: Duration,
    /// Questions of one job; who asks more is told to go on without.
    pub most: u32,
}

impl Default for QuestionPolicy {
    fn default() -> Self {
        Self {
            on_question: OnQuestion::default(),
            on_expiry: OnExpiry::default(),
            expire: Duration::from_secs(24 * 60 * 60),
            most: 5,
        }
    }
}

/// What is known of a job's talk when one of its turns has been brought home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    pub policy: QuestionPolicy,
    /// For a question that has none yet.
    pub fresh: QuestionId,
    /// Questions so far.
    pub asked: u32,
    /// When the last of those that are open can no longer be answered.
    pub open_until: Option<Timestamp>,
    /// Some were settled while the turn ran, which was not told of them.
    pub settled: bool,
}

/// What the announced turn is told, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<QuestionId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageId>,
}

impl Given {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty() && self.messages.is_empty()
    }
}

/// A change of the questions and messages of a job, written in the transaction of its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TalkChange {
    Asked {
        id: QuestionId,
        turn: u32,
        asked: Asked,
        expires_at: Timestamp,
    },
    /// The job waits for the answers of all questions that are open. When none is any more, it goes on at once.
    Awaited,
    /// The job goes on without answers to these.
    GoneOn {
        questions: Vec<QuestionId>,
    },
    /// A turn that was told of these has come to an end of its own.
    Told {
        turn: u32,
        given: Given,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cleaned_and_bounded() {
        assert_eq!(words("answer", " a\u{1b}[2J\u{202e}b\n", 100).unwrap(), "a\\x1b[2J\\u{202e}b");
        assert_eq!(words("answer", " \n\u{1b}[0m", 9), Err(InvalidWords::Empty { what: "answer" }));
        let long = words("answer", &"x".repeat(1 << 20), QUESTION_CHARS);
        assert!(matches!(long, Err(InvalidWords::TooLong { chars: 1_048_576, .. })), "{long:?}");
        // An escape is longer than what it stands for.
        assert!(words("answer", &"\u{202e}".repeat(QUESTION_CHARS), QUESTION_CHARS).is_err());
    }

    #[test]
    fn a_question_is_refused_from_our_own_tool_and_cut_from_a_vendors() {
        let many = vec!["x".to_owned(); MOST_OPTIONS + 1];
        assert!(Asked::parse("which?", &many).is_err() && Asked::parse("", &[]).is_err());
        let cut = Asked::cut(&"\u{202e}".repeat(1 << 20), &many);
        assert_eq!((cut.text().chars().count(), cut.options().len()), (QUESTION_CHARS, MOST_OPTIONS));
        assert_eq!(Asked::cut(" ", &[String::new()]), Asked::cut("it does not say what", &[]));
    }

    pub(super) fn question() -> Question {
        Question {
            id: QuestionId::parse("q-1").unwrap(),
            job: JobId::parse("j-1").unwrap(),
            key: TaskKey::parse("app-1").unwrap(),
            number: 1,
            turn: 1,
            text: "Which one?".to_owned(),
            options: vec!["left".to_owned()],
            asked_at: Timestamp(1_000),
            expires_at: Timestamp(2_000),
            awaited: true,
            answer: None,
            cancelled_at: None,
            job_ended: false,
        }
    }

    #[test]
    fn a_questions_state_follows_from_its_facts() {
        let open = question();
        assert_eq!(open.state(Timestamp(1_999)), QuestionState::Open);
        assert_eq!(open.state(Timestamp(2_000)), QuestionState::Expired);
        let answer = Some(Answer { text: "left".to_owned(), at: Timestamp(1_500) });
        let answered = Question { answer, job_ended: true, ..open.clone() };
        assert_eq!(answered.state(Timestamp(9_000)), QuestionState::Answered);
        let ended = Question { job_ended: true, ..open.clone() };
        assert_eq!(ended.state(Timestamp(1_500)), QuestionState::Cancelled);
        let cancelled = Question { cancelled_at: Some(Timestamp(1_500)), ..open };
        assert_eq!(
            (cancelled.state(Timestamp(9_000)), cancelled.name()),
            (QuestionState::Cancelled, "app-1/q1".into())
        );
    }
}
