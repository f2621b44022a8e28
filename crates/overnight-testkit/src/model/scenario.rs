//! What the scripted model does, step by step, in words that belong to no vendor's API.
//!
//! Plain data: readable from JSON, or built in Rust. Owns no progress (that is a session's) and must not know
//! any wire format.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The steps of one model session. Each main request takes the next step; the last step answers all further ones.
///
/// As JSON: `{"steps":[{"action":{"shell":{"command":"date"}}},{"action":{"say":{"text":"done"}}}]}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// In order. An empty scenario finishes each turn at once.
    pub steps: Vec<Step>,
}

/// One answer of the model, and what it is billed for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the model does.
    pub action: Action,
    /// The tokens this answer reports.
    #[serde(default)]
    pub usage: Usage,
}

/// The token counts one answer reports. An answer that fails reports none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Tokens read and not served from a cache.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens served from the prompt cache.
    pub cache_read_tokens: u64,
    /// Tokens written to the prompt cache.
    pub cache_write_tokens: u64,
}

impl Default for Usage {
    /// Small numbers that differ, so that a test notices when two of them are swapped.
    fn default() -> Self {
        Self { input_tokens: 100, output_tokens: 20, cache_read_tokens: 0, cache_write_tokens: 0 }
    }
}

/// What the model does in one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Writes text and ends the turn.
    Say {
        /// The text, sent in several pieces when streamed.
        text: String,
    },
    /// Calls whatever the client's tool for shell commands is.
    Shell {
        /// The command line.
        command: String,
    },
    /// Calls whatever the client's tool for writing a whole file is.
    Write {
        /// As the client wants it; an absolute path suits every client.
        path: String,
        /// The whole content.
        content: String,
    },
    /// Calls whatever the client's tool for replacing text in a file is. Some clients refuse it for a file
    /// that the session neither read nor wrote before; one that patches (Codex) wants whole lines.
    Edit {
        /// As the client wants it; an absolute path suits every client.
        path: String,
        /// The text to replace.
        old: String,
        /// Its replacement.
        new: String,
    },
    /// Calls a tool by its exact name, offered or not.
    Tool {
        /// The tool's name.
        name: String,
        /// Its arguments.
        input: Value,
    },
    /// Runs the command line in a conversation that holds no result of a tool yet, and ends the turn with the text in any other: the
    /// whole of a small job, for any number of conversations at once.
    Work {
        /// The command line.
        command: String,
        /// The text at the end.
        text: String,
    },
    /// Refuses the request with an HTTP status and the vendor's error body for that status.
    Http {
        /// 400 to 599.
        status: u16,
        /// Seconds, sent as `retry-after` and in whatever else the vendor says it with.
        #[serde(default)]
        retry_after: Option<u64>,
        /// When the quota is renewed, in seconds since the Unix epoch, sent in the vendor's own way. Gemini has none: it
        /// says that the quota is one of the day.
        #[serde(default)]
        reset_at: Option<u64>,
        /// The message in the error body.
        #[serde(default)]
        message: Option<String>,
    },
    /// Refuses the request because nothing is left to pay with, with the vendor's own status and words for that.
    NoCredit,
    /// Accepts the request and never answers.
    Hang,
    /// Starts an answer and never goes on.
    HangMid,
    /// Starts an answer and cuts the connection.
    Drop,
    /// Writes that much text, which does not repeat itself, and ends the turn.
    Big {
        /// The exact length of the text.
        bytes: usize,
    },
    /// Calls the shell tool with an ever new harmless command. Never moves on to a next step.
    Loop,
}

impl Scenario {
    /// A scenario without steps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an action with the default usage.
    #[must_use]
    pub fn then(mut self, action: Action) -> Self {
        self.steps.push(Step { action, usage: Usage::default() });
        self
    }

    /// Sets what the step added last reports as usage.
    #[must_use]
    pub fn costing(mut self, usage: Usage) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.usage = usage;
        }
        self
    }

    /// Adds [`Action::Say`].
    #[must_use]
    pub fn say(self, text: &str) -> Self {
        self.then(Action::Say { text: text.to_owned() })
    }

    /// Adds [`Action::Shell`].
    #[must_use]
    pub fn shell(self, command: &str) -> Self {
        self.then(Action::Shell { command: command.to_owned() })
    }

    /// Adds [`Action::Write`].
    #[must_use]
    pub fn write(self, path: &str, content: &str) -> Self {
        self.then(Action::Write { path: path.to_owned(), content: content.to_owned() })
    }

    /// Adds [`Action::Edit`].
    #[must_use]
    pub fn edit(self, path: &str, old: &str, new: &str) -> Self {
        self.then(Action::Edit { path: path.to_owned(), old: old.to_owned(), new: new.to_owned() })
    }

    /// Adds [`Action::Tool`].
    #[must_use]
    pub fn tool(self, name: &str, input: Value) -> Self {
        self.then(Action::Tool { name: name.to_owned(), input })
    }

    /// Adds [`Action::Http`] with only a status.
    #[must_use]
    pub fn http(self, status: u16) -> Self {
        self.then(Action::Http { status, retry_after: None, reset_at: None, message: None })
    }

    /// Adds a 429 that asks to wait that many seconds.
    #[must_use]
    pub fn rate_limited(self, retry_after: u64) -> Self {
        let retry_after = Some(retry_after);
        self.then(Action::Http { status: 429, retry_after, reset_at: None, message: None })
    }

    /// The step that answers main request number `number` (from 0) of a session.
    pub(super) fn step(&self, number: usize) -> Option<&Step> {
        let last = self.steps.len().checked_sub(1)?;
        let endless = self.steps.iter().position(|step| step.action == Action::Loop).unwrap_or(last);
        self.steps.get(number.min(last).min(endless))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_is_sticky_and_nothing_follows_a_loop() {
        let scenario = Scenario::new().say("one").then(Action::Loop).say("never");
        assert_eq!(scenario.step(0).map(|step| &step.action), Some(&Action::Say { text: "one".into() }));
        assert_eq!(scenario.step(7).map(|step| &step.action), Some(&Action::Loop));
        assert_eq!(Scenario::new().step(0), None);
    }

    #[test]
    fn a_scenario_is_readable_json_with_defaults() {
        let text = r#"{"steps":[{"action":{"shell":{"command":"date"}}},
            {"action":"hang","usage":{"input_tokens":7}},{"action":{"http":{"status":429,"retry_after":5}}}]}"#;
        let scenario: Scenario = serde_json::from_str(text).unwrap();
        let expected = Scenario::new()
            .shell("date")
            .then(Action::Hang)
            .costing(Usage { input_tokens: 7, ..Usage::default() })
            .rate_limited(5);
        assert_eq!(scenario, expected);
        let again: Scenario = serde_json::from_value(serde_json::to_value(&scenario).unwrap()).unwrap();
        assert_eq!(again, expected);
    }
}
