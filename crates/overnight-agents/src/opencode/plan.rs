//! The command line of an opencode turn, and its configuration, which travels in a variable.
//!
//! The configuration holds no key of anybody's: the CLI shows the variable to every command that the model runs. The token of the
//! job's tools, which stands there, opens nothing that the agent may not use anyway.

use overnight_core::agent::{AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::CommandSpec;
use serde_json::json;

use crate::backend::{HostFacts, PlanError};
use crate::common::{self, check_value};
use crate::tools;

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    let Some(model) = &settings.model else { return Ok(()) };
    check_value("model", model)?;
    if !model.contains('/') {
        return Err(PlanError::ModelWithoutProvider { model: model.clone() });
    }
    Ok(())
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    if let SessionStart::Resume(id) = &request.session {
        check_value("session", id.as_str())?;
    }
    let spec = common::command(request, host, arguments(request), request.prompt.clone());
    Ok(spec.env("OPENCODE_CONFIG_CONTENT", configuration(request)))
}

fn arguments(request: &TurnRequest) -> Vec<String> {
    // What would be asked is allowed: a question that nobody answers ends the run with status 0, in the middle of its work.
    // What the person's own configuration denies stays denied.
    let mut args: Vec<String> = ["run", "--format", "json", "--auto"].map(String::from).into();
    // It says nowhere else that it asks a vendor again and again.
    args.extend(["--print-logs", "--log-level", "ERROR"].map(String::from));
    let mut flag = |name: &str, value: &str| args.extend([name.to_owned(), value.to_owned()]);
    if let Some(model) = &request.settings.model {
        flag("--model", model);
    }
    match &request.session {
        // The CLI names its sessions itself.
        SessionStart::Fresh(_) => {}
        SessionStart::Resume(id) => flag("--session", id.as_str()),
    }
    args
}

/// Stands above the person's own configuration. The repository's is switched off, and with it its instructions, which are
/// handed over here.
fn configuration(request: &TurnRequest) -> String {
    let mut config = json!({"share": "disabled", "autoupdate": false});
    if let Some(file) = &request.instructions {
        config["instructions"] = json!([file.to_string_lossy()]);
    }
    if let Some(server) = &request.tools {
        config["mcp"] = json!({ (tools::SERVER): tools::opencode_entry(server) });
    }
    config.to_string()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use overnight_core::agent::BackendId;
    use overnight_core::command::Stdin;
    use overnight_core::id::SessionId;

    use super::*;
    use crate::testing::{host, request, words};

    #[test]
    fn a_fresh_turn_asks_nobody_and_takes_its_prompt_from_standard_input() {
        let request = request(BackendId::Opencode);
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(words(&spec).join(" "), "run --format json --auto --print-logs --log-level ERROR");
        assert_eq!(spec.stdin, Stdin::Bytes(request.prompt.into_bytes()));
        let value = |name: &str| spec.env.get(OsStr::new(name)).and_then(|value| value.to_str());
        assert_eq!(value("OPENCODE_DISABLE_PROJECT_CONFIG"), Some("1"));
        assert_eq!(value("OPENCODE_CONFIG_CONTENT"), Some(r#"{"autoupdate":false,"share":"disabled"}"#));
    }

    #[test]
    fn a_resumed_turn_names_its_session_its_model_and_the_instructions() {
        let mut request = request(BackendId::Opencode);
        request.session = SessionStart::Resume(SessionId::parse("ses_1").expect("an id"));
        request.settings.model = Some("anthropic/claude-sonnet-5".into());
        request.instructions = Some("/job/given/instructions.md".into());
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(
            words(&spec).join(" "),
            "run --format json --auto --print-logs --log-level ERROR --model anthropic/claude-sonnet-5 --session ses_1"
        );
        let config = spec.env.get(OsStr::new("OPENCODE_CONFIG_CONTENT")).expect("a configuration");
        assert!(
            config.to_string_lossy().contains(r#""instructions":["/job/given/instructions.md"]"#),
            "{config:?}"
        );
    }

    #[test]
    fn a_model_has_its_provider_and_a_permission_mode_there_is_none() {
        let mut request = request(BackendId::Opencode);
        request.settings.model = Some("claude-sonnet-5".into());
        let refused = crate::plan(&request, &host()).err();
        assert_eq!(refused, Some(PlanError::ModelWithoutProvider { model: "claude-sonnet-5".into() }));
        request.settings.model = None;
        request.settings.permission_mode = Some("yolo".into());
        let backend = BackendId::Opencode;
        let refused = crate::plan(&request, &host()).err();
        assert_eq!(refused, Some(PlanError::Unsupported { backend, setting: "permission mode" }));
    }
}
