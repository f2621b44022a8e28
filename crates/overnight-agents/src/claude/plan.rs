//! The command line of a Claude turn.
//!
//! Several of the CLI's flags take every word that follows them: each of those is followed by a flag.

use overnight_core::agent::{AgentSettings, SessionStart, TurnRequest};
use overnight_core::command::CommandSpec;
use overnight_core::units::MicroDollars;

use crate::backend::{HostFacts, PlanError};
use crate::common::{self, check_value};
use crate::tools;

/// What the agent may use without being asked: everything that works on the workspace, nothing that reaches the web.
/// Some names exist in some versions only; naming an unknown tool does no harm, and naming `Glob` and `Grep` switches
/// them on where they are not there by default.
const ALLOWED: &[&str] = &[
    "Bash",
    "Edit",
    "Glob",
    "Grep",
    "MultiEdit",
    "NotebookEdit",
    "Read",
    "Task",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskStop",
    "TaskUpdate",
    "TodoWrite",
    "Write",
];

/// What is taken away unless it is allowed by name: tools that leave the workspace for another one, or that put work off
/// to a time when nobody runs the CLI any more.
const WITHHELD: &[&str] =
    &["CronCreate", "CronDelete", "CronList", "EnterWorktree", "ExitWorktree", "ScheduleWakeup"];

const DEFAULT_MODE: &str = "acceptEdits";
/// Modes in which a headless run waits for a human or is refused everything: the old and the new name of the
/// interactive mode, and the mode that ends with a plan to be approved.
const WAITING_MODES: &[&str] = &["default", "manual", "plan"];
const UNGUARDED_MODE: &str = "bypassPermissions";

pub(crate) fn check(settings: &AgentSettings, root: bool) -> Result<(), PlanError> {
    if let Some(mode) = &settings.permission_mode {
        check_value("permission mode", mode)?;
        if WAITING_MODES.contains(&mode.as_str()) {
            return Err(PlanError::WaitsForApproval { backend: settings.backend, mode: mode.clone() });
        }
        if root && mode == UNGUARDED_MODE {
            return Err(PlanError::UnguardedAsRoot { mode: mode.clone() });
        }
    }
    if let Some(model) = &settings.model {
        check_value("model", model)?;
    }
    let tools =
        [("allowed tools", &settings.allowed_tools), ("disallowed tools", &settings.disallowed_tools)];
    for (setting, list) in tools {
        list.iter().try_for_each(|tool| check_value(setting, tool))?;
    }
    Ok(())
}

pub(crate) fn plan(request: &TurnRequest, host: &HostFacts) -> Result<CommandSpec, PlanError> {
    common::check_session(request)?;
    Ok(common::command(request, host, arguments(request), request.prompt.clone()))
}

fn arguments(request: &TurnRequest) -> Vec<String> {
    let settings = &request.settings;
    let mut args: Vec<String> =
        ["-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"]
            .map(String::from)
            .into();
    let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
    match &request.session {
        SessionStart::Fresh(id) => flag("--session-id", id.to_string()),
        SessionStart::Resume(id) => flag("--resume", id.to_string()),
    }
    if let Some(model) = &settings.model {
        flag("--model", model.clone());
    }
    if let Some(effort) = settings.effort {
        flag("--effort", effort.as_str().to_owned());
    }
    flag("--permission-mode", settings.permission_mode.clone().unwrap_or_else(|| DEFAULT_MODE.to_owned()));
    let ours = request.tools.as_ref().map(|_| format!("mcp__{}", tools::SERVER));
    let allowed: Vec<&str> = allowed(settings).into_iter().chain(ours.as_deref()).collect();
    flag("--allowedTools", allowed.join(","));
    flag("--disallowedTools", disallowed(settings).join(","));
    if let Some(turns) = request.remaining.turns {
        flag("--max-turns", turns.max(1).to_string());
    }
    // Counted by the CLI from the start of this run, not of the session: seen with 2.1.328.
    if let Some(cost) = request.remaining.cost {
        flag("--max-budget-usd", dollars(cost));
    }
    // The repository's own settings could run hooks and point the CLI at another server.
    flag("--setting-sources", "user".to_owned());
    // Which also keeps it from reading the repository's instructions; the runner hands them over.
    if let Some(file) = &request.instructions {
        flag("--append-system-prompt-file", file.to_string_lossy().into_owned());
    }
    // Followed by a flag, because it takes every word that follows it.
    if let Some(file) = tools::claude_file(request) {
        flag("--mcp-config", file.path.to_string_lossy().into_owned());
    }
    args.push("--strict-mcp-config".to_owned());
    args
}

fn allowed(settings: &AgentSettings) -> Vec<&str> {
    if settings.allowed_tools.is_empty() {
        return ALLOWED.to_vec();
    }
    settings.allowed_tools.iter().map(String::as_str).collect()
}

fn disallowed(settings: &AgentSettings) -> Vec<&str> {
    let asked = |tool: &&&str| settings.allowed_tools.iter().any(|allowed| allowed == **tool);
    let mut list: Vec<&str> = WITHHELD.iter().filter(|tool| !asked(tool)).copied().collect();
    list.extend(settings.disallowed_tools.iter().map(String::as_str));
    list
}

