//! The repository's own `overnight.toml`: text in, typed settings out.
//!
//! Owns nothing and reads nothing: the caller brings the text of the *base commit*, never that of a tree that an agent
//! could write. Only an allow-list of keys is understood, because whoever can change the file can change what it says:
//! money, tools, logins and containment are settings of the person, not of the repository.

mod preflight;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use overnight_core::policy::preflight::Preflight;
use overnight_core::text::nearest;
pub use overnight_core::units::duration;
use overnight_core::verdict::Check;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key that the file may have.
pub const KEYS: [&str; 13] = [
    "preflight",
    "preflight.warn",
    "preflight.approve",
    "preflight.block",
    "preflight.protect",
    "preflight.max_file_size",
    "preflight.max_files",
    "verify",
    "verify.checks",
    "verify.check",
    "verify.check.name",
    "verify.check.command",
    "verify.check.timeout",
];
/// Sections of the person's own configuration.
const USER_SECTIONS: [&str; 6] = ["agent", "forge", "git", "limits", "ui", "worker"];
/// Longest check name: keeps verdict tables readable.
const MAX_NAME: usize = 40;

/// What a repository says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepoFile {
    /// The checks, in order; `None` when the file names none, so that they are detected.
    pub checks: Option<Vec<Check>>,
    /// What it wants looked for beyond what the person's configuration says.
    pub preflight: Option<Preflight>,
}

/// A mistake in the file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("overnight.toml line {line}, column {column}: {mistake}")]
pub struct RepoFileError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub mistake: Mistake,
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    NotToml {
        message: String,
    },
    UnknownKey {
        key: String,
        nearest: Option<&'static str>,
    },
    /// A key of the person's configuration: a repository must not decide it.
    UserKey {
        key: String,
    },
    BadValue {
        key: String,
        why: &'static str,
    },
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotToml { message } => write!(f, "not valid TOML: {message}"),
            Self::UnknownKey { key, nearest: Some(nearest) } => {
                write!(f, "unknown key {key:?}; did you mean {nearest:?}?")
            }
            Self::UnknownKey { key, nearest: None } => {
                write!(f, "unknown key {key:?}; a repository may only set \"verify\" and \"preflight\"")
            }
            Self::UserKey { key } => {
                write!(f, "{key:?} cannot be set by a repository; it belongs in your own configuration file")
            }
            Self::BadValue { key, why } => write!(f, "{key:?} {why}"),
        }
    }
}

/// Reads the file's text. `timeout` is the longest run of a check that names none.
///
/// # Errors
/// [`RepoFileError`] for text that is not TOML, a key outside the allow-list or a value of the wrong kind.
pub fn parse(text: &str, timeout: Duration) -> Result<RepoFile, RepoFileError> {
    read(text, timeout).map_err(|(mistake, at)| {
        let (line, column) = place(text, at.start);
        RepoFileError { line, column, mistake }
    })
}

/// What the file's text says of the inspection.
///
/// # Errors
/// As [`parse`].
pub fn preflight(text: &str) -> Result<Option<Preflight>, RepoFileError> {
    parse(text, Duration::from_secs(1)).map(|file| file.preflight)
}

/// Checks from bare commands: each is named by its first words, and no two have the same name.
#[must_use]
pub fn named_checks<S: AsRef<str>>(commands: &[S], timeout: Duration) -> Vec<Check> {
    let mut taken = HashSet::new();
    let one = |command: &S| {
        let command = command.as_ref().trim().to_owned();
        let plain = first_words(&command);
        let mut name = plain.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{plain} #{number}");
            number += 1;
        }
        Check { name, command, timeout }
    };
    commands.iter().map(one).collect()
}

type Found<T> = Result<T, (Mistake, Range<usize>)>;

fn read(text: &str, timeout: Duration) -> Found<RepoFile> {
    let document = DeTable::parse(text).map_err(|error| {
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        (Mistake::NotToml { message }, error.span().unwrap_or(0..0))
    })?;
    let mut file = RepoFile::default();
    for (key, value) in document.get_ref() {
        match key.get_ref().as_ref() {
            "verify" => file.checks = verify(value, timeout)?,
            "preflight" => file.preflight = Some(preflight::read(value)?),
            other if USER_SECTIONS.contains(&other) => {
                return Err((Mistake::UserKey { key: other.to_owned() }, key.span()));
            }
            other => return Err((unknown(other), key.span())),
        }
    }
    Ok(file)
}

