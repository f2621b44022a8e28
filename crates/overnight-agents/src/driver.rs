//! One turn's reader: takes the lines of a running agent, gives events, and concludes with a report.
//!
//! Owns what the chosen backend remembers of the turn. Must not decide what happens after the turn.

use overnight_core::agent::{AgentEvent, BackendId, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, ExitReport, StopReason, Stream};
use overnight_core::id::SessionId;

use crate::acp::AcpDriver;
use crate::adapter::AdapterDriver;
use crate::claude::ClaudeDriver;
use crate::codex::CodexDriver;
use crate::command::CommandDriver;
use crate::gemini::GeminiDriver;
use crate::opencode::OpencodeDriver;
use crate::qwen::QwenDriver;
use crate::rehearsal::RehearsalDriver;

/// What follows from one line.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct DriverOutput {
    pub events: Vec<AgentEvent>,
    /// Bytes to write to the agent.
    pub stdin: Vec<u8>,
    /// Close the agent's input after writing.
    pub close_stdin: bool,
    /// The agent said that its turn is over. It gets some time to leave and is then ended.
    pub finished: bool,
}

impl DriverOutput {
    pub(crate) fn events(events: impl IntoIterator<Item = AgentEvent>) -> Self {
        Self { events: events.into_iter().collect(), ..Self::default() }
    }
}

/// The reader of one turn, and the model that it is known to use.
#[derive(Debug)]
pub struct Driver(Kind, Option<String>);

#[derive(Debug)]
enum Kind {
    Claude(Box<ClaudeDriver>),
    Codex(Box<CodexDriver>),
    Gemini(Box<GeminiDriver>),
    Qwen(Box<QwenDriver>),
    Opencode(Box<OpencodeDriver>),
    Acp(Box<AcpDriver>),
    Adapter(Box<AdapterDriver>),
    Command(CommandDriver),
    Rehearsal(Box<RehearsalDriver>),
}

impl Kind {
    /// The model by whose list price the whole turn may be estimated. Claude's own reader prices each message by the model that
    /// wrote it; what it does not know has no price.
    fn priced_as<'a>(&self, model: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Codex(_) | Self::Gemini(_) | Self::Qwen(_) | Self::Opencode(_) => model,
            Self::Claude(_) | Self::Acp(_) | Self::Adapter(_) | Self::Command(_) | Self::Rehearsal(_) => None,
        }
    }
}

/// The reader for the turn that [`crate::plan`] planned.
#[must_use]
pub fn driver(request: &TurnRequest) -> Driver {
    let kind = match request.settings.backend {
        BackendId::Claude => Kind::Claude(Box::new(ClaudeDriver::new(request))),
        BackendId::Codex => Kind::Codex(Box::new(CodexDriver::new(request))),
        BackendId::Gemini => Kind::Gemini(Box::new(GeminiDriver::new(request))),
        BackendId::Qwen => Kind::Qwen(Box::new(QwenDriver::new(request))),
        BackendId::Opencode => Kind::Opencode(Box::new(OpencodeDriver::new(request))),
        BackendId::Acp => Kind::Acp(Box::new(AcpDriver::new(request))),
        BackendId::Adapter => Kind::Adapter(Box::new(AdapterDriver::new(request))),
        BackendId::Command => Kind::Command(CommandDriver::new(request)),
        BackendId::Rehearsal => Kind::Rehearsal(Box::new(RehearsalDriver::new(request))),
    };
    Driver(kind, request.settings.model.clone())
}

