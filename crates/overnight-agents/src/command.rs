//! The `command` backend: any program that edits the tree. Prompt on standard input and in a file, exit status as result.
//!
//! Must not read meaning into what the program prints.

use std::path::{Path, PathBuf};

use overnight_core::agent::{
    AgentEvent, AgentSettings, RemainingLimits, TurnOutcome, TurnReport, TurnRequest, Usage,
};
use overnight_core::command::{CommandSpec, Exit, Isolation, Stdin, StopReason, Stream};
use overnight_core::text;

use crate::backend::{HostFacts, PlanError, turn_limits};
use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS, ErrorTail};
use crate::environment::base_environment;
use crate::tools;

/// `EX_TEMPFAIL` of sysexits.h: "try again later".
const TEMPORARY_FAILURE: i32 = 75;
/// Lines of output that become events; what follows is only in the log.
const EVENT_LINES: u32 = 1_000;

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    match settings.command.first() {
        Some(program) if !program.is_empty() => {}
        Some(_) | None => return Err(PlanError::NoCommand),
    }
    match settings.command.iter().find(|part| part.contains('\0')) {
        Some(part) => Err(PlanError::BadValue { setting: "command", value: part.clone() }),
        None => Ok(()),
    }
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    let (program, arguments) = request.settings.command.split_first().ok_or(PlanError::NoCommand)?;
    let mut spec = CommandSpec::new(program_path(program, &request.workspace), &request.workspace)
        .args(arguments.iter().map(String::as_str));
    spec.env = base_environment(&host.env, &request.tmp);
    spec.stdin = Stdin::Bytes(request.prompt.clone().into_bytes());
    spec.limits = turn_limits(request);
    spec.isolation = Isolation::Contained(host.guard.clone());
    Ok(tools::past_the_proxy(tools::in_environment(spec, request), request)
        .env("OVERNIGHT_PROMPT_FILE", &request.prompt_file)
        .env("OVERNIGHT_ATTEMPT", request.attempt.to_string())
        .env("OVERNIGHT_TURN", request.turn.to_string())
        .env("OVERNIGHT_WORKSPACE", &request.workspace))
}

/// A bare name is looked up in `PATH`; a relative path is one in the workspace.
fn program_path(program: &str, workspace: &Path) -> PathBuf {
    if program.contains('/') { workspace.join(program) } else { PathBuf::from(program) }
}

/// Reader of a turn whose program speaks no protocol.
#[derive(Debug)]
pub(crate) struct CommandDriver {
    errors: ErrorTail,
    remaining: RemainingLimits,
    lines: u32,
    last_words: String,
}

impl CommandDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        Self {
            errors: ErrorTail::default(),
            remaining: request.remaining,
            lines: 0,
            last_words: String::new(),
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        match stream {
            Stream::Stderr => DriverOutput::events(self.errors.push(line)),
            Stream::Stdout => DriverOutput::events(self.said(line)),
        }
    }

    fn said(&mut self, line: &[u8]) -> Option<AgentEvent> {
        let line = text::cut_chars(&text::lossy_line(line), EVENT_CHARS);
        self.remember(&line);
        self.lines = self.lines.saturating_add(1);
        if self.lines <= EVENT_LINES {
            return Some(AgentEvent::Message { text: line });
        }
        let text = format!("more than {EVENT_LINES} lines of output: the rest is only in the log");
        (self.lines == EVENT_LINES + 1).then_some(AgentEvent::Warning { text })
    }

    fn remember(&mut self, line: &str) {
        if !self.last_words.is_empty() {
            self.last_words.push('\n');
        }
        self.last_words.push_str(line);
        // Four bytes per character at most: cutting only at twice that keeps the cost per line constant.
        if self.last_words.len() > 8 * EVENT_CHARS {
            self.last_words = text::tail_chars(&self.last_words, EVENT_CHARS).to_owned();
        }
    }

    pub(crate) fn explain(&self, exit: Exit) -> String {
        self.errors.explain(exit)
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let usage = Usage::default();
        let outcome = ending::stopped(stop, None, &usage, &self.remaining)
            .unwrap_or_else(|| outcome(exit, &self.errors));
        let words = text::tail_chars(self.last_words.trim(), EVENT_CHARS);
        TurnReport {
            outcome,
            session: None,
            usage,
            final_text: (!words.is_empty()).then(|| words.to_owned()),
            asked: None,
            options: Vec::new(),
        }
    }
}

