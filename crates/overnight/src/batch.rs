//! Many orders at once: JSON lines, one job on each. Reading one is all or nothing: the first line that cannot be used is
//! shown, and no job is made of the others.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use overnight_core::agent::Effort;
use overnight_core::choose::Say;
use overnight_core::job::{Label, Priority};
use overnight_core::text::{for_terminal, nearest, one_line};
use overnight_core::units::MicroDollars;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::agents;
use crate::app::App;
use crate::cli::queue_args::QueueArgs;
use crate::cli::run_args::{AgentArgs, VerifyArgs, WishArgs};
use crate::cli::values;
use crate::config::AgentConfig;
use crate::error::{AppError, Place};
use crate::moment::Moment;
use crate::{order, wish};

/// Largest batch. Far beyond what anybody writes, and what memory has room for several times.
const MAX_BATCH: usize = 64 << 20;
/// A longer line is not shown with its error.
const SHOWN: usize = 160;

/// The lines of a batch, each an order.
#[derive(Debug)]
pub struct Batch {
    /// For messages.
    name: String,
    text: String,
    pub entries: Vec<Entry>,
}

/// One line.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// Its number in the file, from 1.
    pub line: usize,
    pub order: Order,
}

/// What a line may say. What it does not say is as on the command line.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub prompt: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    priority: Option<Priority>,
    #[serde(default, deserialize_with = "moment")]
    not_before: Option<Moment>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    after_any: Vec<String>,
    #[serde(default, deserialize_with = "key")]
    key: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    group: Option<Label>,
    #[serde(default)]
    line: Option<Label>,
    #[serde(default)]
    requires: Vec<Label>,
    #[serde(default)]
    verify: Vec<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    effort: Option<Effort>,
    #[serde(default, deserialize_with = "thinking_budget")]
    thinking_budget: Option<u64>,
    #[serde(default, deserialize_with = "backup")]
    backup_agent: Option<Say<String>>,
    #[serde(default)]
    backup_model: Option<String>,
    #[serde(default)]
    backup_effort: Option<Effort>,
    #[serde(default, deserialize_with = "span")]
    backup_patience: Option<Duration>,
    #[serde(default, deserialize_with = "count")]
    attempts: Option<u32>,
    #[serde(default, deserialize_with = "money")]
    max_cost: Option<MicroDollars>,
    #[serde(default, deserialize_with = "tokens")]
    max_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    max_turns: Option<u32>,
    #[serde(default, deserialize_with = "span")]
    max_time: Option<Duration>,
}

/// What earlier lines were and said.
#[derive(Default)]
struct Known {
    lines: HashSet<usize>,
    keys: HashMap<String, usize>,
}

/// The fields of a line, for the help.
pub const FIELDS: &str = "prompt, title, priority, not_before, after, after_any, key, labels, group, line, requires, verify, \
                          model, effort, thinking_budget, backup_agent, backup_model, backup_effort, backup_patience, \
                          attempts, max_cost, max_tokens, max_turns, max_time";

impl Batch {
    /// Reads a batch from a file, or with `-` from standard input.
    ///
    /// # Errors
    /// When it cannot be read, or a line cannot be used.
    pub fn load(app: &App, file: &Path) -> Result<Self, AppError> {
        let (name, text) = if file == Path::new("-") {
            ("standard input".to_owned(), wish::text_of(std::io::stdin().lock(), MAX_BATCH))
        } else {
            let path = app.env.absolute(file);
            let text = std::fs::File::open(&path).and_then(|file| wish::text_of(file, MAX_BATCH));
            (path.display().to_string(), text)
        };
        let text = text.map_err(|error| {
            AppError::usage(format!("the batch in {name} cannot be read"))
                .because(&error)
                .help("--batch takes a text file in UTF-8 with one JSON object on each line")
        })?;
        if text.len() > MAX_BATCH {
            let most = MAX_BATCH >> 20;
            return Err(AppError::usage(format!("the batch in {name} is longer than {most} MiB"))
                .help("add it in several parts"));
        }
        Self::read(name, text, &app.config().agent)
    }

