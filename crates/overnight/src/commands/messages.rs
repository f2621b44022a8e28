//! `overnight tell` and `overnight inbox`: messages to a job, and what has become of them.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::talk::{MESSAGE_CHARS, Message, Sender};
use overnight_core::text::for_terminal;

use super::questions::{spoken, talk_error};
use crate::app::{App, find_error};
use crate::cli::talk_args::{InboxArgs, TellArgs};
use crate::error::Outcome;
use crate::output::{BOLD, DIM, styled};
use crate::render::words;

/// # Errors
/// When there is no such job, or no turn of its agent can come any more.
pub async fn tell(app: &App, args: &TellArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let text = spoken(&args.text, MESSAGE_CHARS)?;
    let message = store.send_message(&job.id, &text).await.map_err(|error| talk_error(&error))?;
    let key = &job.key;
    app.out.say(&format!(
        "message {} to {key}: its agent is told with its next turn; see what becomes of it: overnight inbox {key}",
        message.number
    ));
    if args.json {
        app.out.json("message", &message)?;
    }
    Ok(ExitCode::Done)
}

/// # Errors
/// When there is no such job.
pub async fn inbox(app: &App, args: &InboxArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let messages = store.messages(&job.id).await.map_err(|error| talk_error(&error))?;
    if args.json {
        app.out.json("messages", &messages)?;
    } else if messages.is_empty() {
        app.out.say(&format!("nobody has told {0} anything; overnight tell {0} \"…\"", job.key));
    } else {
        let ended = job.state.end().is_some();
        app.out.data(&messages.iter().map(|message| page(message, ended)).collect::<String>())?;
    }
    Ok(ExitCode::Done)
}

fn page(message: &Message, ended: bool) -> String {
    let from = match &message.from {
        Sender::Operator => "you".to_owned(),
        Sender::Job(key) => format!("the agent of {key}"),
    };
    let mut text = format!(
        "{}  from {from}, {}  {}\n",
        styled(BOLD, &message.number.to_string()),
        words::moment(message.sent_at),
        styled(DIM, &fate(message, ended))
    );
    for line in for_terminal(&message.text).lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn fate(message: &Message, ended: bool) -> String {
    match (message.acknowledged_at, message.delivered) {
        (Some(at), _) => format!("acknowledged {}", words::moment(at)),
        (None, Some(delivered)) => format!("delivered with turn {}", delivered.turn),
        (None, None) if ended => "not delivered: no turn came after it".to_owned(),
        (None, None) => "waits for the next turn".to_owned(),
    }
}
