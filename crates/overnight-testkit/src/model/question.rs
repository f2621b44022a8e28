//! What a request asks: in which wire format, for which model, with which tools, and whether it is the agent's own.
//!
//! Pure. Chooses the format by the path alone, so that one server serves every CLI at once.

use super::calls::Tool;
use super::record::RecordedRequest;
use super::reply::{Message, Refusal, Rendered};
use super::{anthropic, chat, gemini, openai, responses};
use serde_json::Value;

/// A vendor's model API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Responses.
    Responses,
    /// OpenAI Chat Completions, which many other vendors speak too.
    Chat,
    /// Gemini's `generateContent` and `streamGenerateContent`.
    Gemini,
}

/// One question to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) format: Format,
    /// The model's name, which the answer repeats.
    pub(super) model: String,
    /// Whether the answer is to come as events.
    pub(super) streamed: bool,
    /// Whether a streamed answer is to end with its usage, where a format leaves the choice.
    pub(super) usage_wanted: bool,
    pub(super) offered: Vec<Tool>,
    /// Whether it is none of the agent's own turns, although it may offer tools.
    pub(super) aside: bool,
}

/// Parts of the requests that clients make on the side and that offer tools all the same: the next prompt suggested
/// (Claude Code, Qwen Code), memories gathered after a turn, and a command judged before it runs (both Qwen Code).
const ASIDES: [&str; 3] = ["[SUGGESTION MODE:", "managed memory extraction subagent", "\"shouldBlock\""];

impl Format {
    /// The format in which questions come at this path, which has no query. The beginning is free, since endpoints
    /// of other vendors put something before it.
    fn of_path(path: &str) -> Option<Self> {
        if path.ends_with("/v1/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if gemini::is_question_path(path) {
            Some(Self::Gemini)
        } else {
            None
        }
    }

    /// A refusal in the vendor's words.
    pub(super) fn refusal(self, refusal: &Refusal) -> Rendered {
        match self {
            Self::Anthropic => anthropic::refusal(refusal),
            Self::Responses => responses::refusal(refusal),
            Self::Chat => chat::refusal(refusal),
            Self::Gemini => gemini::refusal(refusal),
        }
    }

    /// The refusal of an account that is empty.
    pub(super) fn no_credit(self) -> Rendered {
        match self {
            Self::Anthropic => anthropic::no_credit(),
            Self::Responses | Self::Chat => openai::no_credit(),
            Self::Gemini => gemini::no_credit(),
        }
    }

    /// How many events make a beginning that shows something and promises more.
    fn beginning(self) -> usize {
        match self {
            Self::Anthropic => 3,
            Self::Responses => 5,
            Self::Chat => 2,
            Self::Gemini => 1,
        }
    }
}

impl Question {
    /// `None` if the request is no question to a model.
    pub(super) fn of(request: &RecordedRequest) -> Option<Self> {
        let path = request.path.split_once('?').map_or(request.path.as_str(), |(path, _)| path);
        let format = Format::of_path(path).filter(|_| request.method == "POST")?;
        let body = &request.body;
        let offered = match format {
            Format::Anthropic => anthropic::offered_tools(body),
            Format::Responses => responses::offered_tools(body),
            Format::Chat => chat::offered_tools(body),
            Format::Gemini => gemini::offered_tools(body),
        };
        let (model, streamed) = match format {
            Format::Gemini => gemini::model_and_streaming(path),
            Format::Anthropic | Format::Responses | Format::Chat => {
                let streamed = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
                (body.get("model").and_then(Value::as_str).unwrap_or("scripted-model"), streamed)
            }
        };
        let usage_wanted = format != Format::Chat || chat::wants_usage(body);
        let aside = offered.is_empty() || is_aside(body);
        Some(Self { format, model: model.to_owned(), streamed, usage_wanted, offered, aside })
    }

    /// One answer as a JSON document. `id` is unique among the answers of all servers that a session meets.
    pub(super) fn whole(&self, message: &Message, id: &str) -> Value {
        match self.format {
            Format::Anthropic => anthropic::whole(message, &self.model, id),
            Format::Responses => responses::whole(message, &self.model, id),
            Format::Chat => chat::whole(message, &self.model, id),
            Format::Gemini => gemini::whole(message, &self.model, id),
        }
    }

    /// One answer as server-sent events, in order.
    pub(super) fn events(&self, message: &Message, id: &str) -> Vec<String> {
        match self.format {
            Format::Anthropic => anthropic::events(message, &self.model, id),
            Format::Responses => responses::events(message, &self.model, id),
            Format::Chat => chat::events(message, &self.model, id, self.usage_wanted),
            Format::Gemini => gemini::events(message, &self.model, id),
        }
    }

    /// The beginning of the stream of an answer: enough for a client to have shown some of it.
    pub(super) fn first_events(&self, message: &Message, id: &str) -> Vec<String> {
        self.events(message, id).into_iter().take(self.format.beginning()).collect()
    }
}

/// Looks at the request as text: each client puts the mark somewhere else.
fn is_aside(body: &Value) -> bool {
    let text = body.to_string();
    ASIDES.iter().any(|mark| text.contains(mark))
}
