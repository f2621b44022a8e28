//! A question as people and programs are shown it, on every surface alike.

use serde::Serialize;

use super::{Question, QuestionState};
use crate::units::Timestamp;

/// A question with what follows from its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuestionView {
    pub name: String,
    pub state: QuestionState,
    /// The command that answers it, while it can be answered.
    pub answer_with: Option<String>,
    #[serde(flatten)]
    pub question: Question,
}

impl QuestionView {
    #[must_use]
    pub fn of(question: Question, now: Timestamp) -> Self {
        let state = question.state(now);
        let answer_with = (state == QuestionState::Open).then(|| question.how_to_answer());
        Self { name: question.name(), state, answer_with, question }
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == QuestionState::Open
    }
}

impl Question {
    /// The exact command, but for the words.
    #[must_use]
    pub fn how_to_answer(&self) -> String {
        let name = self.name();
        match self.options.as_slice() {
            [] => format!("overnight answer {name} \"…\""),
            options => format!("overnight answer {name} --option 1…{} (or \"…\")", options.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::question;
    use super::*;

    #[test]
    fn only_an_open_question_says_how_to_answer_it() {
        let open = QuestionView::of(question(), Timestamp(1_500));
        assert_eq!(open.answer_with.as_deref(), Some("overnight answer app-1/q1 --option 1…1 (or \"…\")"));
        let shown = serde_json::to_value(&open).unwrap();
        assert_eq!(
            (&shown["name"], &shown["state"], &shown["key"]),
            (&"app-1/q1".into(), &"open".into(), &"app-1".into())
        );
        let late = QuestionView::of(Question { options: Vec::new(), ..question() }, Timestamp(2_000));
        assert_eq!((late.is_open(), late.answer_with), (false, None));
    }
}
