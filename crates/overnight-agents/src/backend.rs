//! The registry of backends: whether settings fit one, and the command that starts a turn.
//!
//! Owns no state. Must not know how a vendor's output is read; that is each backend's own module.

use std::path::PathBuf;

use overnight_core::agent::{AgentSettings, BackendId, Effort, SessionStart, TurnRequest};
use overnight_core::command::{CommandSpec, FileGuard, Limits};

use crate::catalogue::capabilities_of;
use crate::environment::Environment;
use crate::{acp, adapter, claude, codex, command, gemini, opencode, qwen, rehearsal, tools};

/// What a plan needs to know about the machine. Gathered by the caller, so that planning stays pure.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// The runner's whole environment; an allow-list is taken from it.
    pub env: Environment,
    /// The vendor's program, absolute; that of an adapter, where it is a bare name. Not used by `command` (its settings name
    /// the program) and `rehearsal`.
    pub program: PathBuf,
    /// Whether the agent will run as root.
    pub root: bool,
    /// Paths the agent must not write or see.
    pub guard: FileGuard,
    /// The runner's own executable, which performs rehearsals.
    pub self_exe: PathBuf,
}

/// Why a turn cannot be started with these settings. Trying again does not help; changing the settings does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("permission mode {mode:?} is refused by the claude CLI for root")]
    UnguardedAsRoot { mode: String },
    #[error("permission mode {mode:?} of the {backend} CLI waits for approvals that nobody gives")]
    WaitsForApproval { backend: BackendId, mode: String },
    #[error("the {backend} CLI has no permission mode {mode:?}")]
    UnknownMode { backend: BackendId, mode: String },
    #[error("the {backend} CLI has no effort {}", effort.as_str())]
    UnknownEffort { backend: BackendId, effort: Effort },
    #[error("model {model:?} does not say whose it is")]
    ModelWithoutProvider { model: String },
    #[error("{setting} cannot be {value:?}: it would not reach the agent's program as one value")]
    BadValue { setting: &'static str, value: String },
    #[error("session {session:?} is not a UUID, which the {backend} CLI demands of a new session")]
    SessionNotUuid { backend: BackendId, session: String },
    #[error("the {backend} backend has no setting for {setting}")]
    Unsupported { backend: BackendId, setting: &'static str },
    #[error("the {backend} backend cannot go on with a session")]
    CannotResume { backend: BackendId },
    #[error("no command is set for the command backend")]
    NoCommand,
    #[error("no adapter says how this agent is started")]
    NoAdapter,
    #[error("the prompt is an argument of {bytes} bytes, and one argument takes less than 128 KiB")]
    ArgumentTooLong { bytes: usize },
    #[error("no script is set for the rehearsal backend")]
    NoScript,
}

impl PlanError {
    /// What to do about it, as one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnguardedAsRoot { .. } => {
                "use permission mode acceptEdits, whose allowed tools suffice, or run as another user"
            }
            Self::WaitsForApproval { backend, .. } | Self::UnknownMode { backend, .. } => {
                usable_modes(*backend)
            }
            Self::UnknownEffort { .. } => "use xhigh, which is its highest",
            Self::ModelWithoutProvider { .. } => "name it as provider/model, as `opencode models` does",
            Self::BadValue { .. } => "remove a leading '-' and control characters",
            Self::SessionNotUuid { .. } => "start new sessions under a UUID",
            Self::Unsupported { .. } => "remove the setting or choose another backend",
            Self::CannotResume { .. } => "start a fresh session",
            Self::NoCommand => "name the program and its arguments",
            Self::NoAdapter => "name the agent's command with --acp, or describe it in [agent.adapters.NAME]",
            Self::ArgumentTooLong { .. } => "set prompt = \"stdin\" or \"file\" in its adapter",
            Self::NoScript => "name the script file",
        }
    }
}

