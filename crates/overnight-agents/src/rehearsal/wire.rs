//! What a rehearsal writes on standard output: one JSON object per line, our own events and at last a result.
//!
//! Owns no state. Reader and writer stand side by side so that they cannot drift apart.

use overnight_core::agent::{AgentEvent, TurnOutcome, Usage};
use serde::{Deserialize, Serialize};

/// The `type` of the last line; no event has this name.
const RESULT: &str = "result";

/// How a rehearsed turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnResult {
    pub outcome: TurnOutcome,
    /// What this turn used.
    pub usage: Usage,
    pub final_text: Option<String>,
    /// What it asked a person with its last word, and the answers that it offered.
    #[serde(default)]
    pub asked: Option<String>,
    #[serde(default)]
    pub options: Vec<String>,
}

#[derive(Serialize)]
struct ResultLine<'a> {
    r#type: &'a str,
    outcome: &'a TurnOutcome,
    usage: &'a Usage,
    final_text: &'a Option<String>,
    asked: &'a Option<String>,
    options: &'a [String],
}

/// One understood line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Event(AgentEvent),
    Result(TurnResult),
}

/// The event as a line, with its line ending.
///
/// # Errors
/// Only those of the JSON serializer.
pub fn encode_event(event: &AgentEvent) -> Result<String, serde_json::Error> {
    serde_json::to_string(event).map(|line| line + "\n")
}

/// The result as a line, with its line ending. Nothing is read after it.
///
/// # Errors
/// Only those of the JSON serializer.
pub fn encode_result(result: &TurnResult) -> Result<String, serde_json::Error> {
    let TurnResult { outcome, usage, final_text, asked, options } = result;
    serde_json::to_string(&ResultLine { r#type: RESULT, outcome, usage, final_text, asked, options })
        .map(|line| line + "\n")
}

/// `None` for anything that is not a line of ours.
pub(crate) fn decode(line: &[u8]) -> Option<Line> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    if value.get("type")?.as_str()? == RESULT {
        return serde_json::from_value(value).ok().map(Line::Result);
    }
    serde_json::from_value(value).ok().map(Line::Event)
}
