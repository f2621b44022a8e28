//! Agents that are described instead of programmed: what a configuration says of a program, as a value that is frozen into a
//! job, so that whoever works on it needs no configuration of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AgentSettings, BackendId};

mod template;

pub use template::{Argv, ArgvError, FieldPath, FieldPathError, Hole, Values};

/// An agent's program and how it is talked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    pub name: AdapterName,
    /// How the program is started.
    pub argv: Argv,
    /// Variables that reach it where a key pays.
    #[serde(default)]
    pub env: Vec<String>,
    /// Variables that always reach it.
    #[serde(default)]
    pub login_env: Vec<String>,
    pub protocol: Protocol,
}

impl Adapter {
    /// The driver that it needs.
    #[must_use]
    pub fn backend(&self) -> BackendId {
        match self.protocol {
            Protocol::Acp => BackendId::Acp,
            Protocol::Cli(_) => BackendId::Adapter,
        }
    }
}

impl AgentSettings {
    /// The agent's name for people: the adapter's, where there is one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.adapter.as_ref().map_or(self.backend.as_str(), |adapter| adapter.name.as_str())
    }
}

/// How a described agent is talked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The Agent Client Protocol, on standard input and output.
    Acp,
    /// A prompt in, output out.
    Cli(Box<CliProtocol>),
}

/// A program that is given a prompt, writes something and ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CliProtocol {
    /// How a session is gone on with; `None`: it cannot be.
    pub resume: Option<Argv>,
    pub prompt: PromptWay,
    pub output: OutputFormat,
    pub fields: Fields,
    /// What exit statuses mean that do not mean the usual: 0 for the end, everything else for a crash.
    pub exits: Vec<(i32, ExitMeaning)>,
}

impl CliProtocol {
    #[must_use]
    pub fn meaning(&self, status: i32) -> ExitMeaning {
        let said = self.exits.iter().find(|(code, _)| *code == status).map(|(_, meaning)| *meaning);
        said.unwrap_or(if status == 0 { ExitMeaning::Completed } else { ExitMeaning::Crashed })
    }
}

/// How the prompt reaches the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptWay {
    #[default]
    Stdin,
    /// By `{prompt_file}` among its arguments.
    File,
    /// By `{prompt}` among its arguments.
    Argument,
}

