//! A place whose agent is one of the other vendors' real CLIs, with a scripted model behind it.

use std::path::PathBuf;

use overnight_testkit::model::Scenario;
use overnight_testkit::tools::{self, Program};
use serde_json::json;

use crate::harness::model::{KEY, Model};
use crate::harness::{Place, skipped};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Codex,
    Gemini,
    Qwen,
    Opencode,
}

impl Vendor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Qwen => "qwen",
            Self::Opencode => "opencode",
        }
    }

    pub(crate) fn program(self) -> Result<Program, String> {
        match self {
            Self::Codex => tools::codex().map(Program::from),
            Self::Gemini => tools::gemini(),
            Self::Qwen => tools::qwen(),
            Self::Opencode => tools::opencode().map(Program::from),
        }
    }

    pub(super) fn model(self) -> &'static str {
        match self {
            Self::Codex => "gpt-5.5",
            Self::Gemini => "gemini-2.5-pro",
            Self::Qwen => "scripted-model",
            Self::Opencode => "scripted/m1",
        }
    }

    /// What a session holds while its first command runs: the call, or only the task.
    pub(crate) fn kept<'a>(self, command: &'a str, task: &'a str) -> &'a str {
        match self {
            Self::Codex | Self::Qwen | Self::Opencode => command,
            Self::Gemini => task,
        }
    }

    /// Where the CLI keeps its sessions, below the home directory.
    pub(crate) fn sessions(self) -> &'static str {
        match self {
            Self::Codex => ".codex/sessions",
            Self::Gemini => ".gemini/tmp",
            Self::Qwen => ".qwen",
            Self::Opencode => ".local/share/opencode",
        }
    }
}

/// `None`, and said so, where the CLI is not installed.
pub(crate) fn place(vendor: Vendor, test: &str) -> Option<Place> {
    let program = vendor.program().inspect_err(|reason| skipped(test, reason)).ok()?;
    let mut place = Place::new();
    let name = vendor.name();
    let program = one_file(&place, name, &program);
    place.env("OVERNIGHT_AGENT_DEFAULT", name);
    place.env(&format!("OVERNIGHT_AGENT_PROGRAM_{}", name.to_uppercase()), program);
    place.env("OVERNIGHT_AGENT_MODEL", vendor.model()).env("OVERNIGHT_AGENT_GRACE", "2s");
    place.env("OVERNIGHT_AGENT_BILLING", "key");
    Some(place)
}

/// A person installs a CLI under one name; a script that needs an interpreter gets one here.
pub(super) fn one_file(place: &Place, name: &str, program: &Program) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    if program.arguments.is_empty() {
        return program.path.clone();
    }
    let words = std::iter::once(program.path.as_os_str()).chain(program.arguments.iter().map(AsRef::as_ref));
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let file = place.write(&format!("bin/{name}"), &format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// Puts a model behind the place's agent, as a person would: in the CLI's own settings and variables.
pub(crate) fn model(vendor: Vendor, place: &mut Place, scenario: Scenario) -> Model {
    let model = Model::start(scenario);
    let url = model.url();
    match vendor {
        Vendor::Codex => {
            let provider = format!(
                "model_provider = \"scripted\"\n[model_providers.scripted]\nname = \"scripted\"\nbase_url = \"{url}/v1\"\n\
                 env_key = \"OPENAI_API_KEY\"\nwire_api = \"responses\"\nrequest_max_retries = 0\nstream_max_retries = 0\n"
            );
            place.write("home/.codex/config.toml", &provider);
            place.env("OPENAI_API_KEY", KEY);
        }
        Vendor::Gemini => {
            let settings = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}, "general": {"maxAttempts": 1}});
            place.write("home/.gemini/settings.json", &settings.to_string());
            place.env("GEMINI_API_KEY", KEY).env("GOOGLE_GEMINI_BASE_URL", url);
        }
        Vendor::Qwen => {
            let settings = json!({"security": {"auth": {"selectedType": "openai"}},
                "model": {"generationConfig": {"maxRetries": 0}}});
            place.write("home/.qwen/settings.json", &settings.to_string());
            place.env("OPENAI_API_KEY", KEY).env("OPENAI_BASE_URL", format!("{url}/v1"));
        }
        Vendor::Opencode => {
            let options = json!({"baseURL": format!("{url}/v1"), "apiKey": "{env:OPENAI_API_KEY}"});
            let limits = json!({"context": 200_000, "output": 32_000});
            let one =
                json!({"name": "m1", "tool_call": true, "limit": limits, "cost": {"input": 3, "output": 15}});
            let config = json!({"model": "scripted/m1", "small_model": "scripted/m1", "provider": {"scripted": {
                "npm": "@ai-sdk/openai-compatible", "name": "Scripted", "options": options, "models": {"m1": one}}}});
            place.write("home/.config/opencode/opencode.json", &config.to_string());
            place.env("OPENAI_API_KEY", KEY);
        }
    }
    model
}
