//! What goes to the person: data on standard output, talk on standard error, colour when it is wanted.
//!
//! Owns the two streams. A reader that went away (`overnight ls | head`) ends the output, never the work, and is no error.

use std::io::{IsTerminal, Write};

use anstream::{AutoStream, ColorChoice as Colour};
use anstyle::{AnsiColor, Style};
use overnight_core::text::for_terminal;
use serde::Serialize;

use crate::cli::args::ColorChoice;
use crate::config::Environment;
use crate::error::AppError;

/// Name and version of every JSON document that is printed, and of what is answered over HTTP.
pub use overnight_core::SCHEMA;

/// What stands around every document.
#[derive(Debug, Serialize)]
struct Envelope<'a, T> {
    schema: &'static str,
    kind: &'a str,
    data: &'a T,
}

/// The person's terminal, or whatever stands in its place.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    pub stdout: Colour,
    pub stderr: Colour,
    /// Standard error is a terminal that can rewrite its last line.
    pub live: bool,
    /// Columns of standard error, when it is a terminal.
    pub width: usize,
    pub quiet: bool,
}

impl Out {
    /// Looks at the process's own streams. `flag` is `--color`, `configured` is `ui.color`.
    #[must_use]
    pub fn new(flag: Option<ColorChoice>, configured: ColorChoice, quiet: bool, env: &Environment) -> Self {
        let colour =
            |terminal| if colour(flag, configured, env, terminal) { Colour::Always } else { Colour::Never };
        let smart = env.get("TERM").is_some_and(|term| term != "dumb");
        Self {
            stdout: colour(std::io::stdout().is_terminal()),
            stderr: colour(std::io::stderr().is_terminal()),
            live: std::io::stderr().is_terminal() && smart,
            width: columns(env),
            quiet,
        }
    }

    /// Says nothing in colour; before the configuration is known.
    #[must_use]
    pub fn plain() -> Self {
        Self { stdout: Colour::Never, stderr: Colour::Never, live: false, width: 80, quiet: false }
    }

    /// Writes data, which may contain styles, as it is.
    ///
    /// # Errors
    /// When standard output cannot be written; a reader that went away is none.
    pub fn data(&self, text: &str) -> Result<(), AppError> {
        let mut stream = AutoStream::new(std::io::stdout().lock(), self.stdout);
        let written = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(AppError::unexpected("standard output cannot be written").because(&error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes bytes that are nobody's text, such as a patch.
    ///
    /// # Errors
    /// When standard output cannot be written; a reader that went away is none.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), AppError> {
        let mut stream = std::io::stdout().lock();
        match stream.write_all(bytes).and_then(|()| stream.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(AppError::unexpected("standard output cannot be written").because(&error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes a patch: as it is into a file or a pipe, made safe on a terminal.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn patch(&self, patch: &[u8]) -> Result<(), AppError> {
        if !std::io::stdout().is_terminal() {
            return self.bytes(patch);
        }
        let mut text = String::new();
        for line in String::from_utf8_lossy(patch).lines() {
            let style = match line.as_bytes().first() {
                Some(b'+') => GOOD,
                Some(b'-') => BAD,
                Some(b'@') => BOLD,
                Some(_) | None => Style::new(),
            };
            text.push_str(&styled(style, &for_terminal(line)));
            text.push('\n');
        }
        self.data(&text)
    }

    /// Writes one JSON document in the common envelope.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn json(&self, kind: &str, data: &impl Serialize) -> Result<(), AppError> {
        let document = Envelope { schema: SCHEMA, kind, data };
        let text = serde_json::to_string_pretty(&document)
            .map_err(|error| AppError::unexpected("the result cannot be written as JSON").because(&error))?;
        self.data(&(text + "\n"))
    }

    /// Writes one line of NDJSON.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn ndjson(&self, value: &impl Serialize) -> Result<(), AppError> {
        let text = serde_json::to_string(value)
            .map_err(|error| AppError::unexpected("an event cannot be written as JSON").because(&error))?;
        self.data(&(text + "\n"))
    }

    /// Talks: one line, unless the person wants quiet. A terminal that went away is no reason to stop.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.raw(&format!("{line}\n"));
        }
    }

    /// Writes to standard error whatever is wanted or not.
    pub fn raw(&self, text: &str) {
        let mut stream = AutoStream::new(std::io::stderr().lock(), self.stderr);
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// Writes control sequences and text to a terminal; only for [`Self::live`].
    pub fn terminal(&self, text: &str) {
        let mut stream = std::io::stderr().lock();
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// Writes an error, with its first word in colour.
    pub fn error(&self, error: &AppError) {
        let text = error.render();
        let text =
            text.strip_prefix("error:").map_or(text.clone(), |rest| format!("{BAD}error:{BAD:#}{rest}"));
        self.raw(&text);
    }
}

/// Something went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to know.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Of lesser weight.
pub const DIM: Style = Style::new().dimmed();
/// Of more weight.
pub const BOLD: Style = Style::new().bold();

/// `text` in a style.
#[must_use]
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Whether a stream is coloured. The first that says something decides: flag, configuration, `NO_COLOR`,
/// `CLICOLOR_FORCE` or `FORCE_COLOR`, and last whether it is a terminal that is not dumb.
#[must_use]
pub fn colour(flag: Option<ColorChoice>, configured: ColorChoice, env: &Environment, terminal: bool) -> bool {
    for choice in [flag.unwrap_or(ColorChoice::Auto), configured] {
        match choice {
            ColorChoice::Always => return true,
            ColorChoice::Never => return false,
            ColorChoice::Auto => {}
        }
    }
    if env.get("NO_COLOR").is_some() {
        return false;
    }
    let forced = |name| env.get(name).is_some_and(|value| value != "0");
    if forced("CLICOLOR_FORCE") || forced("FORCE_COLOR") {
        return true;
    }
    terminal && env.get("TERM").is_some_and(|term| term != "dumb")
}

/// Width for the live line. Without a way to ask the terminal: what the shell exports, else the smallest usual width.
fn columns(env: &Environment) -> usize {
    let told = env.get("COLUMNS").and_then(|value| value.to_str()).and_then(|value| value.parse().ok());
    told.filter(|columns| (20..=1000).contains(columns)).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_first_that_says_something_decides_on_colour() {
        use ColorChoice::{Always, Auto, Never};
        let term = ("TERM", "xterm");
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<ColorChoice>, ColorChoice, bool, bool);
        let table: [Case<'_>; 10] = [
            (&[term], None, Auto, true, true),
            (&[term], None, Auto, false, false),
            (&[("TERM", "dumb")], None, Auto, true, false),
            (&[], None, Auto, true, false),
            (&[term, ("NO_COLOR", "1")], None, Auto, true, false),
            (&[term, ("NO_COLOR", "")], None, Auto, true, true),
            (&[term, ("NO_COLOR", "1")], None, Always, false, true),
            (&[term, ("NO_COLOR", "1"), ("FORCE_COLOR", "1")], None, Auto, true, false),
            (&[("CLICOLOR_FORCE", "1")], None, Auto, false, true),
            (&[term, ("FORCE_COLOR", "1")], Some(Never), Always, true, false),
        ];
        for (vars, flag, configured, terminal, want) in table {
            let env = Environment::of(vars.iter().copied(), Path::new("/"));
            assert_eq!(
                colour(flag, configured, &env, terminal),
                want,
                "{vars:?} {flag:?} {configured:?} {terminal}"
            );
        }
    }
}
