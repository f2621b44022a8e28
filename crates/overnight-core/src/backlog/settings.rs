//! What a task says about how it is to be done, and what a repository says about all of its tasks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::said::BadField;
use super::words::LINE_MAX;
use crate::agent::{Agent, Effort};
use crate::choose::{Layer, LimitLayer, Say, Thinking};
use crate::text::one_line;
use crate::units::MicroDollars;

/// Settings of a task. They go before what is asked for when it is started, and before every configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskSettings {
    /// By name: which agents there are is known where the task is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroDollars>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
}

impl TaskSettings {
    /// The layer of the task; `agent` is the one that [`TaskSettings::agent`] names.
    #[must_use]
    pub fn layer(&self, agent: Option<Agent>) -> Layer {
        Layer {
            agent,
            model: self.model.clone(),
            thinking: self.effort.map(Thinking::Level),
            limits: LimitLayer {
                attempts: self.attempts,
                cost: self.cost.map(Say::To),
                tokens: self.tokens.map(Say::To),
                turns: self.turns.map(Say::To),
                time_ms: self.time_ms.map(Say::To),
            },
            ..Layer::default()
        }
    }
}

/// Which tasks share a branch and a pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullStrategy {
    #[default]
    Task,
    Story,
    Sprint,
}

impl PullStrategy {
    pub const ALL: [Self; 3] = [Self::Task, Self::Story, Self::Sprint];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Story => "story",
            Self::Sprint => "sprint",
        }
    }
}

/// What holds for all tasks of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositorySettings {
    /// Tasks start from this branch of the remote; `None`: from its default branch.
    pub base: Option<String>,
    pub strategy: PullStrategy,
    /// Pull requests are opened as drafts.
    pub draft: bool,
    /// A failed task takes its epic's other jobs with it.
    pub cascade: bool,
    /// Checks of a task's result; empty: those of the repository.
    pub verify: Vec<String>,
}

/// Checks of a repository's tasks, and characters of one: a check that is longer is a script.
const CHECKS_MAX: usize = 50;
const CHECK_MAX: usize = 4_000;

impl RepositorySettings {
    /// The same with what a program says put in: a JSON Merge Patch (RFC 7396). What is not named stays, and `null` means as usual.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn merged(&self, said: &Map<String, Value>) -> Result<Self, BadField> {
        let wrong = |field: &str, why: String| BadField::Wrong { field: one_line(field, 60), why };
        let mut all = match serde_json::to_value(self) {
            Ok(Value::Object(all)) => all,
            Ok(_) | Err(_) => Map::new(),
        };
        let mut after = self.clone();
        for (field, value) in said {
            if !all.contains_key(field) {
                return Err(wrong(field, "repositories have no such setting".to_owned()));
            }
            all.insert(field.clone(), value.clone());
            // What is usual stands in for what is taken away.
            let said = all.iter().filter(|(_, value)| !value.is_null());
            let said = said.map(|(name, value)| (name.clone(), value.clone())).collect();
            after = serde_json::from_value(Value::Object(said))
                .map_err(|why| wrong(field, one_line(&why.to_string(), 200)))?;
        }
        after.checked()
    }

    /// The same, if it can be used.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn checked(self) -> Result<Self, BadField> {
        let wrong =
            |field: &str, why: &str| Err(BadField::Wrong { field: field.to_owned(), why: why.to_owned() });
        let odd = |text: &String| text.trim().is_empty() || text.contains(char::is_control);
        if self.base.iter().any(|base| odd(base) || base.chars().count() > LINE_MAX) {
            return wrong("base", "it is empty, very long, or holds a control character");
        }
        if self.verify.len() > CHECKS_MAX {
            return wrong("verify", "more than 50 commands are not taken");
        }
        if self.verify.iter().any(|check| odd(check) || check.chars().count() > CHECK_MAX) {
            return wrong(
                "verify",
                "a command is empty, has more than 4,000 characters, or holds a control character",
            );
        }
        Ok(self)
    }
}

impl Default for RepositorySettings {
    fn default() -> Self {
        Self {
            base: None,
            strategy: PullStrategy::default(),
            draft: false,
            cascade: true,
            verify: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value}") };
        map
    }

    #[test]
    fn settings_are_merged_by_name() {
        let before =
            RepositorySettings { base: Some("dev".into()), draft: true, ..RepositorySettings::default() };
        let change = json!({"base": null, "strategy": "story", "verify": ["make"]});
        let after = before.merged(&said(change)).unwrap();
        let wanted = RepositorySettings {
            strategy: PullStrategy::Story,
            draft: true,
            verify: vec!["make".into()],
            ..RepositorySettings::default()
        };
        assert_eq!(after, wanted);
        assert!(!before.merged(&said(json!({"draft": null}))).unwrap().draft);
        assert_eq!(before.merged(&said(serde_json::to_value(&before).unwrap())), Ok(before));
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        for bad in [
            json!({"colour": 1}),
            json!({"draft": "yes"}),
            json!({"strategy": "epic"}),
            json!({"base": ""}),
            json!({"base": "a\u{1b}"}),
            json!({"verify": "make"}),
            json!({"verify": [" "]}),
            json!({"verify": ["x".repeat(4_001)]}),
            json!({"verify": vec!["x"; 51]}),
        ] {
            assert!(RepositorySettings::default().merged(&said(bad.clone())).is_err(), "{bad}");
        }
    }
}
