//! From what a person wrote and configured to the order of a job. Decisions only: who looks at the world is `wish`.

use std::path::Path;
use std::time::Duration;

use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::job::{JobLimits, JobSpec, Publication, VerifyRequest};
use overnight_core::policy::budget;
use overnight_core::text::one_line;
use overnight_engine::repo_file;

use crate::agents::{self, Agent};
use crate::cli::run_args::{AgentArgs, LimitArgs, OrderArgs, VerifyArgs};
use crate::cli::words;
use crate::config::Config;
use crate::error::AppError;

/// Characters of a title: a line in a list, a pull request's heading.
const MAX_TITLE: usize = 120;
/// Largest prompt. Far beyond what a person writes and what a model takes.
pub const MAX_PROMPT: usize = 4 << 20;

/// Milliseconds, saturating.
#[must_use]
pub fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The first line of the wish that says something, without Markdown's heading signs.
#[must_use]
pub fn title(given: Option<&str>, prompt: &str) -> String {
    let says = |line: &&str| line.chars().any(char::is_alphanumeric);
    let line = given.or_else(|| prompt.lines().find(says)).unwrap_or("untitled");
    one_line(line.trim().trim_start_matches('#').trim(), MAX_TITLE)
}

/// A wish that can be worked on.
///
/// # Errors
/// When it is empty, too long or holds a NUL.
pub fn check_prompt(prompt: &str) -> Result<(), AppError> {
    let help =
        "overnight run \"what you want\"; or: overnight run --prompt-file FILE; or: … | overnight run -";
    if !prompt.chars().any(char::is_alphanumeric) {
        return Err(AppError::usage("the prompt is empty").help(help));
    }
    if prompt.len() > MAX_PROMPT {
        let size = prompt.len() >> 20;
        let what = format!("the prompt is {size} MiB long; at most {} MiB are taken", MAX_PROMPT >> 20);
        return Err(
            AppError::usage(what).help("put large material into the repository and name it in the prompt")
        );
    }
    if prompt.contains('\0') {
        return Err(AppError::usage("the prompt holds a NUL character").help("give it as text"));
    }
    Ok(())
}

/// Which agent the arguments name, if any. A command or a script names its backend.
///
/// # Errors
/// When they contradict each other, or name none that there is.
pub fn named_agent(args: &AgentArgs, config: &Config) -> Result<Option<Agent>, AppError> {
    let implied = match (&args.command, &args.script, &args.acp) {
        (Some(_), _, _) => Some((Agent::from(BackendId::Command), "--command")),
        (None, Some(_), _) => Some((Agent::from(BackendId::Rehearsal), "--script")),
        (None, None, Some(command)) => Some((agents::of_command(command)?, "--acp")),
        (None, None, None) => None,
    };
    let Some(name) = &args.agent else { return Ok(implied.map(|(agent, _)| agent)) };
    let named = agents::named(name, &config.agent)?;
    match implied {
        Some((implied, flag)) if named != implied.backend.into() => {
            let implied = implied.backend;
            let what = format!("{flag} belongs to the {implied} agent, but --agent names {name}");
            Err(AppError::usage(what).help(format!("leave one of the two out: {flag} or --agent")))
        }
        Some((implied, _)) => Ok(Some(implied)),
        None => Ok(Some(named)),
    }
}

/// The agent's settings from configuration and arguments. Settings that only some backends have are taken from the
/// configuration where they fit, and from the arguments always: a flag that means nothing is refused later.
///
/// # Errors
/// When the command cannot be split, or something the backend needs is missing.
pub fn agent(
    agent: &Agent,
    args: &AgentArgs,
    config: &Config,
    cwd: &Path,
) -> Result<AgentSettings, AppError> {
    let settings = agent.settings();
    let can = overnight_agents::capabilities_of(&settings);
    let mut settings = AgentSettings {
        silence: config.agent.silence,
        grace: config.agent.grace,
        billing: config.agent.billing,
        ..settings
    };
    settings.program = config.agent.program(agent.backend).cloned();
    if can.model {
        settings.model.clone_from(&config.agent.model);
    }
    if can.effort {
        settings.effort = config.agent.effort;
    }
    if can.permission_mode {
        settings.permission_mode.clone_from(&config.agent.permission_mode);
    }
    if can.tool_lists {
        settings.allowed_tools.clone_from(&config.agent.allowed_tools);
        settings.disallowed_tools.clone_from(&config.agent.disallowed_tools);
    }
    change_agent(&mut settings, args, cwd)?;
    complete(&settings)?;
    Ok(settings)
}

/// Puts the arguments over the settings.
fn change_agent(settings: &mut AgentSettings, args: &AgentArgs, cwd: &Path) -> Result<(), AppError> {
    let or = |place: &mut Option<String>, value: &Option<String>| {
        if value.is_some() {
            place.clone_from(value);
        }
    };
    or(&mut settings.model, &args.model);
    or(&mut settings.permission_mode, &args.permission_mode);
    settings.effort = args.effort.or(settings.effort);
    settings.billing = args.billing.unwrap_or(settings.billing);
    if !args.allow_tool.is_empty() {
        settings.allowed_tools.clone_from(&args.allow_tool);
    }
    if !args.deny_tool.is_empty() {
        settings.disallowed_tools.clone_from(&args.deny_tool);
    }
    if let Some(command) = &args.command {
        settings.command = words::split(command).map_err(|error| {
            AppError::usage(format!("--command {command:?} cannot be used: {error}")).help(
                "it is split into words as a shell does; for pipes and variables: --command \"sh -c '…'\"",
            )
        })?;
    }
    if let Some(script) = &args.script {
        settings.script = Some(cwd.join(script));
    }
    Ok(())
}

