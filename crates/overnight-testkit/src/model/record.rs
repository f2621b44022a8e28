//! What the scripted model was asked.
//!
//! Plain data for assertions.

use serde_json::Value;
use std::collections::BTreeMap;

/// Which kind of request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Offers tools: the agent's own, and it took a step.
    Main,
    /// Asks the model something without offering tools, such as a title. Takes no step.
    Side,
    /// Not a question to the model, or not one that this server understands.
    Other,
}

/// One request, as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRequest {
    /// The scenario's name and the session's key from `/s/<scenario>/<key>/…`; both empty without that prefix.
    pub session: (String, String),
    /// What it was taken for.
    pub kind: RequestKind,
    /// Upper case.
    pub method: String,
    /// Without the session prefix, with the query.
    pub path: String,
    /// Names in lower case; of a repeated header, the last value.
    pub headers: BTreeMap<String, String>,
    /// The JSON body, or null if it is not JSON.
    pub body: Value,
}
