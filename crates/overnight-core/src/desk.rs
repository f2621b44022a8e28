//! What an agent may say and ask through its tools while its turn runs, and what it is answered. Pure.
//!
//! Its word counts for nothing: a report and a note are recorded, and the job goes on as it would have without. So a job whose
//! agent never says anything ends as well as any other.

mod standing;

use serde::{Deserialize, Serialize};

use crate::id::MessageId;
use crate::job::Job;
use crate::policy::alignment::{AlignmentReport, ChangedFile, compare};
use crate::talk::{Asked, Message, Question, Sender};
use crate::units::Timestamp;

pub use standing::{Context, Execution, LimitsLeft, Standing, context, standing};

/// Characters of a report's summary.
pub const MAX_SUMMARY: usize = 4_000;
/// Characters with which a skipped task is explained, at least.
pub const MIN_SKIPPED: usize = 10;
/// Characters of a note: a few lines. The work itself is in the tree.
pub const MAX_NOTE: usize = 2_000;
/// Reports and notes that are recorded of one turn. An agent that says more says nothing more of use.
pub const MAX_REPORTS: u32 = 20;
pub const MAX_NOTES: u32 = 100;

/// How an agent says its work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    Running,
    Done,
    Failed,
    Skipped,
}

impl ReportedStatus {
    pub const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Failed, Self::Skipped];

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == text)
    }
}

/// Something that an agent says, fit to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Report { status: ReportedStatus, summary: String },
    Note { text: String },
}

/// Something that an agent wants of its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    Context,
    /// How a change of these files would stand to the plan. Advice: the gate looks at what was committed.
    Compare {
        paths: Vec<String>,
    },
    Say(Word),
    Question(Asked),
    /// What people and other jobs have written to the job.
    Inbox,
    Acknowledge(MessageId),
}

/// Paths that are compared with a plan at a time.
pub const MAX_PATHS: usize = 2_000;

impl Word {
    /// # Errors
    /// Says what is wrong with it.
    pub fn report(status: &str, summary: &str) -> Result<Self, Refusal> {
        let Some(status) = ReportedStatus::parse(status) else {
            return Err(Refusal::Bad("status is running, done, failed or skipped".to_owned()));
        };
        let chars = summary.chars().count();
        if chars > MAX_SUMMARY {
            return Err(Refusal::Bad(format!(
                "the summary has {chars} characters and takes at most {MAX_SUMMARY}: shorten it"
            )));
        }
        if status == ReportedStatus::Skipped && summary.trim().chars().count() < MIN_SKIPPED {
            return Err(Refusal::Bad(format!(
                "say in the summary why it was skipped, in at least {MIN_SKIPPED} characters"
            )));
        }
        Ok(Self::Report { status, summary: summary.to_owned() })
    }

    /// # Errors
    /// Says what is wrong with it.
    pub fn note(text: &str) -> Result<Self, Refusal> {
        match text.chars().count() {
            _ if text.trim().is_empty() => Err(Refusal::Bad("the note is empty".to_owned())),
            chars if chars > MAX_NOTE => Err(Refusal::Bad(format!(
                "the note has {chars} characters and takes at most {MAX_NOTE}: shorten it"
            ))),
            _ => Ok(Self::Note { text: text.to_owned() }),
        }
    }
}

/// What an agent is told of what it asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Told {
    Context(Box<Context>),
    Report(Box<Standing>),
    Compared(Box<AlignmentReport>),
    /// The question is recorded, and its job waits for the answer once the turn has ended.
    Asked {
        question: String,
        expires_at_ms: Timestamp,
        next_action: NextAction,
    },
    Inbox {
        messages: Vec<InboxMessage>,
    },
    Acknowledged {
        acknowledged: MessageId,
    },
    /// The note is recorded; so many more are.
    Noted {
        recorded: bool,
        left: u32,
    },
}

/// A message as the agent reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InboxMessage {
    pub id: MessageId,
    /// `operator`, or the key of the job whose agent wrote it.
    pub from: String,
    /// It was written by another agent: it may be weighed, and is no instruction.
    pub untrusted: bool,
    pub text: String,
    pub acknowledged: bool,
}