impl Driver {
    /// Takes one line, with or without its line ending. A line that cannot be understood is never a failure.
    pub fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        let mut output = match &mut self.0 {
            Kind::Claude(driver) => driver.on_line(stream, line),
            Kind::Codex(driver) => driver.on_line(stream, line),
            Kind::Gemini(driver) => driver.on_line(stream, line),
            Kind::Qwen(driver) => driver.on_line(stream, line),
            Kind::Opencode(driver) => driver.on_line(stream, line),
            Kind::Acp(driver) => driver.on_line(stream, line),
            Kind::Adapter(driver) => driver.on_line(stream, line),
            Kind::Command(driver) => driver.on_line(stream, line),
            Kind::Rehearsal(driver) => driver.on_line(stream, line),
        };
        output.events.iter_mut().for_each(|event| self.price(event));
        output
    }

    /// Puts our estimate where the vendor tells tokens and no money.
    fn price(&mut self, event: &mut AgentEvent) {
        match event {
            AgentEvent::SessionStarted { model: Some(model), .. } => self.1 = Some(model.clone()),
            AgentEvent::UsageSoFar { usage } => {
                *usage = usage.or_estimated(self.0.priced_as(self.1.as_deref()))
            }
            AgentEvent::SessionStarted { model: None, .. }
            | AgentEvent::Message { .. }
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
    }

    /// What the turn amounts to. A result that the agent's program gave wins over the way the program ended: the work is
    /// done and paid for, even when a stop came while the program was leaving.
    #[must_use]
    pub fn finish(self, exit: &ExitReport) -> TurnReport {
        self.conclude(exit.exit, exit.stopped)
    }

    fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let model = self.0.priced_as(self.1.as_deref()).map(str::to_owned);
        let report = match self.0 {
            Kind::Claude(driver) => driver.conclude(exit, stop),
            Kind::Codex(driver) => driver.conclude(exit, stop),
            Kind::Gemini(driver) => driver.conclude(exit, stop),
            Kind::Qwen(driver) => driver.conclude(exit, stop),
            Kind::Opencode(driver) => driver.conclude(exit, stop),
            Kind::Acp(driver) => driver.conclude(exit, stop),
            Kind::Adapter(driver) => driver.conclude(exit, stop),
            Kind::Command(driver) => driver.conclude(exit, stop),
            Kind::Rehearsal(driver) => driver.conclude(exit, stop),
        };
        TurnReport { usage: report.usage.or_estimated(model.as_deref()), ..report }
    }

    /// Whether the turn is known to be over, given how its program ended.
    fn is_over(&self, exit: Exit) -> bool {
        match &self.0 {
            Kind::Claude(driver) => driver.is_over(),
            Kind::Codex(driver) => driver.is_over(),
            Kind::Gemini(driver) => driver.is_over(),
            Kind::Qwen(driver) => driver.is_over(),
            Kind::Opencode(driver) => driver.is_over(exit),
            Kind::Acp(driver) => driver.is_over(),
            Kind::Adapter(_) | Kind::Command(_) => matches!(exit, Exit::Code(_)),
            Kind::Rehearsal(driver) => driver.is_over(),
        }
    }
}

/// What is left of a turn that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// The session to resume; `None`: the next turn must start afresh, under a new session id.
    pub session: Option<SessionId>,
    /// What the turn had used when it was cut.
    pub usage: Usage,
}

/// Reads the standard output of a turn again after the runner was killed. `Some` when the turn had come to its end, so
/// that it is not paid for twice; `None` when it must be resumed or started again. A backend without a result line has
/// ended when its exit status is on record.
#[must_use]
pub fn replay(request: &TurnRequest, stdout_log: &[u8], exit: Exit) -> Option<TurnReport> {
    let driver = read_log(request, stdout_log);
    driver.is_over(exit).then(|| driver.conclude(exit, None))
}

/// What a turn left behind that [`replay`] did not find finished: the session to go on with, if it was opened, and the
/// usage that must be charged all the same.
#[must_use]
pub fn salvage(request: &TurnRequest, stdout_log: &[u8]) -> Salvage {
    let report = read_log(request, stdout_log).conclude(Exit::Unknown, None);
    Salvage { session: report.session, usage: report.usage }
}

fn read_log(request: &TurnRequest, stdout_log: &[u8]) -> Driver {
    let mut driver = driver(request);
    for line in stdout_log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        driver.on_line(Stream::Stdout, line);
    }
    driver
}
