//! What the plans of all vendors' CLIs have in common: the command around their arguments, and values that are safe in one.

use std::path::Path;

use overnight_core::agent::{AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::{CommandSpec, Isolation, Limits, Stdin};

use crate::backend::{HostFacts, PlanError, turn_limits};
use crate::environment::vendor_environment;
use crate::tools;

/// Longest line: the final text of a turn, or all that a command wrote, may come as one line, and a cut line would lose the
/// result. 3 MB were seen.
const LINE_BYTES: usize = 32 << 20;
/// Log of one turn: with partial messages, some 15 bytes per byte the model writes. The result stands at its end, and
/// a turn whose result is not in the log is paid for again after a crash of the runner.
const LOG_BYTES: u64 = 512 << 20;

/// The vendor's program with these arguments and this text on its standard input. The prompt is never an argument: one
/// argument is limited to 128 KiB, and several flags take every word that follows them.
pub(crate) fn command(
    request: &TurnRequest,
    host: &HostFacts,
    args: Vec<String>,
    prompt: String,
) -> CommandSpec {
    let settings = &request.settings;
    let mut spec = CommandSpec::new(&host.program, &request.workspace).args(args);
    spec.env = vendor_environment(settings.backend, &host.env, &request.tmp, settings.billing);
    spec.stdin = Stdin::Bytes(prompt.into_bytes());
    spec.limits = bounded(request);
    spec.isolation = Isolation::Contained(host.guard.clone());
    tools::past_the_proxy(spec, request)
}

/// The bounds of a program that tells its turn line by line.
pub(crate) fn bounded(request: &TurnRequest) -> Limits {
    Limits { line_bytes: LINE_BYTES, log_bytes: LOG_BYTES, ..turn_limits(request) }
}

/// A value that begins with `-` would be read as a flag.
pub(crate) fn check_value(setting: &'static str, value: &str) -> Result<(), PlanError> {
    if value.trim().is_empty() || value.starts_with('-') || value.chars().any(char::is_control) {
        return Err(PlanError::BadValue { setting, value: value.to_owned() });
    }
    Ok(())
}

/// The permission modes of a CLI, in its own words.
pub(crate) struct Modes {
    /// Those that work without a human.
    pub(crate) usable: &'static [&'static str],
    /// Those in which a headless run waits for a human, or is refused everything.
    pub(crate) waiting: &'static [&'static str],
}

impl Modes {
    pub(crate) fn check(&self, settings: &AgentSettings) -> Result<(), PlanError> {
        let Some(mode) = &settings.permission_mode else { return Ok(()) };
        let backend = settings.backend;
        if self.waiting.contains(&mode.as_str()) {
            return Err(PlanError::WaitsForApproval { backend, mode: mode.clone() });
        }
        if !self.usable.contains(&mode.as_str()) {
            return Err(PlanError::UnknownMode { backend, mode: mode.clone() });
        }
        Ok(())
    }
}

/// A session that shall begin under our id, where the CLI takes UUIDs only.
pub(crate) fn check_session(request: &TurnRequest) -> Result<(), PlanError> {
    match &request.session {
        SessionStart::Fresh(id) if !is_uuid(id.as_str()) => {
            Err(PlanError::SessionNotUuid { backend: request.settings.backend, session: id.to_string() })
        }
        SessionStart::Fresh(_) | SessionStart::Resume(_) => Ok(()),
    }
}

/// The prompt for a CLI that has no way to be given the repository's instructions beside it. A session that goes on has read
/// them.
pub(crate) fn prompt_with_instructions(request: &TurnRequest) -> String {
    match (&request.instructions, &request.session) {
        (Some(file), SessionStart::Fresh(_)) => format!(
            "The repository's instructions for agents are in the file {}: read it before you begin.\n\n{}",
            file.display(),
            request.prompt
        ),
        (Some(_), SessionStart::Resume(_)) | (None, _) => request.prompt.clone(),
    }
}

/// The path of a file that is handed to the CLI, beside the prompt.
pub(crate) fn beside_prompt(request: &TurnRequest, name: &str) -> std::path::PathBuf {
    request.prompt_file.parent().unwrap_or(Path::new("/")).join(name)
}

pub(crate) fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use overnight_core::agent::BackendId;

    use super::*;
    use crate::testing::{SESSION, request, session};

    #[test]
    fn a_uuid_is_one() {
        assert!(is_uuid(SESSION) && !is_uuid("7d7f6a52"));
    }

    #[test]
    fn instructions_are_pointed_to_once() {
        let mut request = request(BackendId::Gemini);
        assert_eq!(prompt_with_instructions(&request), request.prompt);
        request.instructions = Some("/job/given/instructions.md".into());
        let fresh = prompt_with_instructions(&request);
        assert!(fresh.contains("/job/given/instructions.md") && fresh.ends_with(&request.prompt), "{fresh}");
        request.session = SessionStart::Resume(session());
        assert_eq!(prompt_with_instructions(&request), request.prompt);
    }
}