    fn read(name: String, text: String, config: &AgentConfig) -> Result<Self, AppError> {
        let mut batch = Self { name, text, entries: Vec::new() };
        let mut entries = Vec::new();
        let mut known = Known::default();
        for (number, line) in (1..).zip(batch.text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let order = serde_json::from_str(line).map_err(|error| batch.malformed(number, &error))?;
            let entry = Entry { line: number, order };
            batch.check(&entry, config, &mut known)?;
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(AppError::usage(format!("there is no job in {}", batch.name))
                .help("write one JSON object on each line, as in {\"prompt\": \"Fix the door\"}"));
        }
        batch.entries = entries;
        Ok(batch)
    }

    /// What the order says apart from its form.
    fn check(&self, entry: &Entry, config: &AgentConfig, known: &mut Known) -> Result<(), AppError> {
        let Entry { line, order } = entry;
        if order.says_thinking_twice() {
            return Err(self.at_text(*line, "thinking_budget", TWICE).help("keep one of the two"));
        }
        if let (Some(line_name), Some(_)) = (&order.line, &order.group) {
            let why = "it says \"line\" and \"group\", and a line is a group of its own";
            return Err(self.at_text(*line, line_name.as_str(), why).help("keep one of the two"));
        }
        if let Some(name) = order.unknown_backup(config) {
            let why = agents::unknown_backup(name, config);
            return Err(self.at_text(*line, name, &why).help("name the agent as --backup-agent does"));
        }
        order.check_text().map_err(|error| {
            self.of_line(*line, error).help("write \"prompt\" and \"verify\" as on the command line")
        })?;
        for wanted in order.after.iter().chain(&order.after_any) {
            let Some(number) = wanted.strip_prefix('#') else { continue };
            if !number.parse().is_ok_and(|number| known.lines.contains(&number)) {
                let why = format!("{wanted:?} is not an earlier line with a job");
                let help =
                    "\"#3\" means the job on line 3; a job that was added before goes by its key or id";
                return Err(self.at_text(*line, wanted, &why).help(help));
            }
        }
        known.lines.insert(*line);
        let Some(key) = &order.key else { return Ok(()) };
        match known.keys.insert(key.clone(), *line) {
            None => Ok(()),
            Some(twice) => Err(self
                .at_text(*line, key, &format!("line {twice} has this key already"))
                .help("give each order a key of its own")),
        }
    }

    /// Names the line in an error about its order.
    #[must_use]
    pub fn of_line(&self, line: usize, error: AppError) -> AppError {
        AppError { what: format!("line {line} of {}: {}", self.name, error.what), ..error }
    }

    fn malformed(&self, line: usize, error: &serde_json::Error) -> AppError {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let why = text.strip_suffix(&position).unwrap_or(&text);
        let unknown = why.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        if let Some((field, _)) = unknown {
            let error = self.at_text(line, field, &format!("unknown field {field:?}"));
            return match nearest(field, FIELDS.split(", ")) {
                Some(nearest) => error.help(format!("did you mean {nearest:?}?")),
                None => error.help(format!("a line may hold: {FIELDS}")),
            };
        }
        self.at(line, error.column().saturating_sub(1), why).help(format!("a line may hold: {FIELDS}"))
    }

    /// An error about a text in this line.
    #[must_use]
    pub fn at_text(&self, line: usize, text: &str, why: &str) -> AppError {
        let quoted = Value::String(text.to_owned()).to_string();
        let start = self.line(line).find(&quoted).unwrap_or_default();
        self.at(line, start, why)
    }

    /// `start`: in bytes.
    fn at(&self, number: usize, start: usize, why: &str) -> AppError {
        let line = self.line(number);
        let before = line.char_indices().take_while(|(at, _)| *at < start).count();
        let column = before + 1;
        let why = one_line(why, 300);
        let what = format!("line {number}, column {column} of {} cannot be used: {why}", self.name);
        let text = for_terminal(line);
        // What was made harmless has other columns.
        if text != line || text.chars().count() > SHOWN {
            return AppError::usage(what);
        }
        let file = self.name.clone();
        AppError::usage(what).at(Place {
            file,
            line: number,
            column,
            text,
            length: 1,
            label: "here".to_owned(),
        })
    }

    fn line(&self, number: usize) -> &str {
        self.text.lines().nth(number.saturating_sub(1)).unwrap_or_default()
    }
}

const TWICE: &str = "it says \"effort\" and \"thinking_budget\", which are two words for the same";