/// A plain decimal amount; at least a millionth, because the CLI refuses zero.
fn dollars(amount: MicroDollars) -> String {
    let micros = amount.0.max(1);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use overnight_core::agent::{BackendId, Billing, Effort, RemainingLimits};
    use overnight_core::command::{Isolation, Stdin};
    use overnight_core::id::SessionId;

    use super::*;
    use crate::testing::{host, request, session, words};

    #[test]
    fn a_fresh_turn_starts_with_safe_defaults_and_its_prompt_on_standard_input() {
        let request = request(BackendId::Claude);
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(
            words(&spec).join(" "),
            "-p --output-format stream-json --verbose --include-partial-messages \
             --session-id 7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11 --permission-mode acceptEdits \
             --allowedTools Bash,Edit,Glob,Grep,MultiEdit,NotebookEdit,Read,Task,TaskCreate,TaskGet,TaskList,TaskStop,TaskUpdate,TodoWrite,Write \
             --disallowedTools CronCreate,CronDelete,CronList,EnterWorktree,ExitWorktree,ScheduleWakeup \
             --setting-sources user --strict-mcp-config"
        );
        assert_eq!(spec.stdin, Stdin::Bytes(request.prompt.into_bytes()));
        assert_eq!(spec.isolation, Isolation::Contained(host().guard));
        assert_eq!(spec.limits.silence, Some(request.settings.silence));
        let names: Vec<_> = spec.env.keys().filter_map(|name| name.to_str()).collect();
        assert_eq!(
            names,
            [
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
                "DISABLE_AUTOUPDATER",
                "DISABLE_ERROR_REPORTING",
                "DISABLE_TELEMETRY",
                "HOME",
                "PATH",
                "TERM",
                "TMPDIR"
            ]
        );
    }

    #[test]
    fn a_resumed_turn_carries_the_settings_and_what_is_left_of_the_limits() {
        let mut request = request(BackendId::Claude);
        request.session = SessionStart::Resume(session());
        request.remaining = RemainingLimits {
            cost: Some(MicroDollars(1_500_000)),
            turns: Some(7),
            ..RemainingLimits::default()
        };
        let settings = &mut request.settings;
        settings.model = Some("opus".into());
        settings.effort = Some(Effort::Xhigh);
        settings.permission_mode = Some("dontAsk".into());
        settings.allowed_tools = vec!["Bash(git *)".into(), "CronList".into()];
        settings.disallowed_tools = vec!["WebFetch".into()];
        settings.billing = Billing::Key;
        let spec = crate::plan(&request, &host()).expect("a plan");
        assert_eq!(
            words(&spec).join("|"),
            "-p|--output-format|stream-json|--verbose|--include-partial-messages|\
             --resume|7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11|--model|opus|--effort|xhigh|--permission-mode|dontAsk|\
             --allowedTools|Bash(git *),CronList|\
             --disallowedTools|CronCreate,CronDelete,EnterWorktree,ExitWorktree,ScheduleWakeup,WebFetch|\
             --max-turns|7|--max-budget-usd|1.500000|--setting-sources|user|--strict-mcp-config"
        );
        assert!(spec.env.contains_key(OsStr::new("ANTHROPIC_API_KEY")));
    }

    #[test]
    fn a_flag_that_takes_every_word_after_it_is_always_followed_by_a_flag() {
        let spec = crate::plan(&request(BackendId::Claude), &host()).expect("a plan");
        let words = words(&spec);
        for variadic in ["--allowedTools", "--disallowedTools"] {
            let at = words.iter().position(|word| *word == variadic).expect("the flag is there");
            assert!(words[at + 2].starts_with("--"), "{words:?}");
        }
    }

    #[test]
    fn settings_that_cannot_work_unattended_are_refused_before_anything_starts() {
        let refused = |change: &dyn Fn(&mut TurnRequest), root| {
            let mut request = request(BackendId::Claude);
            change(&mut request);
            crate::plan(&request, &HostFacts { root, ..host() }).err()
        };
        let mode = |mode: &'static str| {
            move |request: &mut TurnRequest| request.settings.permission_mode = Some(mode.into())
        };
        let unguarded = PlanError::UnguardedAsRoot { mode: "bypassPermissions".into() };
        assert!(unguarded.hint().contains("acceptEdits"));
        assert_eq!(refused(&mode("bypassPermissions"), true), Some(unguarded));
        assert_eq!(refused(&mode("bypassPermissions"), false), None);
        for waiting in ["plan", "default", "manual"] {
            assert_eq!(
                refused(&mode(waiting), false),
                Some(PlanError::WaitsForApproval { backend: BackendId::Claude, mode: waiting.into() })
            );
        }
        let flag_as_value = |request: &mut TurnRequest| request.settings.model = Some("--version".into());
        assert!(matches!(refused(&flag_as_value, false), Some(PlanError::BadValue { setting: "model", .. })));
        let flag_as_tool = |request: &mut TurnRequest| request.settings.allowed_tools = vec!["-x".into()];
        assert!(matches!(
            refused(&flag_as_tool, false),
            Some(PlanError::BadValue { setting: "allowed tools", .. })
        ));
        let not_a_uuid = |request: &mut TurnRequest| {
            request.session = SessionStart::Fresh(SessionId::parse("s1").expect("an id"));
        };
        assert_eq!(
            refused(&not_a_uuid, false),
            Some(PlanError::SessionNotUuid { backend: BackendId::Claude, session: "s1".into() })
        );
    }

    #[test]
    fn amounts_are_exact_and_never_nothing() {
        assert_eq!(
            [0, 1, 1_500_000, 12_000_001].map(|micros| dollars(MicroDollars(micros))),
            ["0.000001", "0.000001", "1.500000", "12.000001"]
        );
    }
}
