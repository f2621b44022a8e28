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
            | AgentEvent::Warning { .. }
            | AgentEvent::Finished
            | AgentEvent::Raw { .. } => {}
        }
        event
    }

    fn finished(&mut self, result: TurnResult) -> DriverOutput {
        self.usage = result.usage;
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
                let stopped = ending::stopped(stop, &self.usage, &self.remaining);
                let crashed = || TurnOutcome::Crashed { detail: self.errors.explain(exit) };
                (stopped.unwrap_or_else(crashed), self.last_message)
            }
        };
        let session = (outcome != TurnOutcome::SessionLost).then_some(self.session);
        let final_text = words.map(|text| text::cut_chars(&text, EVENT_CHARS));
        TurnReport { outcome, session, usage: self.usage, final_text }
    }
}
