//! Whether the agent asked a person something, and whether anybody answered. Known from the names of the vendors' own tools for
//! it, never from words: an agent may write questions into its texts as it likes.
//!
//! Owns the questions of one turn.

use overnight_core::agent::{BackendId, TurnOutcome};
use overnight_core::talk::{MOST_OPTIONS, OPTION_CHARS, QUESTION_CHARS};
use overnight_core::text;
use serde_json::Value;

use crate::json::{self, string};

/// The tools with which an agent asks a person, or waits for a person's consent, by the vendor's names. Without a terminal, every one of
/// the CLIs in the versions of `recordings/` refuses these calls instead of waiting; see "Gaps" in `docs/backends.md`.
fn tools(backend: BackendId) -> &'static [&'static str] {
    match backend {
        BackendId::Claude => &["AskUserQuestion", "ExitPlanMode"],
        BackendId::Codex => &["request_user_input"],
        BackendId::Gemini => &["ask_user", "exit_plan_mode"],
        BackendId::Qwen => &["ask_user_question", "exit_plan_mode"],
        BackendId::Opencode => &["question", "plan_exit"],
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => &[],
    }
}

#[derive(Debug)]
struct Question {
    id: Option<String>,
    text: String,
    options: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Asking {
    tools: &'static [&'static str],
    open: Option<Question>,
    /// The last thing that the agent did was to ask, and it was refused an answer.
    unanswered: Option<String>,
    /// The answers that the last question offered.
    options: Vec<String>,
}

impl Asking {
    pub(crate) fn new(backend: BackendId) -> Self {
        Self { tools: tools(backend), open: None, unanswered: None, options: Vec::new() }
    }

    /// The agent calls a tool. What it does after a question shows that it goes on without the answer.
    pub(crate) fn called(&mut self, id: Option<&str>, tool: &str, input: &Value) {
        self.unanswered = None;
        if self.tools.contains(&tool) {
            self.open = Some(Question {
                id: id.map(str::to_owned),
                text: question(tool, input),
                options: options(input),
            });
        }
    }

    /// A call has ended; `ok`: not with an error.
    pub(crate) fn ended(&mut self, id: Option<&str>, ok: bool) {
        if let Some(question) = self.open.take_if(|question| question.id.as_deref() == id) {
            self.unanswered = (!ok).then_some(question.text);
            self.options = question.options;
        }
    }

    /// The question for whose answer the CLI waits.
    pub(crate) fn open(&self) -> Option<&str> {
        self.open.as_ref().map(|question| question.text.as_str())
    }

    /// The question with which the agent left off, and the answers that it offered to it or to the one for whose answer it waits.
    pub(crate) fn left_with(self, outcome: &TurnOutcome) -> (Option<String>, Vec<String>) {
        match (outcome, self.open) {
            (TurnOutcome::NeedsInput { .. }, Some(open)) => (None, open.options),
            (TurnOutcome::Completed, _) if self.unanswered.is_some() => (self.unanswered, self.options),
            (_, _) => (None, Vec::new()),
        }
    }

    /// The question with which the agent left off.
    #[cfg(test)]
    fn unanswered(self) -> Option<String> {
        self.unanswered
    }
}

/// What was asked, in the agent's own words, or at least with what. Data for people.
fn question(tool: &str, input: &Value) -> String {
    let first = json::items(input, "questions").find_map(|one| string(one, "question"));
    let asked = first.or_else(|| string(input, "question")).or_else(|| string(input, "plan"));
    match asked.map(|asked| text::one_line(asked, QUESTION_CHARS)).filter(|asked| !asked.is_empty()) {
        Some(asked) => asked,
        None => format!("it called {tool} and does not say what for"),
    }
}

/// The answers that the first question offers.
fn options(input: &Value) -> Vec<String> {
    let first = json::items(input, "questions").next().unwrap_or(input);
    let label = |option: &Value| {
        let label = string(option, "label").or_else(|| option.as_str())?;
        Some(text::one_line(label, OPTION_CHARS)).filter(|label| !label.is_empty())
    };
    json::items(first, "options").filter_map(label).take(MOST_OPTIONS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn which() -> Value {
        json!({"questions": [{"question": "Which\nof the two?"}]})
    }

    #[test]
    fn a_question_is_open_until_its_call_has_ended() {
        let mut asking = Asking::new(BackendId::Claude);
        asking.called(Some("a"), "Bash", &json!({"question": "no"}));
        assert_eq!(asking.open(), None);
        asking.called(Some("q"), "AskUserQuestion", &which());
        asking.ended(Some("a"), true);
        assert_eq!(asking.open(), Some("Which of the two?"));
        asking.ended(Some("q"), true);
        assert_eq!(asking.open(), None);
        assert_eq!(asking.unanswered(), None);
    }

    #[test]
    fn a_refused_question_counts_when_nothing_is_done_after_it() {
        let refused = |work_follows: bool| {
            let mut asking = Asking::new(BackendId::Gemini);
            asking.called(Some("q"), "ask_user", &which());
            asking.ended(Some("q"), false);
            if work_follows {
                asking.called(Some("a"), "write_file", &json!({}));
                asking.ended(Some("a"), true);
            }
            asking.unanswered()
        };
        assert_eq!(refused(false).as_deref(), Some("Which of the two?"));
        assert_eq!(refused(true), None);
    }

    #[test]
    fn offered_answers_are_kept() {
        let input = json!({"questions": [{"question": "Which?", "options": [{"label": "left"}, {"label": " "}, "right", 7]}]});
        let completed = TurnOutcome::Completed;
        let mut asking = Asking::new(BackendId::Claude);
        asking.called(Some("q"), "AskUserQuestion", &input);
        asking.ended(Some("q"), false);
        assert_eq!(
            asking.left_with(&completed),
            (Some("Which?".to_owned()), vec!["left".to_owned(), "right".to_owned()])
        );
        let mut waits = Asking::new(BackendId::Claude);
        waits.called(Some("q"), "AskUserQuestion", &input);
        let needs = TurnOutcome::NeedsInput { detail: "Which?".to_owned() };
        assert_eq!(waits.left_with(&needs).1.len(), 2);
    }

    #[test]
    fn a_question_without_words_names_its_tool() {
        assert_eq!(question("ask_user", &json!(7)), "it called ask_user and does not say what for");
    }

    #[test]
    fn the_tool_of_another_vendor_is_no_question() {
        let mut asking = Asking::new(BackendId::Qwen);
        asking.called(Some("q"), "AskUserQuestion", &which());
        assert_eq!(asking.open(), None);
    }
}
