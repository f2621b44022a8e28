//! The command line of a Codex turn: `codex exec`, or `codex exec … resume`.
//!
//! Flags stand before `resume`, because the subcommand does not know all of them. Values behind `-c` are TOML.

use overnight_core::agent::{AgentSettings, Effort, SessionStart, TurnRequest};
use overnight_core::command::CommandSpec;

use crate::backend::{HostFacts, PlanError};
use crate::common::{self, Modes, check_value};
use crate::tools;

/// The CLI's sandbox is its permission mode: what needs an approval fails, and nobody is asked.
const MODES: Modes = Modes { usable: &["read-only", "workspace-write", "danger-full-access"], waiting: &[] };
const DEFAULT_MODE: &str = "workspace-write";

/// Settings that hold for every turn. The keys that the CLI itself may have are kept from the commands that the model runs.
const ALWAYS: &[&str] = &[
    "approval_policy=\"never\"",
    "analytics.enabled=false",
    "check_for_update_on_startup=false",
    "project_doc_fallback_filenames=[\"CLAUDE.md\"]",
    "shell_environment_policy.exclude=[\"*_API_KEY\", \"CODEX_ACCESS_TOKEN\"]",
];

pub(crate) fn check(settings: &AgentSettings) -> Result<(), PlanError> {
    MODES.check(settings)?;
    if settings.effort == Some(Effort::Max) {
        return Err(PlanError::UnknownEffort { backend: settings.backend, effort: Effort::Max });
    }
    settings.model.as_ref().map_or(Ok(()), |model| check_value("model", model))
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    if let SessionStart::Resume(id) = &request.session {
        check_value("session", id.as_str())?;
    }
    let spec = common::command(request, host, arguments(request), request.prompt.clone());
    let mut spec = tools::in_environment(spec, request);
    // `exec` reads its key from a variable of its own name only.
    let key = spec.env.get(std::ffi::OsStr::new("OPENAI_API_KEY")).cloned();
    if let Some(key) = key {
        spec.env.entry("CODEX_API_KEY".into()).or_insert(key);
    }
    Ok(spec)
}

fn arguments(request: &TurnRequest) -> Vec<String> {
    let settings = &request.settings;
    let mut args: Vec<String> =
        ["exec", "--json", "--color", "never", "--ignore-rules"].map(String::from).into();
    let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
    let mode = settings.permission_mode.as_deref().unwrap_or(DEFAULT_MODE);
    flag("--sandbox", mode.to_owned());
    if mode == DEFAULT_MODE {
        // The sandbox takes the repository's own directory out of what may be written, so that nothing could be committed.
        flag("--add-dir", request.workspace.join(".git").to_string_lossy().into_owned());
    }
    for value in ALWAYS {
        flag("-c", (*value).to_owned());
    }
    for value in request.tools.iter().flat_map(tools::codex_settings) {
        flag("-c", value);
    }
    if let Some(effort) = settings.effort {
        flag("-c", format!("model_reasoning_effort=\"{}\"", effort.as_str()));
    }
    if let Some(model) = &settings.model {
        flag("--model", model.clone());
    }
    if let SessionStart::Resume(id) = &request.session {
        flag("resume", id.to_string());
    }
    args.push("-".to_owned());
    args
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use overnight_core::agent::{BackendId, Billing};
    use overnight_core::command::Stdin;

    use super::*;
    use crate::testing::{host, request, session, words};

    fn refused(change: impl Fn(&mut TurnRequest)) -> Option<PlanError> {
        let mut request = request(BackendId::Codex);
        change(&mut request);
        crate::plan(&request, &host()).err()
    }

    #[test]
    fn a_fresh_turn_works_in_the_clis_sandbox_and_takes_its_prompt_from_standard_input() {
        let request = request(BackendId::Codex);
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(
            words(&spec).join("|"),
            "exec|--json|--color|never|--ignore-rules|--sandbox|workspace-write|--add-dir|/workspace/repo/.git|\
             -c|approval_policy=\"never\"|-c|analytics.enabled=false|-c|check_for_update_on_startup=false|\
             -c|project_doc_fallback_filenames=[\"CLAUDE.md\"]|\
             -c|shell_environment_policy.exclude=[\"*_API_KEY\", \"CODEX_ACCESS_TOKEN\"]|-"
        );
        assert_eq!(spec.stdin, Stdin::Bytes(request.prompt.into_bytes()));
        assert!(!spec.env.contains_key(OsStr::new("CODEX_API_KEY")));
    }

    #[test]
    fn a_resumed_turn_has_its_flags_before_the_subcommand() {
        let mut request = request(BackendId::Codex);
        request.session = SessionStart::Resume(session());
        let settings = &mut request.settings;
        settings.model = Some("gpt-5.5".into());
        settings.effort = Some(Effort::Xhigh);
        settings.permission_mode = Some("danger-full-access".into());
        settings.billing = Billing::Key;
        let mut host = host();
        host.env.insert("OPENAI_API_KEY".into(), "k".into());
        let spec = crate::plan(&request, &host).expect("a plan");
        let words = words(&spec).join("|");
        assert!(words.contains("|--sandbox|danger-full-access|-c|"), "no directory to add: {words}");
        assert!(
            words.ends_with(
                "|-c|model_reasoning_effort=\"xhigh\"|--model|gpt-5.5|resume|7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11|-"
            ),
            "{words}"
        );
        assert_eq!(spec.env.get(OsStr::new("CODEX_API_KEY")), Some(&"k".into()));
    }

    #[test]
    fn what_does_not_fit_is_refused_before_anything_starts() {
        let backend = BackendId::Codex;
        let mode = refused(|request| request.settings.permission_mode = Some("acceptEdits".into()));
        assert_eq!(mode, Some(PlanError::UnknownMode { backend, mode: "acceptEdits".into() }));
        assert!(mode.is_some_and(|error| error.hint().contains("workspace-write")));
        assert_eq!(
            refused(|request| request.settings.effort = Some(Effort::Max)),
            Some(PlanError::UnknownEffort { backend, effort: Effort::Max })
        );
        assert_eq!(
            refused(|request| request.settings.allowed_tools = vec!["Bash".into()]),
            Some(PlanError::Unsupported { backend, setting: "allowed tools" })
        );
        assert!(matches!(
            refused(|request| request.settings.model = Some("-x".into())),
            Some(PlanError::BadValue { .. })
        ));
    }
}