fn complete(settings: &AgentSettings) -> Result<(), AppError> {
    match settings.backend {
        BackendId::Command if settings.command.is_empty() => {
            Err(AppError::usage("the command agent needs a command").help("--command 'program argument …'"))
        }
        BackendId::Rehearsal if settings.script.is_none() => {
            Err(AppError::usage("the rehearsal agent needs a script")
                .help("--script FILE; overnight demo shows one at work"))
        }
        BackendId::Acp if settings.adapter.is_none() => {
            Err(AppError::usage("the acp agent needs a command").help("--acp 'program argument …'"))
        }
        BackendId::Claude
        | BackendId::Codex
        | BackendId::Gemini
        | BackendId::Qwen
        | BackendId::Opencode
        | BackendId::Acp
        | BackendId::Adapter
        | BackendId::Command
        | BackendId::Rehearsal => Ok(()),
    }
}

/// Which checks judge the result.
#[must_use]
pub fn verify(args: &VerifyArgs, config: &Config) -> VerifyRequest {
    let timeout = args.check_timeout.unwrap_or(config.check_timeout);
    if args.no_verify {
        return VerifyRequest::Nothing;
    }
    if args.verify.is_empty() {
        return VerifyRequest::FromRepository { timeout };
    }
    VerifyRequest::Commands { checks: repo_file::named_checks(&args.verify, timeout) }
}

/// # Errors
/// When a check is an empty text.
pub fn check_verify(args: &VerifyArgs) -> Result<(), AppError> {
    let empty = args.verify.iter().any(|command| command.trim().is_empty() || command.contains('\0'));
    if empty {
        return Err(AppError::usage("--verify was given an empty command")
            .help("--verify 'cargo test', or --no-verify"));
    }
    Ok(())
}

/// The limits of the whole job.
#[must_use]
pub fn limits(args: &LimitArgs, base: &JobLimits) -> JobLimits {
    JobLimits {
        attempts: args.attempts.unwrap_or(base.attempts),
        cost: args.max_cost.or(base.cost),
        tokens: args.max_tokens.or(base.tokens),
        turns: args.max_turns.or(base.turns),
        time_ms: args.max_time.map(whole_millis).or(base.time_ms),
    }
}

/// The same order again, changed by the arguments. A change of the agent starts its settings anew from the configuration.
///
/// # Errors
/// As [`agent`] and [`named_agent`].
pub fn changed(spec: &JobSpec, args: &OrderArgs, config: &Config, cwd: &Path) -> Result<JobSpec, AppError> {
    check_verify(&args.verify)?;
    let mut spec = spec.clone();
    match named_agent(&args.agent, config)? {
        Some(named) if !named.is_of(&spec.agent) => spec.agent = agent(&named, &args.agent, config, cwd)?,
        Some(_) | None => change_agent(&mut spec.agent, &args.agent, cwd)?,
    }
    spec.limits = limits(&args.limits, &spec.limits);
    spec.accept_base_failures |= args.verify.accept_base_failures;
    if args.verify.no_verify || !args.verify.verify.is_empty() {
        spec.verify = verify(&args.verify, config);
    } else if let Some(timeout) = args.verify.check_timeout {
        match &mut spec.verify {
            VerifyRequest::Commands { checks } => checks.iter_mut().for_each(|check| check.timeout = timeout),
            VerifyRequest::FromRepository { timeout: old } => *old = timeout,
            VerifyRequest::Nothing => {}
        }
    }
    Ok(spec)
}

/// Whether the job can be done on this machine only: its code comes from, or its result goes to, a path.
#[must_use]
pub fn is_local(spec: &JobSpec) -> bool {
    let local_result = match spec.publication {
        Publication::LocalBranch { .. } => true,
        Publication::PullRequest { .. } => false,
    };
    local_result || Path::new(&spec.source).is_absolute()
}

/// Refuses what the backend cannot keep: a limit that silently does nothing is worse than none.
///
/// # Errors
/// Names the flags, or what is wrong with the settings.
pub fn check_enforceable(spec: &JobSpec, root: bool) -> Result<(), AppError> {
    let name = spec.agent.name();
    overnight_agents::check(&spec.agent, root)
        .map_err(|error| AppError::usage(error.to_string()).help(error.hint()))?;
    let not_kept = budget::unenforceable(&spec.limits, overnight_agents::capabilities_of(&spec.agent));
    if not_kept.is_empty() {
        return Ok(());
    }
    let flags: Vec<&str> = not_kept.iter().map(|limit| limit.flag()).collect();
    let what = format!("the {name} agent gives no way to keep {}", flags.join(" and "));
    Err(AppError::usage(what).help(
        "use --max-time and --attempts with it, or choose another agent; a configured limit is lifted with none, \
         as in OVERNIGHT_LIMITS_COST=none",
    ))
}

/// The rehearsal's script must be there and readable before a job is made of it.
///
/// # Errors
/// When it is not, or cannot be played.
pub fn check_script(script: &Path) -> Result<(), AppError> {
    crate::rehearse::load(script).map(drop)
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
