//! From a failed result, or the lack of one, to the outcome of a turn.
//!
//! The CLI ends with the HTTP status of the failed request as its exit status, and quotes the server's answer, code and all, in a
//! field that only the CLI writes. The server's prose decides nothing.

use overnight_core::agent::TurnOutcome;
use overnight_core::command::Exit;
use overnight_core::units::Timestamp;
use serde_json::Value;

use crate::ending::detail;
use crate::{json, status, time};

/// How the CLI ends when nothing is configured to log in with.
const NO_LOGIN: i32 = 41;
/// How it ends when its input cannot be used: also when the session to resume is not there.
const BAD_INPUT: i32 = 42;
/// How it ends when the turns are used up that its settings allow.
const TURNS_USED_UP: i32 = 53;

/// What every failed request is quoted with.
const QUOTE: &str = "[API Error: ";
/// The vendor's sentence for an account without money, behind the quote. Its status is that of a used-up quota.
const NO_CREDIT: &str = "Your prepayment credits are depleted";
/// The vendor's sentence for a model that it does not have: how it begins and goes on. The CLI quotes it without its code.
const NO_MODEL: (&str, &str) = ("models/", " is not found for API version");
/// The CLI's own sentence behind the server's, when the server said how long to wait.
const WAIT: &str = "\nSuggested retry after ";

/// A result line that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The CLI's name for it.
    kind: String,
    message: String,
    /// When the vendor wants to be asked again.
    reset: Option<Timestamp>,
}

impl Failure {
    pub(crate) fn of(line: &Value) -> Self {
        let field = |path: &[&str]| json::at(line, path).and_then(Value::as_str).unwrap_or_default();
        let message = field(&["error", "message"]).to_owned();
        let reset = time::parse(field(&["timestamp"])).zip(wait(&message)).map(|(now, wait)| now.plus(wait));
        Self { kind: field(&["error", "type"]).to_owned(), message, reset }
    }

    pub(crate) fn outcome(&self, exit: Exit) -> TurnOutcome {
        let detail = detail(&self.message);
        match self.kind.as_str() {
            "FatalTurnLimitedError" => return TurnOutcome::MaxTurns,
            "FatalAuthenticationError" => return TurnOutcome::LoginExpired { detail },
            _ => {}
        }
        let quoted = self.message.strip_prefix(QUOTE);
        if quoted.is_some_and(|quoted| quoted.starts_with(NO_CREDIT)) {
            return TurnOutcome::LoginExpired { detail };
        }
        let (start, then) = NO_MODEL;
        if quoted.is_some_and(|quoted| quoted.starts_with(start) && quoted.contains(then)) {
            return TurnOutcome::Misconfigured { detail };
        }
        match (http_status(exit).or_else(|| quoted_status(&self.message)), quoted.is_some()) {
            (Some(status), _) => status::outcome(status, detail, self.reset),
            // A request that got no answer at all.
            (None, true) => TurnOutcome::Overloaded { detail },
            (None, false) => TurnOutcome::Crashed { detail },
        }
    }
}

/// How long the vendor wants to be left alone: whole seconds.
fn wait(message: &str) -> Option<std::time::Duration> {
    let (_, behind) = message.rsplit_once(WAIT)?;
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
    behind[digits.len()..].starts_with('s').then_some(())?;
    digits.parse().ok().map(std::time::Duration::from_secs)
}

/// The code in a server's answer that is quoted whole.
fn quoted_status(message: &str) -> Option<u16> {
    let quoted = message.strip_prefix(QUOTE)?.trim_end().strip_suffix(']')?;
    let answer: Value = serde_json::from_str(quoted).ok()?;
    json::at(&answer, &["error", "code"])?.as_u64().and_then(|code| u16::try_from(code).ok())
}

/// Of the status, the kernel keeps the lower eight bits: 401 becomes 145, 529 becomes 17. Statuses that other exit codes could
/// be mistaken for are left out.
fn http_status(exit: Exit) -> Option<u16> {
    match exit {
        Exit::Code(17) => Some(529),
        Exit::Code(code @ 144..=255) => u16::try_from(code + 256).ok(),
        Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => None,
    }
}

/// The outcome of a run that ended by itself and gave no result. `opened`: it had opened its session.
pub(crate) fn without_result(exit: Exit, resumed: bool, opened: bool, detail: String) -> TurnOutcome {
    match exit {
        Exit::Code(NO_LOGIN) => TurnOutcome::LoginExpired { detail },
        Exit::Code(BAD_INPUT) if resumed && !opened => TurnOutcome::SessionLost,
        Exit::Code(TURNS_USED_UP) => TurnOutcome::MaxTurns,
        Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => match http_status(exit) {
            Some(status) => status::outcome(status, detail, None),
            None => TurnOutcome::Crashed { detail },
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_lower_bits_of_a_status_are_a_status() {
        let statuses: Vec<Option<u16>> = [144, 145, 147, 173, 244, 247, 17, 0, 1, 41, 130, -1]
            .map(|code| http_status(Exit::Code(code)))
            .into();
        assert_eq!(statuses[..7], [400, 401, 403, 429, 500, 503, 529].map(Some));
        assert!(statuses[7..].iter().all(Option::is_none));
    }

    #[test]
    fn a_wait_is_the_clis_last_sentence() {
        assert_eq!(wait("[API Error: x\nSuggested retry after 60s.]\nmore"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Suggested retry after 60s."), None);
        assert_eq!(wait("x\nSuggested retry after soon."), None);
    }
}
