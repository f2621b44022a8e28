//! The command line of a Qwen turn, and the settings file that goes with it.
//!
//! What has no flag stands in a settings file of ours that the CLI puts above the person's and the repository's.

use overnight_core::agent::{AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::CommandSpec;
use serde_json::json;

use crate::backend::{GivenFile, HostFacts, PlanError};
use crate::common::{self, Modes, check_value};
use crate::tools;

/// Headless, `default` and `auto` offer neither a shell nor a way to write; `plan` only looks.
const MODES: Modes = Modes { usable: &["auto-edit", "yolo"], waiting: &["auto", "default", "plan"] };
const DEFAULT_MODE: &str = "yolo";
/// The CLI's word for no extension, and a name that no server has: neither the repository's extensions and servers are
/// started nor the person's.
const NONE: &str = "none";
const SETTINGS_FILE: &str = "qwen-settings.json";

/// Variables that an `.env` file of the repository must not set: they decide where the key goes.
const NOT_THE_REPOSITORYS: &[&str] = &[
    "DASHSCOPE_API_KEY",
    "DEBUG",
    "DEBUG_MODE",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
    "QWEN_DEFAULT_AUTH_TYPE",
    "QWEN_MODEL",
];

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    MODES.check(settings)?;
    settings.model.as_ref().map_or(Ok(()), |model| check_value("model", model))
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    if let SessionStart::Resume(id) = &request.session {
        check_value("session", id.as_str())?;
    }
    let spec = common::command(request, host, arguments(request), common::prompt_with_instructions(request));
    Ok(with_settings(spec, request))
}

/// The CLI is pointed to [`settings_file`].
pub(crate) fn with_settings(spec: CommandSpec, request: &TurnRequest) -> CommandSpec {
    spec.env("QWEN_CODE_SYSTEM_SETTINGS_PATH", common::beside_prompt(request, SETTINGS_FILE))
}

/// Commits are the agent's own, without a line about the CLI; nothing is remembered beyond the session, which would cost
/// requests after the turn; the repository's hooks do not run.
pub(crate) fn settings_file(request: &TurnRequest) -> GivenFile {
    let mut settings = json!({
        "general": {"enableAutoUpdate": false, "gitCoAuthor": {"commit": false, "pr": false}},
        "privacy": {"usageStatisticsEnabled": false},
        "telemetry": {"enabled": false},
        "memory": {"enableManagedAutoMemory": false, "enableManagedAutoDream": false, "enableAutoSkill": false},
        "disableAllHooks": true,
        "advanced": {"excludedEnvVars": NOT_THE_REPOSITORYS},
    });
    if let Some(server) = &request.tools {
        settings["mcpServers"] = json!({ (tools::SERVER): tools::qwen_entry(server) });
    }
    GivenFile {
        path: common::beside_prompt(request, SETTINGS_FILE),
        content: settings.to_string().into_bytes(),
    }
}

fn arguments(request: &TurnRequest) -> Vec<String> {
    let settings = &request.settings;
    let mut args: Vec<String> = ["--output-format", "stream-json"].map(String::from).into();
    let mut flag = |name: &str, value: &str| args.extend([name.to_owned(), value.to_owned()]);
    flag("--approval-mode", settings.permission_mode.as_deref().unwrap_or(DEFAULT_MODE));
    flag("--extensions", NONE);
    flag("--allowed-mcp-server-names", request.tools.as_ref().map_or(NONE, |_| tools::SERVER));
    if let Some(model) = &settings.model {
        flag("--model", model);
    }
    if let Some(turns) = request.remaining.turns {
        flag("--max-session-turns", &turns.max(1).to_string());
    }
    match &request.session {
        // It would take an id of ours, but not of the kind that begins with the time: it names its sessions itself.
        SessionStart::Fresh(_) => {}
        SessionStart::Resume(id) => flag("--resume", id.as_str()),
    }
    args
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use overnight_core::agent::BackendId;
    use overnight_core::command::Stdin;
    use serde_json::Value;

    use super::*;
    use crate::testing::{host, request, session, words};

    #[test]
    fn a_fresh_turn_asks_nobody_and_takes_its_prompt_from_standard_input() {
        let request = request(BackendId::Qwen);
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(
            words(&spec).join(" "),
            "--output-format stream-json --approval-mode yolo --extensions none --allowed-mcp-server-names none"
        );
        assert_eq!(spec.stdin, Stdin::Bytes(request.prompt.into_bytes()));
    }

    #[test]
    fn a_resumed_turn_carries_the_model_and_what_is_left_of_the_turns() {
        let mut request = request(BackendId::Qwen);
        request.session = SessionStart::Resume(session());
        request.settings.model = Some("qwen3-coder-plus".into());
        request.remaining.turns = Some(0);
        let spec = crate::plan(&request, &host()).expect("a plan");
        let words = words(&spec).join(" ");
        assert!(
            words.ends_with(
                "--model qwen3-coder-plus --max-session-turns 1 --resume 7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11"
            ),
            "{words}"
        );
    }

    #[test]
    fn the_settings_that_are_handed_over_are_the_ones_that_are_named() {
        let request = request(BackendId::Qwen);
        let spec = crate::plan(&request, &host()).expect("a plan");
        let files = crate::given_files(&request);
        let [file] = files.as_slice() else { panic!("one file: {files:?}") };
        assert_eq!(
            spec.env.get(OsStr::new("QWEN_CODE_SYSTEM_SETTINGS_PATH")),
            Some(&file.path.clone().into_os_string())
        );
        assert_eq!(file.path, std::path::Path::new("/job/qwen-settings.json"));
        let settings: Value = serde_json::from_slice(&file.content).expect("JSON");
        assert_eq!(settings["general"]["gitCoAuthor"]["commit"], json!(false));
    }

    #[test]
    fn a_mode_in_which_nothing_can_be_done_is_refused() {
        let backend = BackendId::Qwen;
        for mode in ["default", "plan", "auto"] {
            let mut request = request(backend);
            request.settings.permission_mode = Some(mode.into());
            assert_eq!(
                crate::plan(&request, &host()).err(),
                Some(PlanError::WaitsForApproval { backend, mode: mode.into() })
            );
        }
    }
}