fn outcome(exit: Exit, errors: &ErrorTail) -> TurnOutcome {
    match exit {
        Exit::Code(0) => TurnOutcome::Completed,
        Exit::Code(TEMPORARY_FAILURE) => TurnOutcome::Overloaded { detail: errors.explain(exit) },
        Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => {
            TurnOutcome::Crashed { detail: errors.explain(exit) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use overnight_core::agent::{BackendId, SessionStart};

    use super::*;
    use crate::replay;
    use crate::testing::{exit, host, play, request, session, words};

    fn with_command(parts: &[&str]) -> TurnRequest {
        let mut request = request(BackendId::Command);
        request.settings.command = parts.iter().map(|part| (*part).to_owned()).collect();
        request
    }

    fn ended(code: i32, stop: Option<StopReason>) -> TurnOutcome {
        play(&with_command(&["x"]), b"", "no space\n", &exit(Exit::Code(code), stop)).2.outcome
    }

    #[test]
    fn the_program_gets_its_arguments_untouched_and_the_prompt_twice() {
        let spec = crate::plan(&with_command(&["aider", "--yes", "a b; rm"]), &host()).expect("a plan");
        assert_eq!((spec.program.as_path(), words(&spec)), (Path::new("aider"), vec!["--yes", "a b; rm"]));
        assert_eq!(spec.stdin, Stdin::Bytes(b"--help\nDo the work.".to_vec()));
        assert_eq!(spec.env.get(OsStr::new("OVERNIGHT_PROMPT_FILE")), Some(&"/job/prompt.md".into()));
        assert_eq!(spec.env.get(OsStr::new("OVERNIGHT_ATTEMPT")), Some(&"1".into()));
        assert_eq!(spec.env.get(OsStr::new("OVERNIGHT_TURN")), Some(&"2".into()));
        assert!(!spec.env.values().any(|value| value == "canary"));
    }

    #[test]
    fn a_relative_program_is_one_of_the_workspace() {
        let program = |name| crate::plan(&with_command(&[name]), &host()).expect("a plan").program;
        assert_eq!(program("./agent.sh"), Path::new("/workspace/repo/./agent.sh"));
        assert_eq!(program("/bin/agent"), Path::new("/bin/agent"));
    }

    #[test]
    fn what_the_backend_cannot_do_is_refused() {
        let refused = |request: &TurnRequest| crate::plan(request, &host()).err();
        assert_eq!(refused(&with_command(&[])), Some(PlanError::NoCommand));
        let backend = BackendId::Command;
        let mut resumed = with_command(&["x"]);
        resumed.session = SessionStart::Resume(session());
        assert_eq!(refused(&resumed), Some(PlanError::CannotResume { backend }));
        let mut model = with_command(&["x"]);
        model.settings.model = Some("m".into());
        assert_eq!(refused(&model), Some(PlanError::Unsupported { backend, setting: "model" }));
    }

    #[test]
    fn the_exit_status_is_the_result() {
        assert_eq!(ended(0, None), TurnOutcome::Completed);
        assert_eq!(
            ended(75, None),
            TurnOutcome::Overloaded { detail: "ended with status 75: no space".into() }
        );
        assert_eq!(ended(2, None), TurnOutcome::Crashed { detail: "ended with status 2: no space".into() });
        assert_eq!(ended(0, Some(StopReason::Asked)), TurnOutcome::Stopped);
        assert_eq!(
            ended(0, Some(StopReason::SilenceTimeout { idle: None })),
            TurnOutcome::TimedOut { silent: true, idle: None }
        );
    }

    #[test]
    fn output_is_shown_up_to_a_bound_and_its_end_is_kept() {
        let stdout: String = (1..=5_000).map(|n| format!("line {n} {}\n", "ü".repeat(100))).collect();
        let (events, _, report) =
            play(&with_command(&["x"]), stdout.as_bytes(), "", &exit(Exit::Code(0), None));
        assert_eq!(events.len(), 1_001);
        assert!(matches!(events.last(), Some(AgentEvent::Warning { .. })));
        let words = report.final_text.expect("last words");
        assert!(words.chars().count() == EVENT_CHARS && words.contains("line 5000"));
    }

    #[test]
    fn after_a_crash_of_the_runner_only_a_recorded_status_ends_the_turn() {
        let outcome = |exit| replay(&with_command(&["x"]), b"out\n", exit).map(|report| report.outcome);
        assert_eq!(outcome(Exit::Code(0)), Some(TurnOutcome::Completed));
        assert_eq!(outcome(Exit::Unknown), None);
        assert_eq!(outcome(Exit::Signal(15)), None);
    }
}
