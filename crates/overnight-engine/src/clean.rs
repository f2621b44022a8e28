//! Takes the secrets that the runner knows out of what an agent said, before it is shown or becomes part of the job's
//! record. The words are cleaned after they were decoded, so that a secret that looks like a piece of the vendor's protocol
//! cannot change what a turn came to.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use overnight_core::agent::{AgentEvent, TurnOutcome, TurnReport};
use overnight_proc::Redact;

/// A report as it may be stored.
pub(crate) fn report(mut report: TurnReport, redact: &dyn Redact) -> TurnReport {
    if let Some(words) = &mut report.final_text {
        text(words, redact);
    }
    if let Some(question) = &mut report.asked {
        text(question, redact);
    }
    for option in &mut report.options {
        text(option, redact);
    }
    match &mut report.outcome {
        TurnOutcome::RateLimited { detail, .. }
        | TurnOutcome::Overloaded { detail }
        | TurnOutcome::LoginExpired { detail }
        | TurnOutcome::NeedsInput { detail }
        | TurnOutcome::Refused { detail }
        | TurnOutcome::Misconfigured { detail }
        | TurnOutcome::Looped { detail }
        | TurnOutcome::ContextFull { detail }
        | TurnOutcome::Crashed { detail } => text(detail, redact),
        TurnOutcome::Completed
        | TurnOutcome::MaxTurns
        | TurnOutcome::BudgetStop { .. }
        | TurnOutcome::TimedOut { .. }
        | TurnOutcome::SessionLost
        | TurnOutcome::Stopped => {}
    }
    report
}

/// An event as it may be shown.
pub(crate) fn event(mut event: AgentEvent, redact: &dyn Redact) -> AgentEvent {
    match &mut event {
        AgentEvent::Message { text: words }
        | AgentEvent::Reasoning { text: words }
        | AgentEvent::Warning { text: words }
        | AgentEvent::ToolStarted { summary: words, .. }
        | AgentEvent::Raw { line: words } => text(words, redact),
        AgentEvent::SessionStarted { .. }
        | AgentEvent::ToolFinished { .. }
        | AgentEvent::UsageSoFar { .. }
        | AgentEvent::Retrying { .. }
        | AgentEvent::PermissionDenied { .. }
        | AgentEvent::Quota { .. }
        | AgentEvent::Finished => {}
    }
    event
}

/// What an agent said, as it may be stored.
pub(crate) fn text(words: &mut String, redact: &dyn Redact) {
    if let Cow::Owned(clean) = redact.redact_line(words.as_bytes()) {
        *words = String::from_utf8_lossy(&clean).into_owned();
    }
}

/// Cleans what a dead runner left unread of a turn's output. Can be repeated, and broken off at any point.
///
/// # Errors
/// When it cannot be read or written anew.
pub(crate) fn tail(stdout_log: &Path, redact: &dyn Redact) -> io::Result<()> {
    let raw = overnight_proc::read_tail(stdout_log)?;
    let mut clean = Vec::with_capacity(raw.len());
    let mut changed = false;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let line = redact.redact_line(line);
        changed |= matches!(line, Cow::Owned(_));
        clean.extend_from_slice(&line);
    }
    if !changed {
        return Ok(());
    }
    let path = overnight_proc::tail_path(stdout_log);
    let mut beside = path.clone().into_os_string();
    beside.push(".clean");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    io::Write::write_all(&mut file, &clean)?;
    fs::rename(&beside, &path)
}

#[cfg(test)]
mod tests {
    use overnight_core::redact::Redactor;

    use super::*;

    struct Masks(Redactor);

    impl Redact for Masks {
        fn redact_line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
            self.0.redact_line(line)
        }
    }

    fn masks() -> Masks {
        Masks(Redactor::new(["canary-secret"]).0)
    }

    #[test]
    fn words_and_explanations_are_cleaned() {
        let outcome = TurnOutcome::Crashed { detail: "key canary-secret refused".to_owned() };
        let final_text = Some("one\nI used canary-secret\n".to_owned());
        let said = TurnReport {
            outcome,
            session: None,
            usage: Default::default(),
            final_text,
            asked: None,
            options: Vec::new(),
        };
        let told = format!("{:?}", report(said, &masks()));
        assert!(!told.contains("canary") && told.contains("refused") && told.contains("I used"), "{told}");
        let shown = event(
            AgentEvent::ToolStarted { tool: "Bash".into(), summary: "echo canary-secret".into() },
            &masks(),
        );
        assert!(!format!("{shown:?}").contains("canary"), "{shown:?}");
    }

    #[test]
    fn a_tail_is_cleaned_in_place_and_a_clean_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("turn-1.out.jsonl");
        tail(&log, &masks()).unwrap();
        assert!(!overnight_proc::tail_path(&log).exists());
        fs::write(overnight_proc::tail_path(&log), "half of a line\nwith canary-secret\nlast").unwrap();
        tail(&log, &masks()).unwrap();
        tail(&log, &masks()).unwrap();
        let left = String::from_utf8(overnight_proc::read_tail(&log).unwrap()).unwrap();
        assert_eq!(left, "half of a line\nwith [redacted]\nlast");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
