//! The command line of a Gemini turn.
//!
//! What has no flag (a limit of turns, the way of logging in) stands in the person's own `settings.json`; the CLI takes no
//! other settings file that the repository's could not outweigh.

use overnight_core::agent::{AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::CommandSpec;

use crate::backend::{HostFacts, PlanError};
use crate::common::{self, Modes, check_value};

/// Headless, `default` offers neither a shell nor a way to write, and `plan` ends with a plan to be approved.
const MODES: Modes = Modes { usable: &["auto_edit", "yolo"], waiting: &["default", "plan"] };
const DEFAULT_MODE: &str = "yolo";
/// The CLI's word for no extension, and a name that no server has: neither the repository's extensions and servers are
/// started nor the person's.
const NONE: &str = "none";

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    MODES.check(settings)?;
    settings.model.as_ref().map_or(Ok(()), |model| check_value("model", model))
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    common::check_session(request)?;
    check_value("session", request.session.id().as_str())?;
    Ok(common::command(request, host, arguments(request), common::prompt_with_instructions(request)))
}

fn arguments(request: &TurnRequest) -> Vec<String> {
    let settings = &request.settings;
    let mut args: Vec<String> = ["--output-format", "stream-json"].map(String::from).into();
    let mut flag = |name: &str, value: &str| args.extend([name.to_owned(), value.to_owned()]);
    flag("--approval-mode", settings.permission_mode.as_deref().unwrap_or(DEFAULT_MODE));
    flag("--extensions", NONE);
    flag("--allowed-mcp-server-names", NONE);
    if let Some(model) = &settings.model {
        flag("--model", model);
    }
    match &request.session {
        SessionStart::Fresh(id) => flag("--session-id", id.as_str()),
        SessionStart::Resume(id) => flag("--resume", id.as_str()),
    }
    args
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use overnight_core::agent::BackendId;
    use overnight_core::command::Stdin;
    use overnight_core::id::SessionId;

    use super::*;
    use crate::testing::{host, request, session, words};

    #[test]
    fn a_fresh_turn_asks_nobody_and_takes_its_prompt_from_standard_input() {
        let request = request(BackendId::Gemini);
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(
            words(&spec).join(" "),
            "--output-format stream-json --approval-mode yolo --extensions none --allowed-mcp-server-names none \
             --session-id 7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11"
        );
        assert_eq!(spec.stdin, Stdin::Bytes(request.prompt.into_bytes()));
        let value = |name: &str| spec.env.get(OsStr::new(name)).and_then(|value| value.to_str());
        assert_eq!(value("GEMINI_CLI_NO_RELAUNCH"), Some("true"));
        assert_eq!(value("GOOGLE_GEMINI_BASE_URL"), Some(""), "an .env file of the repository cannot set it");
    }

    #[test]
    fn a_resumed_turn_names_its_session_and_its_model() {
        let mut request = request(BackendId::Gemini);
        request.session = SessionStart::Resume(session());
        request.settings.model = Some("gemini-2.5-pro".into());
        request.settings.permission_mode = Some("auto_edit".into());
        let spec = crate::plan(&request, &host()).expect("a plan");
        let words = words(&spec).join(" ");
        assert!(words.contains("--approval-mode auto_edit"), "{words}");
        assert!(
            words.ends_with("--model gemini-2.5-pro --resume 7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11"),
            "{words}"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_before_anything_starts() {
        let backend = BackendId::Gemini;
        let refused = |change: &dyn Fn(&mut TurnRequest)| {
            let mut request = request(backend);
            change(&mut request);
            crate::plan(&request, &host()).err()
        };
        for mode in ["default", "plan"] {
            assert_eq!(
                refused(&|request| request.settings.permission_mode = Some(mode.into())),
                Some(PlanError::WaitsForApproval { backend, mode: mode.into() })
            );
        }
        assert_eq!(
            refused(&|request| request.session = SessionStart::Fresh(SessionId::parse("s1").expect("an id"))),
            Some(PlanError::SessionNotUuid { backend, session: "s1".into() })
        );
        assert_eq!(
            refused(&|request| request.settings.effort = Some(overnight_core::agent::Effort::High)),
            Some(PlanError::Unsupported { backend, setting: "effort" })
        );
    }
}
