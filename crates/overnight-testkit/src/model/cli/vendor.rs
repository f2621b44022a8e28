//! How each vendor's CLI is started without a terminal, an account or a network: arguments, environment, settings.
//!
//! Owns no state. What a test adds comes after these.

use super::{Login, Start};
use crate::tools::{self, Program};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Whose CLI it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Vendor {
    Claude,
    Codex,
    Gemini,
    Qwen,
    Opencode,
}

/// What each CLI is told that its model is called. The name decides which tools the Codex CLI offers.
const CODEX_MODEL: &str = "gpt-5.5";

impl Vendor {
    pub(in crate::model) fn program(self) -> Result<Program, String> {
        match self {
            Self::Claude => tools::claude().map(Program::from),
            Self::Codex => tools::codex().map(Program::from),
            Self::Gemini => tools::gemini(),
            Self::Qwen => tools::qwen(),
            Self::Opencode => tools::opencode().map(Program::from),
        }
    }

    /// The settings file below the home folder, and what a test needs in it.
    pub(super) fn settings(self) -> Option<(&'static str, Value)> {
        match self {
            Self::Gemini => Some((".gemini/settings.json", gemini_settings())),
            Self::Qwen => Some((".qwen/settings.json", qwen_settings())),
            Self::Claude | Self::Codex | Self::Opencode => None,
        }
    }

    /// Folders below the home folder that have to be there.
    pub(super) fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Codex => &[".codex"],
            Self::Gemini => &[".gemini"],
            Self::Qwen => &[".qwen"],
            Self::Claude | Self::Opencode => &[],
        }
    }

    pub(super) fn prepare(self, command: &mut Command, home: &Path, start: &Start<'_>) {
        match self {
            Self::Claude => claude(command, start),
            Self::Codex => codex(command, home, start),
            Self::Gemini => gemini(command, start),
            Self::Qwen => qwen(command, start),
            Self::Opencode => opencode(command, start),
        }
    }
}

fn claude(command: &mut Command, start: &Start<'_>) {
    command.args(["-p", "--output-format", "stream-json", "--verbose", "--model", "claude-sonnet-4-5"]);
    command.args(start.arguments);
    if let Some(session) = start.resume {
        command.args(["--resume", session]);
    }
    command.env("ANTHROPIC_BASE_URL", &start.base_url);
    match start.login {
        Login::ApiKey => command.env("ANTHROPIC_API_KEY", "test-key"),
        Login::Subscription => command.env("CLAUDE_CODE_OAUTH_TOKEN", "test-token"),
        Login::Nothing => command,
    };
    for variable in [
        "DISABLE_TELEMETRY",
        "DISABLE_AUTOUPDATER",
        "DISABLE_ERROR_REPORTING",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    ] {
        command.env(variable, "1");
    }
}

/// A provider of its own: the built-in one ignores a base URL, or tries WebSockets first. Without the CLI's sandbox,
/// which not every machine that runs tests can make.
fn codex(command: &mut Command, home: &Path, start: &Start<'_>) {
    command.args(["exec", "--json", "--model", start.model.unwrap_or(CODEX_MODEL)]);
    command.args(["--sandbox", "danger-full-access"]);
    let provider = "model_providers.scripted";
    let settings = [
        "model_provider=\"scripted\"".to_owned(),
        format!("{provider}.name=\"scripted\""),
        format!("{provider}.base_url=\"{}/v1\"", start.base_url),
        format!("{provider}.env_key=\"SCRIPTED_KEY\""),
        format!("{provider}.wire_api=\"responses\""),
        format!("{provider}.request_max_retries=1"),
        format!("{provider}.stream_max_retries=1"),
        "analytics.enabled=false".to_owned(),
        "check_for_update_on_startup=false".to_owned(),
    ];
    for setting in settings {
        command.args(["-c", &setting]);
    }
    command.args(start.arguments);
    if let Some(session) = start.resume {
        command.args(["resume", session]);
    }
    command.arg("-").env("CODEX_HOME", home.join(".codex"));
    if start.login != Login::Nothing {
        command.env("SCRIPTED_KEY", "test-key");
    }
}

