//! The tools of an agent in its job: what it may read of it, and what it may say. Its own job and no other.

use std::sync::Arc;

use overnight_core::desk::{Ask, MAX_NOTE, MAX_SUMMARY, Refusal, ReportedStatus, Told, Word};
use serde_json::{Value, json};

use super::Answer;
use super::door::Desk;
use super::tool::{Arguments, Tool, ToolError, Toolbox};

const INSTRUCTIONS: &str = "You work on one job, unattended. get_context says what it is about and what judges it; log leaves a note \
    for the people who look at it; report_status says how it stands. None of them is needed: what counts is what you commit. Nobody \
    takes your word for the result, which is measured on your commits after your turn.";

pub(crate) struct AgentToolbox(pub(crate) Arc<dyn Desk>);

impl Toolbox for AgentToolbox {
    fn instructions(&self) -> &'static str {
        INSTRUCTIONS
    }

    fn tools(&self) -> Vec<Tool> {
        tools()
    }

    fn call<'a>(&'a self, name: &'a str, arguments: Arguments) -> Answer<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let ask = ask(name, &arguments)?;
            self.0.ask(ask).await.map(|told| value(&told)).map_err(|refusal| refused(&refusal))
        })
    }
}

fn tools() -> Vec<Tool> {
    let statuses = ReportedStatus::ALL.map(ReportedStatus::code);
    let summary = json!({
        "type": "string", "maxLength": MAX_SUMMARY,
        "description": "what was done, or why not; needed in at least 10 characters with skipped",
    });
    vec![
        Tool::reading(
            "get_context",
            "What this job is about: the task and its plan, the checks that judge the result, what the last turn came to, and what is \
             left of the limits.",
            &json!({}),
            &[],
        ),
        Tool::reading(
            "report_status",
            "Say how the work stands. It is recorded and shown to people; the result itself is measured on your commits. Do what \
             next_action of the answer says: after done, failed or skipped, end your turn.",
            &json!({"status": {"type": "string", "enum": statuses}, "summary": summary}),
            &["status"],
        )
        .writing(),
        Tool::reading(
            "log",
            "Leave a note of progress for the people who look at this job. A few per turn are plenty.",
            &json!({"text": {"type": "string", "maxLength": MAX_NOTE}}),
            &["text"],
        )
        .writing(),
    ]
}

fn ask(name: &str, arguments: &Arguments) -> Result<Ask, ToolError> {
    let word = match name {
        "get_context" => return Ok(Ask::Context),
        "report_status" => {
            Word::report(arguments.needed("status")?, arguments.text("summary")?.unwrap_or_default())
        }
        "log" => Word::note(arguments.needed("text")?),
        other => return Err(ToolError::bad(format!("there is no tool {:?}", super::rpc::shown(other)))),
    };
    word.map(Ask::Say).map_err(|refusal| refused(&refusal))
}

fn value(told: &Told) -> Value {
    // Plain data is always JSON.
    serde_json::to_value(told).unwrap_or_default()
}

fn refused(refusal: &Refusal) -> ToolError {
    let next = refusal.next_action().map(overnight_core::desk::NextAction::code);
    ToolError { next, ..ToolError::new(refusal.code(), refusal.to_string()) }
}
