//! Reads the lines of a rehearsal.
//!
//! Owns what one turn has shown so far. Treats the player as it would a vendor's program: a line that is not understood
//! is kept raw, and only a result line is a result.

use overnight_core::agent::{AgentEvent, RemainingLimits, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use overnight_core::id::SessionId;
use overnight_core::text;

use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS, ErrorTail};
use crate::rehearsal::wire::{Line, TurnResult, decode};

#[derive(Debug)]
pub(crate) struct RehearsalDriver {
    session: SessionId,
    remaining: RemainingLimits,
    usage: Usage,
    last_message: Option<String>,
    result: Option<TurnResult>,
    asked: Option<String>,
    options: Vec<String>,
    errors: ErrorTail,
}

impl RehearsalDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        Self {
            session: request.session.id().clone(),
            remaining: request.remaining,
            usage: Usage::default(),
            last_message: None,
            result: None,
            asked: None,
            options: Vec::new(),
            errors: ErrorTail::default(),
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        if stream == Stream::Stderr {
            return DriverOutput::events(self.errors.push(line));
        }
        match decode(line) {
            Some(Line::Event(event)) => DriverOutput::events([self.note(event)]),
            Some(Line::Result(result)) => self.finished(result),
            None => DriverOutput::events([ending::raw(line)]),
        }
    }

    fn note(&mut self, event: AgentEvent) -> AgentEvent {
        match &event {
            AgentEvent::UsageSoFar { usage } => self.usage = *usage,
            AgentEvent::Message { text } => self.last_message = Some(text::cut_chars(text, EVENT_CHARS)),
            AgentEvent::SessionStarted { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::ToolStarted { .. }
            | AgentEvent::ToolFinished { .. }
            | AgentEvent::Retrying { .. }
            | AgentEvent::PermissionDenied { .. }
            | AgentEvent::Quota { .. }
            | AgentEvent::Warning { .. }
            | AgentEvent::Finished
            | AgentEvent::Raw { .. } => {}
        }
        event
    }

    fn finished(&mut self, result: TurnResult) -> DriverOutput {
        self.usage = result.usage;
        self.asked.clone_from(&result.asked);
        self.options.clone_from(&result.options);
        self.result = Some(result);
        let events = [AgentEvent::UsageSoFar { usage: self.usage }, AgentEvent::Finished];
        DriverOutput { finished: true, ..DriverOutput::events(events) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.result.is_some()
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let (outcome, words) = match self.result {
            Some(result) => (result.outcome, result.final_text.or(self.last_message)),
            None => {
                let stopped = ending::stopped(stop, None, &self.usage, &self.remaining);
                let crashed = || TurnOutcome::Crashed { detail: self.errors.explain(exit) };
                (stopped.unwrap_or_else(crashed), self.last_message)
            }
        };
        let session = (outcome != TurnOutcome::SessionLost).then_some(self.session);
        let final_text = words.map(|text| text::cut_chars(&text, EVENT_CHARS));
        TurnReport {
            outcome,
            session,
            usage: self.usage,
            final_text,
            asked: self.asked,
            options: self.options,
        }
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::agent::{BackendId, SessionStart};
    use overnight_core::units::MicroDollars;

    use super::*;
    use crate::rehearsal::script::Garbage;
    use crate::rehearsal::wire::{encode_event, encode_result};
    use crate::testing::{exit, host, play, request, session, words};
    use crate::{PlanError, replay};

    fn rehearsed() -> TurnRequest {
        let mut request = request(BackendId::Rehearsal);
        request.settings.script = Some("/scripts/night.toml".into());
        request
    }

    fn usage() -> Usage {
        Usage { input_tokens: 5, cost: Some(MicroDollars(7)), ..Usage::default() }
    }

    fn said(text: &str) -> Vec<u8> {
        encode_event(&AgentEvent::Message { text: text.into() }).expect("a line").into_bytes()
    }

    fn result(outcome: TurnOutcome) -> Vec<u8> {
        let result =
            TurnResult { outcome, usage: usage(), final_text: None, asked: None, options: Vec::new() };
        encode_result(&result).expect("a line").into_bytes()
    }

    #[test]
    fn the_runner_plays_the_script_itself() {
        let mut request = rehearsed();
        request.session = SessionStart::Resume(session());
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(spec.program, host().self_exe);
        assert_eq!(
            words(&spec).join(" "),
            "__rehearse --attempt 1 --turn 2 --session 7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11 --resume \
             --prompt-file /job/prompt.md -- /scripts/night.toml"
        );
        request.settings.script = None;
        assert_eq!(crate::plan(&request, &host()).err(), Some(PlanError::NoScript));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let events = [
            AgentEvent::SessionStarted { session: Some(session()), model: None },
            AgentEvent::ToolStarted { tool: "Bash".into(), summary: "true".into() },
            AgentEvent::ToolFinished { tool: "Bash".into(), ok: true },
            AgentEvent::UsageSoFar { usage: usage() },
            AgentEvent::Retrying { attempt: 1, status: Some(529) },
            AgentEvent::Finished,
        ];
        for event in events {
            let line = encode_event(&event).expect("a line");
            assert_eq!(decode(line.trim_end().as_bytes()), Some(Line::Event(event)), "{line}");
        }
        let limited = TurnOutcome::RateLimited { reset: None, detail: "x".into() };
        let (events, finished, report) = play(
            &rehearsed(),
            &[said("bye"), result(limited.clone())].concat(),
            "",
            &exit(Exit::Code(0), None),
        );
        assert!(finished && events.last() == Some(&AgentEvent::Finished));
        assert_eq!(
            report,
            TurnReport {
                outcome: limited,
                session: Some(session()),
                usage: usage(),
                final_text: Some("bye".into()),
                asked: None,
                options: Vec::new(),
            }
        );
    }

    #[test]
    fn garbage_is_survived_and_a_fake_result_is_a_message() {
        let long = Garbage::LongLine { bytes: 100_000 };
        let stdout = [Garbage::Binary, Garbage::FakeResult, long, Garbage::HalfLine]
            .map(|garbage| garbage.bytes())
            .concat();
        let (events, finished, report) = play(&rehearsed(), &stdout, "", &exit(Exit::Code(0), None));
        let raw = |event: &AgentEvent| matches!(event, AgentEvent::Raw { .. });
        assert_eq!(events.iter().map(raw).collect::<Vec<_>>(), [true, false, true, true]);
        assert!(!finished);
        assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 0".into() });
    }

    #[test]
    fn only_a_result_ends_a_turn_that_nobody_saw_end() {
        let done = [said("bye"), result(TurnOutcome::Completed)].concat();
        assert_eq!(
            replay(&rehearsed(), &done, Exit::Unknown).map(|r| r.outcome),
            Some(TurnOutcome::Completed)
        );
        assert_eq!(replay(&rehearsed(), &said("bye"), Exit::Code(0)), None);
    }

    #[test]
    fn a_turn_that_hangs_ends_as_it_was_ended() {
        let outcome = |stop| play(&rehearsed(), &said("x"), "", &exit(Exit::Signal(9), Some(stop))).2.outcome;
        assert_eq!(
            outcome(StopReason::SilenceTimeout { idle: None }),
            TurnOutcome::TimedOut { silent: true, idle: None }
        );
        assert_eq!(outcome(StopReason::Asked), TurnOutcome::Stopped);
    }
}
