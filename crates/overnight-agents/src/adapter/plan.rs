//! The command line of a described CLI.

use std::path::{Path, PathBuf};

use overnight_core::agent::adapter::{CliProtocol, Hole, PromptWay};
use overnight_core::agent::{Adapter, AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::{CommandSpec, Isolation, Stdin};

use super::cli_of;
use crate::backend::{GivenFile, HostFacts, PlanError};
use crate::common::{beside_prompt, bounded, check_value, prompt_with_instructions};
use crate::environment::adapter_environment;
use crate::tools;

/// Longest argument that Linux takes, with its NUL: 32 pages.
const MAX_ARGUMENT: usize = 128 << 10;

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    if cli_of(settings).is_none() {
        return Err(PlanError::NoAdapter);
    }
    settings.model.as_ref().map_or(Ok(()), |model| check_value("model", model))
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    let settings = &request.settings;
    let (Some(adapter), Some(cli)) = (settings.adapter.as_deref(), cli_of(settings)) else {
        return Err(PlanError::NoAdapter);
    };
    let (program, args) = words(request, adapter, cli)?;
    let mut spec =
        CommandSpec::new(program_path(&program, &request.workspace, host), &request.workspace).args(args);
    spec.env = adapter_environment(adapter, &host.env, &request.tmp, settings.billing);
    spec.stdin = match cli.prompt {
        PromptWay::Stdin => Stdin::Bytes(prompt(request, adapter).into_bytes()),
        PromptWay::File | PromptWay::Argument => Stdin::Null,
    };
    spec.limits = bounded(request);
    spec.isolation = Isolation::Contained(host.guard.clone());
    Ok(tools::past_the_proxy(tools::in_environment(spec, request), request))
}

/// The file that `{prompt_file}` names.
pub(crate) fn given_file(request: &TurnRequest) -> Option<GivenFile> {
    let adapter = request.settings.adapter.as_deref()?;
    let wanted = cli_of(&request.settings)?.prompt == PromptWay::File;
    wanted.then(|| GivenFile { path: prompt_file(request), content: prompt(request, adapter).into_bytes() })
}

fn prompt_file(request: &TurnRequest) -> PathBuf {
    beside_prompt(request, "task.md")
}

/// A path with a slash is one of the workspace, unless it is absolute; a bare name was looked up in `PATH`.
pub(crate) fn program_path(program: &str, workspace: &Path, host: &HostFacts) -> PathBuf {
    if program.contains('/') { workspace.join(program) } else { host.program.clone() }
}

fn words(
    request: &TurnRequest,
    adapter: &Adapter,
    cli: &CliProtocol,
) -> Result<(String, Vec<String>), PlanError> {
    let argv = match (&request.session, &cli.resume) {
        (SessionStart::Fresh(_), _) => &adapter.argv,
        (SessionStart::Resume(_), Some(resume)) => resume,
        (SessionStart::Resume(_), None) => {
            return Err(PlanError::CannotResume { backend: request.settings.backend });
        }
    };
    check_value("session", request.session.id().as_str())?;
    let args = argv.fill(&|hole| value(request, adapter, hole));
    match args.iter().find(|arg| arg.len() >= MAX_ARGUMENT) {
        Some(long) => Err(PlanError::ArgumentTooLong { bytes: long.len() }),
        None => Ok((argv.program().to_owned(), args)),
    }
}

fn value(request: &TurnRequest, adapter: &Adapter, hole: Hole) -> Option<String> {
    let path = |path: &Path| path.to_str().map(str::to_owned);
    match hole {
        Hole::Model => request.settings.model.clone(),
        Hole::Effort => request.settings.effort.map(|effort| effort.as_str().to_owned()),
        Hole::Session => Some(request.session.id().to_string()),
        Hole::Prompt => Some(as_argument(prompt(request, adapter))),
        Hole::PromptFile => path(&prompt_file(request)),
        Hole::Instructions => request.instructions.as_deref().and_then(path),
        Hole::Workspace => path(&request.workspace),
        Hole::Tmp => path(&request.tmp),
        Hole::Attempt => Some(request.attempt.to_string()),
        Hole::Turn => Some(request.turn.to_string()),
    }
}

/// Where the program is given the repository's instructions by a word of its own, the prompt need not point to them.
fn prompt(request: &TurnRequest, adapter: &Adapter) -> String {
    if adapter.argv.has(Hole::Instructions) {
        return request.prompt.clone();
    }
    prompt_with_instructions(request)
}

/// A text that begins with `-` would be read as a flag.
fn as_argument(prompt: String) -> String {
    if prompt.starts_with('-') { format!("\n{prompt}") } else { prompt }
}