fn verify(value: &Spanned<DeValue<'_>>, timeout: Duration) -> Found<Option<Vec<Check>>> {
    let table = table(value, "verify")?;
    let mut found: Option<Vec<Check>> = None;
    for (key, value) in table {
        let checks = match key.get_ref().as_ref() {
            "checks" => plain_checks(value, timeout)?,
            "check" => full_checks(value, timeout)?,
            other => return Err((unknown(&format!("verify.{other}")), key.span())),
        };
        if found.replace(checks).is_some() {
            let why = "and \"verify.checks\" cannot both be given: use one of them";
            return Err((bad("verify.check", why), key.span()));
        }
    }
    Ok(found)
}

fn plain_checks(value: &Spanned<DeValue<'_>>, timeout: Duration) -> Found<Vec<Check>> {
    let why = "must be a list of commands, as in [\"cargo test\"]";
    let list = value.get_ref().as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| (bad("verify.checks", why), value.span()))?;
    let commands: Vec<&str> =
        list.iter().map(|item| words(item, "verify.checks", why)).collect::<Found<_>>()?;
    Ok(named_checks(&commands, timeout))
}

fn full_checks(value: &Spanned<DeValue<'_>>, timeout: Duration) -> Found<Vec<Check>> {
    let why = "must be written as [[verify.check]] tables";
    let list = value.get_ref().as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| (bad("verify.check", why), value.span()))?;
    let mut checks: Vec<Check> = Vec::new();
    for item in list {
        let check = full_check(item, timeout)?;
        if checks.iter().any(|other| other.name == check.name) {
            return Err((
                bad("verify.check.name", "is given twice: each check needs its own name"),
                item.span(),
            ));
        }
        checks.push(check);
    }
    Ok(checks)
}

fn full_check(item: &Spanned<DeValue<'_>>, timeout: Duration) -> Found<Check> {
    let (mut name, mut command, mut limit) = (None, None, timeout);
    for (key, value) in table(item, "verify.check")? {
        match key.get_ref().as_ref() {
            "name" => name = Some(check_name(value)?),
            "command" => command = Some(words(value, "verify.check.command", "must be a command")?),
            "timeout" => limit = timeout_of(value)?,
            other => return Err((unknown(&format!("verify.check.{other}")), key.span())),
        }
    }
    let command = command.ok_or_else(|| (bad("verify.check.command", "is missing"), item.span()))?;
    let name = name.unwrap_or_else(|| first_words(command));
    Ok(Check { name, command: command.trim().to_owned(), timeout: limit })
}

fn check_name(value: &Spanned<DeValue<'_>>) -> Found<String> {
    let why = "must be a short text in one line, at most 40 characters";
    let name = words(value, "verify.check.name", why)?.trim();
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err((bad("verify.check.name", why), value.span()));
    }
    Ok(name.to_owned())
}

fn timeout_of(value: &Spanned<DeValue<'_>>) -> Found<Duration> {
    let why = "must be a time like \"90s\", \"15m\" or \"2h\"";
    let parsed = value.get_ref().as_str().and_then(duration);
    parsed.ok_or_else(|| (bad("verify.check.timeout", why), value.span()))
}

fn table<'t, 'i>(value: &'t Spanned<DeValue<'i>>, key: &str) -> Found<&'t DeTable<'i>> {
    let why = "must be a table";
    value.get_ref().as_table().ok_or_else(|| (bad(key, why), value.span()))
}

fn words<'t>(value: &'t Spanned<DeValue<'_>>, key: &str, why: &'static str) -> Found<&'t str> {
    let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty() && !text.contains('\0'));
    text.ok_or_else(|| (bad(key, why), value.span()))
}

fn bad(key: &str, why: &'static str) -> Mistake {
    Mistake::BadValue { key: key.to_owned(), why }
}

fn unknown(key: &str) -> Mistake {
    Mistake::UnknownKey { key: key.chars().take(80).collect(), nearest: nearest(key, KEYS) }
}

/// The command's first words within the length of a name.
fn first_words(command: &str) -> String {
    let mut name = String::new();
    for word in command.split_whitespace() {
        if !name.is_empty() && name.chars().count() + 1 + word.chars().count() > MAX_NAME {
            break;
        }
        if !name.is_empty() {
            name.push(' ');
        }
        name.extend(word.chars().take(MAX_NAME));
    }
    name
}

/// Line and column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests;