/// What to do about a permission mode that does not work.
fn usable_modes(backend: BackendId) -> &'static str {
    match backend {
        BackendId::Claude => "use acceptEdits, dontAsk or, not as root, bypassPermissions",
        BackendId::Codex => "use workspace-write, danger-full-access or read-only",
        BackendId::Gemini => "use yolo, or auto_edit where the agent needs no shell",
        BackendId::Qwen => "use yolo, or auto-edit where the agent needs no shell",
        BackendId::Acp => "use allow or read-only",
        BackendId::Opencode | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => {
            "leave it out"
        }
    }
}

/// A file that a turn's command reads and that has to be there before it starts. The agent must not be able to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenFile {
    /// Beside the request's prompt file.
    pub path: PathBuf,
    pub content: Vec<u8>,
}

/// The files that go with the command of [`plan`].
#[must_use]
pub fn given_files(request: &TurnRequest) -> Vec<GivenFile> {
    match request.settings.backend {
        BackendId::Claude => tools::claude_file(request).into_iter().collect(),
        BackendId::Qwen => vec![qwen::settings_file(request)],
        BackendId::Acp => acp::given_file(request).into_iter().collect(),
        BackendId::Adapter => adapter::given_file(request).into_iter().collect(),
        BackendId::Codex
        | BackendId::Gemini
        | BackendId::Opencode
        | BackendId::Command
        | BackendId::Rehearsal => Vec::new(),
    }
}

/// Whether the settings fit their backend, so that a job can be refused before it is accepted. `root`: the agent will
/// run as root.
///
/// # Errors
/// The first [`PlanError`] that [`plan`] would give for these settings.
pub fn check(settings: &AgentSettings, root: bool) -> Result<(), PlanError> {
    check_supported(settings)?;
    match settings.backend {
        BackendId::Claude => claude::check(settings, root),
        BackendId::Codex => codex::check(settings),
        BackendId::Gemini => gemini::check(settings),
        BackendId::Qwen => qwen::check(settings),
        BackendId::Opencode => opencode::check(settings),
        BackendId::Acp => acp::check(settings),
        BackendId::Adapter => adapter::check(settings),
        BackendId::Command => command::check(settings),
        BackendId::Rehearsal => rehearsal::check(settings),
    }
}

fn check_supported(settings: &AgentSettings) -> Result<(), PlanError> {
    let can = capabilities_of(settings);
    let asked = [
        ("model", settings.model.is_some(), can.model),
        ("effort", settings.effort.is_some(), can.effort),
        ("permission mode", settings.permission_mode.is_some(), can.permission_mode),
        ("allowed tools", !settings.allowed_tools.is_empty(), can.tool_lists),
        ("disallowed tools", !settings.disallowed_tools.is_empty(), can.tool_lists),
    ];
    match asked.into_iter().find(|(_, asked, can)| *asked && !can) {
        Some((setting, ..)) => Err(PlanError::Unsupported { backend: settings.backend, setting }),
        None => Ok(()),
    }
}

/// The command that starts this turn.
///
/// # Errors
/// [`PlanError`] when the settings or the session do not fit the backend.
pub fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    let settings = &request.settings;
    check(settings, host.root)?;
    let backend = settings.backend;
    if matches!(request.session, SessionStart::Resume(_)) && !capabilities_of(settings).resume {
        return Err(PlanError::CannotResume { backend });
    }
    match backend {
        BackendId::Claude => claude::plan(request, host),
        BackendId::Codex => codex::plan(request, host),
        BackendId::Gemini => gemini::plan(request, host),
        BackendId::Qwen => qwen::plan(request, host),
        BackendId::Opencode => opencode::plan(request, host),
        BackendId::Acp => acp::plan(request, host),
        BackendId::Adapter => adapter::plan(request, host),
        BackendId::Command => command::plan(request, host),
        BackendId::Rehearsal => rehearsal::plan(request, host),
    }
}

/// The bounds that every backend puts on its turn; logs and lines as the defaults say.
pub(crate) fn turn_limits(request: &TurnRequest) -> Limits {
    Limits {
        wall: request.remaining.wall,
        silence: Some(request.settings.silence),
        silence_busy: Some(request.settings.silence_busy),
        grace: request.settings.grace,
        ..Limits::default()
    }
}