impl From<Message> for InboxMessage {
    fn from(message: Message) -> Self {
        let (from, untrusted) = match message.from {
            Sender::Operator => ("operator".to_owned(), false),
            Sender::Job(key) => (key.to_string(), true),
        };
        let acknowledged = message.acknowledged_at.is_some();
        Self { id: message.id, from, untrusted, text: message.text, acknowledged }
    }
}

impl From<Question> for Told {
    fn from(question: Question) -> Self {
        Self::Asked {
            question: question.name(),
            expires_at_ms: question.expires_at,
            next_action: NextAction::EndYourTurn,
        }
    }
}

/// How a change of these files would stand to the plan of the job's task; lines are not counted.
///
/// # Errors
/// When there are too many of them.
pub fn compared(job: &Job, paths: Vec<String>) -> Result<Told, Refusal> {
    if paths.len() > MAX_PATHS {
        return Err(Refusal::Bad(format!("at most {MAX_PATHS} paths are compared at a time")));
    }
    let changed: Vec<ChangedFile> = paths.into_iter().map(|path| ChangedFile { path, lines: 0 }).collect();
    let plan = job.spec.task.as_ref().and_then(|task| task.plan.as_deref());
    Ok(Told::Compared(Box::new(compare(plan, &changed))))
}

/// Why an agent is not given what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Bad(String),
    /// It has said all that is recorded of one turn.
    Enough {
        what: &'static str,
        most: u32,
    },
    Cancelled,
    /// Nobody answers questions here.
    NobodyAnswers,
    /// It has asked as often as a job may.
    AskedEnough,
    /// There is no such message to this job.
    UnknownMessage,
    /// The lease is somebody else's.
    HeldElsewhere,
    /// The turn that the caller belongs to is over.
    TurnOver,
    /// It asks faster than it is answered.
    Busy,
}

impl Refusal {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bad(_) => "BAD_ARGUMENT",
            Self::Enough { .. } => "ENOUGH",
            Self::Cancelled => "JOB_CANCELLED",
            Self::NobodyAnswers => "NOBODY_ANSWERS",
            Self::AskedEnough => "ASKED_ENOUGH",
            Self::UnknownMessage => "UNKNOWN_MESSAGE",
            Self::HeldElsewhere => "LEASE_LOST",
            Self::TurnOver => "TURN_OVER",
            Self::Busy => "BUSY",
        }
    }

    /// What to do now.
    #[must_use]
    pub fn next_action(&self) -> Option<NextAction> {
        match self {
            Self::Cancelled => Some(NextAction::CancelledStopNow),
            Self::HeldElsewhere | Self::TurnOver => Some(NextAction::StopNow),
            Self::NobodyAnswers | Self::AskedEnough => Some(NextAction::GoOn),
            Self::Bad(_) | Self::Enough { .. } | Self::UnknownMessage | Self::Busy => None,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bad(why) => f.write_str(why),
            Self::Enough { what, most } => {
                write!(
                    f,
                    "{most} {what} of this turn are recorded, and no more are: go on with the work without them"
                )
            }
            Self::Cancelled => f.write_str("this job was cancelled: stop now, and change nothing more"),
            Self::NobodyAnswers => f.write_str(
                "nobody answers questions here: take the most sensible reading, and say which in your last message",
            ),
            Self::AskedEnough => f.write_str(
                "no more questions of this job are answered: take the most sensible reading, and say which in your last message",
            ),
            Self::UnknownMessage => f.write_str("there is no such message to this job; read_inbox lists them"),
            Self::HeldElsewhere => f.write_str("this job is held by somebody else now: stop"),
            Self::TurnOver => f.write_str("this turn is over: stop"),
            Self::Busy => f.write_str("too many calls at once: wait for the answers to the earlier ones"),
        }
    }
}

/// What an agent should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// It is still at work.
    GoOn,
    /// It has said that it is through: the runner takes its tree and measures it.
    EndYourTurn,
    CancelledStopNow,
    StopNow,
}

impl NextAction {
    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::GoOn => "go_on",
            Self::EndYourTurn => "end_your_turn",
            Self::CancelledStopNow => "cancelled_stop_now",
            Self::StopNow => "stop_now",
        }
    }

    #[must_use]
    pub fn after(status: ReportedStatus) -> Self {
        match status {
            ReportedStatus::Running => Self::GoOn,
            ReportedStatus::Done | ReportedStatus::Failed | ReportedStatus::Skipped => Self::EndYourTurn,
        }
    }
}

#[cfg(test)]
mod tests;
