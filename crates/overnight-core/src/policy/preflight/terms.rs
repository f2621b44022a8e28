//! What an operator may ask for as an exception from a rule: one rule, some files, a reason and an end.

use std::time::Duration;

use super::{BadGlob, Glob, Rule};
use crate::talk::{InvalidWords, words};
use crate::text::nearest;
use crate::units;

/// Longest exception: what holds longer than this is a setting.
pub const LONGEST_EXCEPTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long one holds unless something else is said: a working week, and it is forgotten by nobody.
pub const USUAL_EXCEPTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Characters of the reason: a paragraph.
const REASON_CHARS: usize = 2_000;

/// An exception that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionTerms {
    pub rule: Rule,
    /// `None`: all files.
    pub path: Option<Glob>,
    /// Why; never empty.
    pub message: String,
    /// From now on.
    pub length: Duration,
}

/// Why an exception cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTerms {
    #[error("there is no rule {code:?}{}", near.map(|rule| format!("; did you mean {}?", rule.code())).unwrap_or_default())]
    UnknownRule { code: String, near: Option<Rule> },
    #[error(transparent)]
    Path(#[from] BadGlob),
    #[error("say why the rule does not hold: {0}")]
    Message(#[from] InvalidWords),
    #[error("{text:?} is not a time like 7d or 12h")]
    NoTime { text: String },
    #[error("an exception holds for at most 90d: what holds for good is a setting, [preflight]")]
    TooLong,
}

impl ExceptionTerms {
    /// # Errors
    /// [`InvalidTerms`].
    pub fn parse(
        rule: &str,
        path: Option<&str>,
        message: &str,
        until: Option<&str>,
    ) -> Result<Self, InvalidTerms> {
        let rule = Self::rule(rule)?;
        let path = path.map(Glob::parse).transpose()?;
        let length = until.map_or(Ok(USUAL_EXCEPTION), Self::length)?;
        Self::new(rule, path, message, length)
    }

    /// # Errors
    /// [`InvalidTerms::Message`], [`InvalidTerms::TooLong`].
    pub fn new(
        rule: Rule,
        path: Option<Glob>,
        message: &str,
        length: Duration,
    ) -> Result<Self, InvalidTerms> {
        let message = words("message", message, REASON_CHARS)?;
        if length > LONGEST_EXCEPTION {
            return Err(InvalidTerms::TooLong);
        }
        Ok(Self { rule, path, message, length })
    }

    /// # Errors
    /// [`InvalidTerms::UnknownRule`].
    pub fn rule(code: &str) -> Result<Rule, InvalidTerms> {
        Rule::parse(code).ok_or_else(|| {
            let near = nearest(code, Rule::ALL.iter().map(|rule| rule.code())).and_then(Rule::parse);
            InvalidTerms::UnknownRule { code: crate::text::one_line(code, 60), near }
        })
    }

    /// # Errors
    /// [`InvalidTerms::NoTime`], [`InvalidTerms::TooLong`].
    pub fn length(text: &str) -> Result<Duration, InvalidTerms> {
        let no_time = || InvalidTerms::NoTime { text: crate::text::one_line(text, 60) };
        let length = units::duration(text).ok_or_else(no_time)?;
        if length > LONGEST_EXCEPTION { Err(InvalidTerms::TooLong) } else { Ok(length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_has_a_rule_files_a_reason_and_an_end() {
        let terms = ExceptionTerms::parse("ci-file", Some(".github/"), " We know \u{202e}", None).unwrap();
        assert_eq!((terms.rule, terms.length), (Rule::CiFile, USUAL_EXCEPTION));
        assert_eq!(terms.message, "We know \\u{202e}");
        let longest = ExceptionTerms::parse("secret", None, "x", Some("90d")).unwrap();
        assert_eq!((longest.length, longest.path), (LONGEST_EXCEPTION, None));
        let near = ExceptionTerms::parse("ci-fil", None, "x", None).unwrap_err();
        assert_eq!(near.to_string(), "there is no rule \"ci-fil\"; did you mean ci-file?");
        for (path, message, until) in [
            (Some("/etc"), "x", None),
            (Some(""), "x", None),
            (None, " \n", None),
            (None, "x", Some("91d")),
            (None, "x", Some("0d")),
            (None, "x", Some("for ever")),
        ] {
            assert!(
                ExceptionTerms::parse("secret", path, message, until).is_err(),
                "{path:?} {message:?} {until:?}"
            );
        }
        let huge = "x".repeat(1 << 20);
        assert!(ExceptionTerms::parse(&huge, None, "x", None).unwrap_err().to_string().len() < 200);
        assert!(
            ExceptionTerms::parse("secret", Some(&huge), "x", None).unwrap_err().to_string().len() < 1000
        );
        assert!(ExceptionTerms::parse("secret", None, &huge, None).is_err());
    }
}
