//! Arguments about what people and agents say to each other.

use clap::Args;

/// `overnight questions`.
#[derive(Debug, Clone, Default, Args)]
pub struct QuestionsArgs {
    /// Also those that were answered, taken back or not answered in time
    #[arg(long)]
    pub all: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `overnight answer`.
#[derive(Debug, Clone, Args)]
pub struct AnswerArgs {
    /// A question (app-12/q1, or its id), or a job that has one open
    #[arg(value_name = "JOB|QUESTION")]
    pub question: String,
    /// The answer; `-`: from standard input
    #[arg(value_name = "TEXT", required_unless_present_any = ["option", "take_back"])]
    pub text: Option<String>,
    /// The offered answer of this number, from 1
    #[arg(long, value_name = "NUMBER", conflicts_with = "text")]
    pub option: Option<usize>,
    /// Take the question back: the job goes on without an answer
    #[arg(long, conflicts_with_all = ["text", "option"])]
    pub take_back: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `overnight tell`.
#[derive(Debug, Clone, Args)]
pub struct TellArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// What its agent is told with its next turn; `-`: from standard input
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `overnight inbox`.
#[derive(Debug, Clone, Args)]
pub struct InboxArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