impl PromptWay {
    pub const ALL: [(&'static str, Self); 3] =
        [("stdin", Self::Stdin), ("file", Self::File), ("argument", Self::Argument)];
}

/// What the program writes on standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Words for people, in which nothing is looked for.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// A JSON object in each line.
    Jsonl,
}

impl OutputFormat {
    pub const ALL: [(&'static str, Self); 3] =
        [("text", Self::Text), ("json", Self::Json), ("jsonl", Self::Jsonl)];
}

/// Where in the output things stand. The first path that leads to something counts; an empty list: it is not told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fields {
    pub session: Vec<FieldPath>,
    pub model: Vec<FieldPath>,
    /// The agent's answer. Where it is named, a turn without one has not come to its end.
    pub result: Vec<FieldPath>,
    pub error: Vec<FieldPath>,
    pub input_tokens: Vec<FieldPath>,
    pub output_tokens: Vec<FieldPath>,
    pub cache_read_tokens: Vec<FieldPath>,
    pub cache_write_tokens: Vec<FieldPath>,
    pub turns: Vec<FieldPath>,
    /// In US dollars.
    pub cost: Vec<FieldPath>,
    pub counted: Counted,
}

/// What the figures of tokens, turns and cost are sums of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Of what came since the figures before.
    Line,
    /// Of the turn so far.
    #[default]
    Turn,
    /// Of the session so far.
    Session,
}

impl Counted {
    pub const ALL: [(&'static str, Self); 3] =
        [("line", Self::Line), ("turn", Self::Turn), ("session", Self::Session)];
}

/// What an exit status says of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitMeaning {
    Completed,
    MaxTurns,
    RateLimited,
    Overloaded,
    LoginExpired,
    Refused,
    NeedsInput,
    SessionLost,
    Crashed,
}

impl ExitMeaning {
    pub const ALL: [(&'static str, Self); 9] = [
        ("completed", Self::Completed),
        ("max_turns", Self::MaxTurns),
        ("rate_limited", Self::RateLimited),
        ("overloaded", Self::Overloaded),
        ("login_expired", Self::LoginExpired),
        ("refused", Self::Refused),
        ("needs_input", Self::NeedsInput),
        ("session_lost", Self::SessionLost),
        ("crashed", Self::Crashed),
    ];
}

/// A name that a person gave to an adapter: 1 to 40 lower-case letters, digits, `-` and `_`, not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AdapterName(String);

/// Why a text is no name of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdapterNameError {
    #[error("expected 1 to 40 lower-case letters, digits, '-' and '_', the first a letter")]
    Shape,
    #[error("this is the name of an agent that is built in")]
    BuiltIn,
    #[error("none stands for no agent at all")]
    Nobody,
}

impl AdapterName {
    /// # Errors
    /// [`AdapterNameError`] when it cannot be told from something else.
    pub fn parse(text: &str) -> Result<Self, AdapterNameError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if text.len() > 40 || !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(fits) {
            return Err(AdapterNameError::Shape);
        }
        if BackendId::ALL.iter().any(|backend| backend.as_str() == text) {
            return Err(AdapterNameError::BuiltIn);
        }
        if text == "none" {
            return Err(AdapterNameError::Nobody);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of an agent that was given on a command line, whose program is called `program`.
    #[must_use]
    pub fn of_program(program: &str) -> Self {
        let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let file = program.rsplit('/').next().unwrap_or_default();
        let word: String = file.chars().filter(fits).take(32).collect();
        Self(format!("acp-{}", word.to_ascii_lowercase()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AdapterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AdapterName {
    type Error = AdapterNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<AdapterName> for String {
    fn from(name: AdapterName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_plain_and_nobody_elses() {
        for good in ["aider", "my-agent_2", "acp-gemini"] {
            assert_eq!(AdapterName::parse(good).map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "Aider", "2x", "a b", "a.b", &"x".repeat(41)] {
            assert_eq!(AdapterName::parse(bad), Err(AdapterNameError::Shape), "{bad}");
        }
        assert_eq!(AdapterName::parse("claude"), Err(AdapterNameError::BuiltIn));
        assert_eq!(AdapterName::parse("none"), Err(AdapterNameError::Nobody));
        for program in ["/opt/Gemini CLI", "", "ü", "x/"] {
            let name = AdapterName::of_program(program);
            assert_eq!(AdapterName::parse(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let cli = CliProtocol {
            resume: Some(Argv::parse(["x", "--resume", "{session}"]).expect("words")),
            exits: vec![(53, ExitMeaning::MaxTurns)],
            fields: Fields { cost: vec![FieldPath::parse("a.b").expect("a path")], ..Fields::default() },
            ..CliProtocol::default()
        };
        let adapter = |protocol| Adapter {
            name: AdapterName::parse("aider").expect("a name"),
            argv: Argv::parse(["aider", "{model}"]).expect("words"),
            env: vec!["KEY".into()],
            login_env: Vec::new(),
            protocol,
        };
        for adapter in [adapter(Protocol::Acp), adapter(Protocol::Cli(Box::new(cli)))] {
            let mut settings = AgentSettings::new(adapter.backend());
            settings.adapter = Some(Box::new(adapter));
            let text = serde_json::to_string(&settings).expect("JSON");
            assert_eq!(serde_json::from_str::<AgentSettings>(&text).expect("settings"), settings, "{text}");
        }
    }

    #[test]
    fn an_exit_status_means_the_usual_unless_something_else_was_said() {
        let cli = CliProtocol {
            exits: vec![(0, ExitMeaning::NeedsInput), (7, ExitMeaning::Overloaded)],
            ..CliProtocol::default()
        };
        assert_eq!(
            [0, 7, 8].map(|code| cli.meaning(code)),
            [ExitMeaning::NeedsInput, ExitMeaning::Overloaded, ExitMeaning::Crashed]
        );
        assert_eq!(CliProtocol::default().meaning(0), ExitMeaning::Completed);
    }
}
