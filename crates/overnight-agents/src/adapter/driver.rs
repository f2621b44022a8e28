//! Reads the output of a described CLI.

use overnight_core::agent::adapter::{CliProtocol, Counted, ExitMeaning, Fields, Hole, OutputFormat};
use overnight_core::agent::{AgentEvent, SessionStart, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use serde_json::Value;

use super::cli_of;
use super::figures::{Figures, text, words};
use crate::command::CommandDriver;
use crate::driver::DriverOutput;
use crate::ending;
use crate::turn::Turn;

/// Longest document that is looked into. A longer one counts as none.
const MAX_DOCUMENT: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct AdapterDriver {
    cli: CliProtocol,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Text(CommandDriver),
    Fields(Box<FieldReader>),
}

impl AdapterDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        let cli = cli_of(&request.settings).cloned().unwrap_or_default();
        let reader = match cli.output {
            OutputFormat::Text => Reader::Text(CommandDriver::new(request)),
            OutputFormat::Json | OutputFormat::Jsonl => {
                Reader::Fields(Box::new(FieldReader::new(request, &cli)))
            }
        };
        Self { cli, reader }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        match &mut self.reader {
            Reader::Text(driver) => driver.on_line(stream, line),
            Reader::Fields(reader) => DriverOutput::events(reader.on_line(stream, line)),
        }
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let Self { cli, reader } = self;
        match reader {
            Reader::Text(driver) => {
                let explained = driver.explain(exit);
                let report = driver.conclude(exit, stop);
                let by_itself = stop.is_none();
                match exit {
                    Exit::Code(status) if by_itself => {
                        TurnReport { outcome: outcome(cli.meaning(status), explained), ..report }
                    }
                    Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => report,
                }
            }
            Reader::Fields(reader) => reader.conclude(&cli, exit, stop),
        }
    }
}

#[derive(Debug)]
struct FieldReader {
    turn: Turn,
    format: OutputFormat,
    fields: Fields,
    figures: Figures,
    /// The session that we named on the command line.
    named: Option<String>,
    /// The one document, as far as it has come.
    document: Vec<u8>,
    answered: bool,
    /// What the program said was wrong, until it answers after all.
    error: Option<String>,
}

impl FieldReader {
    fn new(request: &TurnRequest, cli: &CliProtocol) -> Self {
        let adapter = request.settings.adapter.as_deref();
        let argv = match &request.session {
            SessionStart::Fresh(_) => adapter.map(|adapter| &adapter.argv),
            SessionStart::Resume(_) => cli.resume.as_ref(),
        };
        let names_it = argv.is_some_and(|argv| argv.has(Hole::Session));
        let goes_on = !request.session.is_fresh() && cli.fields.counted == Counted::Session;
        let before = if goes_on { request.used_before } else { Usage::default() };
        Self {
            turn: Turn::new(request),
            format: cli.output,
            fields: cli.fields.clone(),
            figures: Figures::new(cli.fields.counted, before),
            named: names_it.then(|| request.session.id().to_string()),
            document: Vec::new(),
            answered: false,
            error: None,
        }
    }

    fn on_line(&mut self, stream: Stream, line: &[u8]) -> Vec<AgentEvent> {
        match (stream, self.format) {
            (Stream::Stderr, _) => self.turn.complained(line).into_iter().collect(),
            (Stream::Stdout, OutputFormat::Json) => {
                if self.document.len() + line.len() < MAX_DOCUMENT {
                    self.document.extend_from_slice(line);
                    self.document.push(b'\n');
                }
                Vec::new()
            }
            (Stream::Stdout, OutputFormat::Text | OutputFormat::Jsonl) => self.on_output(line),
        }
    }

    fn on_output(&mut self, line: &[u8]) -> Vec<AgentEvent> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Vec::new();
        }
        let value = serde_json::from_slice::<Value>(line).ok().filter(Value::is_object);
        let known = value.and_then(|value| self.take(&value));
        known.unwrap_or_else(|| vec![ending::raw(line)])
    }

    /// What a value says; `None`: nothing that we were told to look for.
    fn take(&mut self, value: &Value) -> Option<Vec<AgentEvent>> {
        let mut events = Vec::new();
        let session = text(value, &self.fields.session).map(str::to_owned);
        let model = text(value, &self.fields.model);
        let mut known = session.is_some() || model.is_some();
        if let Some(session) = session.as_deref().or(self.named.as_deref()) {
            events.extend(self.turn.in_session(Some(session), model));
        }
        if let Some(answer) = words(value, &self.fields.result) {
            (self.answered, self.error, known) = (true, None, true);
            events.extend(self.turn.said(&answer));
        }
        if let Some(error) = words(value, &self.fields.error) {
            let detail = ending::detail(&error);
            events.push(AgentEvent::Warning { text: detail.clone() });
            (self.error, known) = (Some(detail), true);
        }
        if self.figures.take(value, &self.fields) {
            known = true;
            self.turn.usage = self.figures.usage();
            events.extend(self.turn.used());
        }
        known.then_some(events)
    }

    fn conclude(mut self, cli: &CliProtocol, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        if let Ok(value) = serde_json::from_slice::<Value>(&std::mem::take(&mut self.document)) {
            let _ = self.take(&value);
        }
        let outcome = match (self.turn.stopped(stop), exit) {
            (Some(stopped), _) => stopped,
            (None, Exit::Code(status)) => self.judge(cli.meaning(status), exit),
            (None, Exit::Signal(_) | Exit::Unknown) => self.turn.crash(exit),
        };
        self.turn.report(outcome)
    }

    /// An exit status of success says nothing for a program that tells its errors and its answer in its output.
    fn judge(&self, meaning: ExitMeaning, exit: Exit) -> TurnOutcome {
        let detail = self.error.clone().unwrap_or_else(|| self.turn.explain(exit));
        let silent = !self.fields.result.is_empty() && !self.answered;
        match meaning {
            ExitMeaning::Completed if self.error.is_some() => TurnOutcome::Crashed { detail },
            ExitMeaning::Completed if silent => {
                TurnOutcome::Crashed { detail: format!("no result was told: {detail}") }
            }
            meaning => outcome(meaning, detail),
        }
    }
}

fn outcome(meaning: ExitMeaning, detail: String) -> TurnOutcome {
    match meaning {
        ExitMeaning::Completed => TurnOutcome::Completed,
        ExitMeaning::MaxTurns => TurnOutcome::MaxTurns,
        ExitMeaning::RateLimited => TurnOutcome::RateLimited { reset: None, detail },
        ExitMeaning::Overloaded => TurnOutcome::Overloaded { detail },
        ExitMeaning::LoginExpired => TurnOutcome::LoginExpired { detail },
        ExitMeaning::Refused => TurnOutcome::Refused { detail },
        ExitMeaning::NeedsInput => TurnOutcome::NeedsInput { detail },
        ExitMeaning::SessionLost => TurnOutcome::SessionLost,
        ExitMeaning::Crashed => TurnOutcome::Crashed { detail },
    }
}