/// Whether an order that stands on no line can be used, apart from its form.
///
/// # Errors
/// Says what is wrong with it.
pub fn sound(order: &Order, config: &AgentConfig) -> Result<(), AppError> {
    if order.says_thinking_twice() {
        return Err(AppError::usage(TWICE).help("keep one of the two"));
    }
    if let Some(name) = order.unknown_backup(config) {
        return Err(AppError::usage(agents::unknown_backup(name, config)));
    }
    order.check_text()
}

impl Order {
    fn says_thinking_twice(&self) -> bool {
        self.effort.is_some() && self.thinking_budget.is_some()
    }

    /// The agent that is to take over and that there is not.
    fn unknown_backup(&self, config: &AgentConfig) -> Option<&str> {
        match &self.backup_agent {
            Some(Say::To(name)) if agents::find(name, config).is_none() => Some(name),
            Some(Say::To(_) | Say::Off) | None => None,
        }
    }

    fn check_text(&self) -> Result<(), AppError> {
        let verify = VerifyArgs { verify: self.verify.clone(), ..VerifyArgs::default() };
        order::check_prompt(&self.prompt)?;
        order::check_verify(&verify)
    }

    /// What this order asks for, above what the command line says for all of them.
    #[must_use]
    pub fn wish(&self, common: &WishArgs) -> WishArgs {
        let mut wish = WishArgs { prompt: Vec::new(), title: self.title.clone(), ..common.clone() };
        if !self.verify.is_empty() {
            wish.order.verify.verify.clone_from(&self.verify);
            wish.order.verify.no_verify = false;
        }
        self.agent(&mut wish.order.agent);
        let limits = &mut wish.order.limits;
        limits.attempts = self.attempts.or(limits.attempts);
        limits.max_cost = self.max_cost.or(limits.max_cost);
        limits.max_tokens = self.max_tokens.or(limits.max_tokens);
        limits.max_turns = self.max_turns.or(limits.max_turns);
        limits.max_time = self.max_time.or(limits.max_time);
        wish
    }

    fn agent(&self, agent: &mut AgentArgs) {
        if self.model.is_some() {
            agent.model.clone_from(&self.model);
        }
        if self.effort.is_some() || self.thinking_budget.is_some() {
            (agent.effort, agent.thinking_budget) = (self.effort, self.thinking_budget);
        }
        if self.backup_agent.is_some() {
            agent.backup_agent.clone_from(&self.backup_agent);
        }
        if self.backup_model.is_some() {
            agent.backup_model.clone_from(&self.backup_model);
        }
        agent.backup_effort = self.backup_effort.or(agent.backup_effort);
        agent.backup_patience = self.backup_patience.or(agent.backup_patience);
    }

    /// The same for its place in the queue. Lists add up.
    #[must_use]
    pub fn queue(&self, common: &QueueArgs) -> QueueArgs {
        let both = |common: &[Label], own: &[Label]| common.iter().chain(own).cloned().collect();
        QueueArgs {
            priority: self.priority.or(common.priority),
            not_before: self.not_before.or(common.not_before),
            after: common.after.iter().chain(&self.after).cloned().collect(),
            after_any: common.after_any.iter().chain(&self.after_any).cloned().collect(),
            key: self.key.clone(),
            label: both(&common.label, &self.labels),
            group: self.group.clone().or_else(|| common.group.clone()).filter(|_| self.line.is_none()),
            line: self.line.clone().or_else(|| common.line.clone()).filter(|_| self.group.is_none()),
            requires: both(&common.requires, &self.requires),
        }
    }
}

// A value is written as on the command line; a number may also stand as a number.

fn written<'de, D: Deserializer<'de>, T>(
    from: D,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(D::Error::custom("expected a text or a number"));
        }
    };
    read(&text).map(Some).map_err(D::Error::custom)
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Moment>, D::Error> {
    written(from, str::parse)
}

fn key<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    written(from, values::key)
}

fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    written(from, values::count)
}

fn money<'de, D: Deserializer<'de>>(from: D) -> Result<Option<MicroDollars>, D::Error> {
    written(from, values::money)
}

fn thinking_budget<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    written(from, values::thinking_budget)
}

fn backup<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Say<String>>, D::Error> {
    written(from, values::backup)
}

fn tokens<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    written(from, values::tokens)
}

fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    written(from, values::span)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
