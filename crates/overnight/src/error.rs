//! The one error of the command line: what went wrong, why, what to do, and the exit code that follows.
//!
//! Owns the shape in which people read errors. Every error of a lower crate becomes an [`AppError`] where a command calls
//! it, because only the command knows what the person wanted and what helps.

use std::fmt::Write;

use overnight_core::job::ExitCode;

/// An error as the person sees it.
#[derive(Debug)]
pub struct AppError {
    pub code: ExitCode,
    /// What could not be done, in one line.
    pub what: String,
    /// The line of a file that is at fault. Boxed: errors travel by value.
    pub place: Option<Box<Place>>,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// The next step for the person.
    pub help: Option<String>,
    /// It has already been told in full: only the exit code is left to deliver.
    pub told: bool,
}

/// A spot in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The whole line.
    pub text: String,
    /// How many characters are at fault, at least 1.
    pub length: usize,
    /// Said below the marked characters.
    pub label: String,
}

/// The result of a command: the exit code of a job that ended is not an error.
pub type Outcome = Result<ExitCode, AppError>;

impl AppError {
    #[must_use]
    pub fn new(code: ExitCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), place: None, causes: Vec::new(), help: None, told: false }
    }

    /// Wrong usage or configuration.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, what)
    }

    /// Something that no person caused.
    #[must_use]
    pub fn unexpected(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Unexpected, what)
    }

    /// Ends the program with `code` and says nothing more.
    #[must_use]
    pub fn told(code: ExitCode) -> Self {
        Self { told: true, ..Self::new(code, "") }
    }

    /// Adds an error and everything below it as causes.
    #[must_use]
    pub fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some libraries repeat their cause in their own message.
            if !self.causes.last().is_some_and(|last| last.ends_with(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// The whole message, without colour, ending in a line break.
    #[must_use]
    pub fn render(&self) -> String {
        if self.told {
            return String::new();
        }
        let mut text = format!("error: {}\n", self.what);
        if let Some(place) = &self.place {
            text.push_str(&place.render());
        }
        // Writing to a String cannot fail.
        for cause in &self.causes {
            let _ = writeln!(text, "cause: {}", indented(cause));
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "help: {}", indented(help));
        }
        text
    }
}

impl Place {
    /// Where bytes `span` of `text` stand.
    #[must_use]
    pub fn of(file: &str, text: &str, span: std::ops::Range<usize>, label: impl Into<String>) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |end| start + end);
        let end = floor(text, span.end).clamp(start, line_end);
        Self {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: text[line_start..line_end].trim_end().to_owned(),
            length: text[start..end].chars().count().max(1),
            label: label.into(),
        }
    }

    fn render(&self) -> String {
        let number = self.line.to_string();
        let gap = " ".repeat(number.len());
        let before = " ".repeat(self.column - 1);
        let marks = "^".repeat(self.length);
        let line = self.text.replace('\t', " ");
        format!(
            "  --> {}:{}:{}\n {gap} |\n {number} | {line}\n {gap} | {before}{marks} {}\n",
            self.file, self.line, self.column, self.label
        )
    }
}

/// Lines after the first stand below the first, not at the margin.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n      ")
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read {0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let cause = Outer("the thing", std::io::Error::other("disk on fire"));
        let error = AppError::usage("cannot go on").because(&cause).help("put it out\nthen try again");
        insta::assert_snapshot!(error.render(), @r"
        error: cannot go on
        cause: failed to read the thing
        cause: disk on fire
        help: put it out
              then try again
        ");
    }

    #[test]
    fn a_place_marks_the_characters_at_fault() {
        let text = "[limits]\nünder = 5\n";
        let place = Place::of("config.toml", text, 9..15, "did you mean `cost`?");
        insta::assert_snapshot!(AppError::usage("unknown key").at(place).render(), @r"
        error: unknown key
          --> config.toml:2:1
           |
         2 | ünder = 5
           | ^^^^^ did you mean `cost`?
        ");
    }

    #[test]
    fn a_place_outside_the_text_is_its_end() {
        let place = Place::of("f", "a\nb", 90..95, "here");
        assert_eq!((place.line, place.column, place.length), (2, 2, 1));
    }
}
