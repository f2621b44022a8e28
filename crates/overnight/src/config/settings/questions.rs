//! What follows when an agent asks something.

use overnight_core::talk::{OnExpiry, OnQuestion};

use super::{Setting, Wrong, assign};
use crate::cli::values;

/// In the order of the documentation.
pub(super) const QUESTIONS: &[Setting] = &[
    Setting {
        key: "questions.policy",
        kind: "park or end",
        default: "park",
        about: "what follows when an agent asks something: its job waits for a person, or its backup takes over or it ends",
        set: |config, input| assign(&mut config.questions.on_question, policy(input.text()?)?),
        get: |config| Some(policy_word(config.questions.on_question).to_owned()),
    },
    Setting {
        key: "questions.expire",
        kind: "time",
        default: "1d",
        about: "how long a question can be answered",
        set: |config, input| assign(&mut config.questions.expire, values::span(input.text()?)?),
        get: |config| Some(values::show_span(config.questions.expire)),
    },
    Setting {
        key: "questions.on_expiry",
        kind: "go_on or end",
        default: "go_on",
        about: "what follows when nobody answers in time: the agent goes on with the most sensible reading, or its backup takes over or it ends",
        set: |config, input| assign(&mut config.questions.on_expiry, expiry(input.text()?)?),
        get: |config| Some(expiry_word(config.questions.on_expiry).to_owned()),
    },
    Setting {
        key: "questions.most",
        kind: "number",
        default: "5",
        about: "questions of one job; an agent that asks more is told to decide by itself",
        set: |config, input| {
            let number = input.text()?.parse().map_err(|_| "expected a whole number".to_owned())?;
            assign(&mut config.questions.most, number)
        },
        get: |config| Some(config.questions.most.to_string()),
    },
];

fn policy(text: &str) -> Result<OnQuestion, Wrong> {
    match text {
        "park" => Ok(OnQuestion::Park),
        "end" => Ok(OnQuestion::End),
        _ => Err("expected park or end".to_owned()),
    }
}

fn policy_word(policy: OnQuestion) -> &'static str {
    match policy {
        OnQuestion::Park => "park",
        OnQuestion::End => "end",
    }
}

fn expiry(text: &str) -> Result<OnExpiry, Wrong> {
    match text {
        "go_on" => Ok(OnExpiry::GoOn),
        "end" => Ok(OnExpiry::End),
        _ => Err("expected go_on or end".to_owned()),
    }
}

fn expiry_word(policy: OnExpiry) -> &'static str {
    match policy {
        OnExpiry::GoOn => "go_on",
        OnExpiry::End => "end",
    }
}
