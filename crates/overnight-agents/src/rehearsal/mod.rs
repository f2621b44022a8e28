//! The `rehearsal` backend: the runner's own executable plays an agent from a script, offline and for nothing.
//!
//! Holds the script's types and the protocol between player and driver. The player itself, which has effects, lives in
//! the binary.

mod driver;
pub mod script;
pub mod wire;

use overnight_core::agent::{AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::{CommandSpec, Isolation};

use crate::backend::{HostFacts, PlanError, turn_limits};
use crate::environment::base_environment;

pub(crate) use driver::RehearsalDriver;

/// The hidden subcommand of the runner's executable that performs a script.
pub const SUBCOMMAND: &str = "__rehearse";

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    match &settings.script {
        Some(script) if !script.as_os_str().is_empty() => Ok(()),
        Some(_) | None => Err(PlanError::NoScript),
    }
}

/// `SELF __rehearse --attempt N --turn N --session ID [--resume] --prompt-file FILE -- SCRIPT`
pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    let script = request.settings.script.as_ref().ok_or(PlanError::NoScript)?;
    let mut spec = CommandSpec::new(&host.self_exe, &request.workspace)
        .arg(SUBCOMMAND)
        .args(["--attempt", &request.attempt.to_string(), "--turn", &request.turn.to_string()])
        .args(["--session", request.session.id().as_str()]);
    if matches!(request.session, SessionStart::Resume(_)) {
        spec = spec.arg("--resume");
    }
    spec = spec.arg("--prompt-file").arg(&request.prompt_file).arg("--").arg(script);
    spec.env = base_environment(&host.env, &request.tmp);
    spec.limits = turn_limits(request);
    spec.isolation = Isolation::Contained(host.guard.clone());
    Ok(spec)
}