fn gemini(command: &mut Command, start: &Start<'_>) {
    command.args(["--model", "gemini-2.5-pro", "--output-format", "stream-json", "--approval-mode", "yolo"]);
    command.args(start.arguments);
    if let Some(session) = start.resume {
        command.args(["--resume", session]);
    }
    command.env("GOOGLE_GEMINI_BASE_URL", &start.base_url);
    // Without it, the CLI is a parent process that ignores a request to end.
    command.env("GEMINI_CLI_NO_RELAUNCH", "true");
    command.env("GEMINI_CLI_TRUST_WORKSPACE", "true").env("GEMINI_TELEMETRY_ENABLED", "false");
    if start.login != Login::Nothing {
        command.env("GEMINI_API_KEY", "test-key");
    }
}

fn gemini_settings() -> Value {
    json!({"security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": false, "maxAttempts": 1},
        "model": {"maxSessionTurns": 30},
        "privacy": {"usageStatisticsEnabled": false}, "telemetry": {"enabled": false}})
}

fn qwen(command: &mut Command, start: &Start<'_>) {
    command.args(["--output-format", "stream-json", "--approval-mode", "yolo"]);
    command.args(start.arguments);
    if let Some(session) = start.resume {
        command.args(["--resume", session]);
    }
    command.env("OPENAI_BASE_URL", format!("{}/v1", start.base_url)).env("OPENAI_MODEL", "scripted-model");
    command.env("QWEN_TELEMETRY_ENABLED", "false").env("QWEN_CODE_NO_RELAUNCH", "true");
    command.env("QWEN_CODE_SUPPRESS_YOLO_WARNING", "1");
    if start.login != Login::Nothing {
        command.env("OPENAI_API_KEY", "test-key");
    }
}

/// Commits stay as the model made them, and no agent gathers memories in the background.
fn qwen_settings() -> Value {
    json!({"security": {"auth": {"selectedType": "openai"}},
        "privacy": {"usageStatisticsEnabled": false}, "telemetry": {"enabled": false},
        "general": {"enableAutoUpdate": false, "gitCoAuthor": {"commit": false, "pr": false}},
        "memory": {"enableManagedAutoMemory": false, "enableManagedAutoDream": false, "enableAutoSkill": false},
        "model": {"generationConfig": {"maxRetries": 0}}})
}

fn opencode(command: &mut Command, start: &Start<'_>) {
    command.args(["run", "--format", "json"]);
    command.args(start.arguments);
    if let Some(session) = start.resume {
        command.args(["--session", session]);
    }
    for switch in ["AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS", "SHARE"] {
        command.env(format!("OPENCODE_DISABLE_{switch}"), "1");
    }
    // The CLI fetches a package of its own on the first run; nothing listens here.
    command.env("npm_config_registry", "http://127.0.0.1:9/");
    let key = if start.login == Login::Nothing { "" } else { "test-key" };
    let model = json!({"name": "m1", "tool_call": true, "limit": {"context": 200_000, "output": 32_000},
        "cost": {"input": 3, "output": 15}});
    let options = json!({"baseURL": format!("{}/v1", start.base_url), "apiKey": key});
    let provider = json!({"npm": "@ai-sdk/openai-compatible", "name": "Scripted", "options": options,
        "models": {"m1": model}});
    let config = json!({"model": "scripted/m1", "small_model": "scripted/m1", "share": "disabled",
        "autoupdate": false, "provider": {"scripted": provider}});
    command.env("OPENCODE_CONFIG_CONTENT", config.to_string());
}

/// Where a CLI keeps its sessions, below the home folder.
pub(super) fn sessions(vendor: Vendor, home: &Path) -> PathBuf {
    home.join(match vendor {
        Vendor::Claude => ".claude/projects",
        Vendor::Codex => ".codex/sessions",
        Vendor::Gemini => ".gemini/tmp",
        Vendor::Qwen => ".qwen/projects",
        Vendor::Opencode => ".local/share/opencode",
    })
}
