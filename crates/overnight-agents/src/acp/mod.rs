//! The `acp` backend: any agent that speaks the Agent Client Protocol, version 1, over its standard input and output.
//!
//! A client of ours runs beside the agent, inside the job's containment: the runner's own executable, started under
//! [`SUBCOMMAND`]. [`client`] decides what it says, without doing anything itself; [`wire`] is what it prints for the driver, so
//! that the log of a turn alone says what became of it.

pub mod client;
mod driver;
mod outcome;
pub mod request;
#[cfg(test)]
mod tests;
pub mod wire;

pub(crate) use driver::AcpDriver;

use overnight_core::agent::adapter::{Hole, Protocol};
use overnight_core::agent::{AgentSettings, BackendId, SessionStart, TurnRequest};
use overnight_core::command::{CommandSpec, Isolation, Stdin};

use crate::adapter::program_path;
use crate::backend::{GivenFile, HostFacts, PlanError};
use crate::common::{Modes, bounded, check_value, prompt_with_instructions};
use crate::environment::{adapter_environment, vendor_behind};
use crate::{qwen, tools};
use wire::{Order, Policy};

/// The hidden subcommand of the runner's executable that talks with an agent. It takes an [`Order`] on standard input.
pub const SUBCOMMAND: &str = "__acp";

/// The mode in which the agent may do what it asks for, which the containment bounds.
const ALLOW: &str = "allow";
/// The mode in which it may look but not change anything.
const READ_ONLY: &str = "read-only";
const MODES: Modes = Modes { usable: &[ALLOW, READ_ONLY], waiting: &["ask", "default"] };

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    MODES.check(settings)?;
    match settings.adapter.as_deref().map(|adapter| &adapter.protocol) {
        Some(Protocol::Acp) => {}
        Some(Protocol::Cli(_)) | None => return Err(PlanError::NoAdapter),
    }
    settings.model.as_ref().map_or(Ok(()), |model| check_value("model", model))
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    let settings = &request.settings;
    let adapter = settings.adapter.as_deref().ok_or(PlanError::NoAdapter)?;
    let order = Order {
        program: program_path(adapter.argv.program(), &request.workspace, host),
        args: adapter.argv.fill(&|hole| value(request, hole)),
        workspace: request.workspace.clone(),
        readable: request.instructions.iter().cloned().collect(),
        resume: match &request.session {
            SessionStart::Fresh(_) => None,
            SessionStart::Resume(id) => Some(id.to_string()),
        },
        tools: request.tools.as_ref().map(|server| wire::Tools {
            url: server.url.clone(),
            authorization: tools::authorization(server),
        }),
        prompt: prompt_with_instructions(request),
        policy: match settings.permission_mode.as_deref() {
            Some(READ_ONLY) => Policy::ReadOnly,
            Some(_) | None => Policy::Allow,
        },
        grace: settings.grace,
    };
    let order = serde_json::to_vec(&order).map_err(|_| PlanError::BadValue {
        setting: "workspace",
        value: request.workspace.display().to_string(),
    })?;
    let mut spec = CommandSpec::new(&host.self_exe, &request.workspace).arg(SUBCOMMAND);
    spec.env = adapter_environment(adapter, &host.env, &request.tmp, settings.billing);
    spec.stdin = Stdin::Bytes(order);
    spec.limits = bounded(request);
    spec.isolation = Isolation::Contained(host.guard.clone());
    let spec = tools::past_the_proxy(spec, request);
    Ok(if is_qwen(request) { qwen::with_settings(spec, request) } else { spec })
}

/// The settings with which this CLI is kept from the repository's own, whatever it speaks.
pub(crate) fn given_file(request: &TurnRequest) -> Option<GivenFile> {
    // Its tools are named by the protocol.
    is_qwen(request).then(|| qwen::settings_file(&TurnRequest { tools: None, ..request.clone() }))
}

fn is_qwen(request: &TurnRequest) -> bool {
    request.settings.adapter.as_deref().and_then(vendor_behind) == Some(BackendId::Qwen)
}

/// What belongs to a session is said by the protocol; the command line has only what the program is started with.
fn value(request: &TurnRequest, hole: Hole) -> Option<String> {
    let path = |path: &std::path::Path| path.to_str().map(str::to_owned);
    match hole {
        Hole::Model => request.settings.model.clone(),
        Hole::Effort => request.settings.effort.map(|effort| effort.as_str().to_owned()),
        Hole::Workspace => path(&request.workspace),
        Hole::Tmp => path(&request.tmp),
        Hole::Instructions => request.instructions.as_deref().and_then(path),
        Hole::Attempt => Some(request.attempt.to_string()),
        Hole::Turn => Some(request.turn.to_string()),
        Hole::Session | Hole::Prompt | Hole::PromptFile => None,
    }
}
