//! From what a person wrote and configured to the order of a job. Decisions only: who looks at the world is `wish`.

use std::path::Path;
use std::time::Duration;

use overnight_core::agent::{Agent, AgentSettings, BackendId, Effort};
use overnight_core::choose::{BackupLayer, Layer, LimitLayer, Say, Thinking};
use overnight_core::job::{Configured, JobSpec, Origin, Publication, VerifyRequest};
use overnight_core::policy::budget;
use overnight_core::text::one_line;
use overnight_engine::repo_file;

use crate::agents;
use crate::cli::run_args::{AgentArgs, OrderArgs, VerifyArgs};
use crate::cli::words;
use crate::config::{AgentConfig, Config};
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
pub fn named_agent(args: &AgentArgs, agents: &AgentConfig) -> Result<Option<Agent>, AppError> {
    let implied = match (&args.command, &args.script, &args.acp) {
        (Some(_), _, _) => Some((Agent::from(BackendId::Command), "--command")),
        (None, Some(_), _) => Some((Agent::from(BackendId::Rehearsal), "--script")),
        (None, None, Some(command)) => Some((agents::of_command(command)?, "--acp")),
        (None, None, None) => None,
    };
    let Some(name) = &args.agent else { return Ok(implied.map(|(agent, _)| agent)) };
    let named = agents::named(name, agents)?;
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

/// What the arguments ask for, as the layer of the job.
///
/// # Errors
/// As [`named_agent`], and when there is no agent of the backup's name.
pub fn asked(args: &OrderArgs, agents: &AgentConfig) -> Result<Layer, AppError> {
    let OrderArgs { agent, verify: _, limits, budget: _ } = args;
    let level = |effort: Option<Effort>| effort.map(Thinking::Level);
    let tools = |tools: &Vec<String>| Some(tools.clone()).filter(|tools| !tools.is_empty());
    Ok(Layer {
        agent: named_agent(agent, agents)?,
        model: agent.model.clone(),
        thinking: level(agent.effort).or(agent.thinking_budget.map(Thinking::Budget)),
        permission_mode: agent.permission_mode.clone(),
        allowed_tools: tools(&agent.allow_tool),
        disallowed_tools: tools(&agent.deny_tool),
        billing: agent.billing,
        silence: None,
        silence_busy: None,
        leave: None,
        grace: None,
        compact_after: None,
        limits: LimitLayer {
            attempts: limits.attempts,
            cost: limits.max_cost.map(Say::To),
            tokens: limits.max_tokens.map(Say::To),
            turns: limits.max_turns.map(Say::To),
            time_ms: limits.max_time.map(whole_millis).map(Say::To),
        },
        backup: BackupLayer {
            agent: match &agent.backup_agent {
                Some(Say::To(name)) => Some(Say::To(agents::named(name, agents)?)),
                Some(Say::Off) => Some(Say::Off),
                None => None,
            },
            model: agent.backup_model.clone(),
            thinking: level(agent.backup_effort),
            patience: agent.backup_patience,
        },
    })
}

/// The resolved settings as a whole: with the program that the arguments name, else that of the `earlier` job.
///
/// # Errors
/// When the command cannot be split, something that a backend needs is missing, or a backup is spoken of that there is not.
pub fn completed(
    mut settings: Configured,
    args: &AgentArgs,
    earlier: Option<&AgentSettings>,
    cwd: &Path,
) -> Result<Configured, AppError> {
    let command = match &args.command {
        Some(command) => split(command)?,
        None => earlier.map(|earlier| earlier.command.clone()).unwrap_or_default(),
    };
    let given = args.script.as_ref().map(|script| cwd.join(script));
    let script = given.or_else(|| earlier?.script.clone());
    let backup = settings.choice.backup.as_mut().map(|backup| &mut backup.agent);
    for agent in std::iter::once(&mut settings.agent).chain(backup) {
        agent.command = if agent.backend == BackendId::Command { command.clone() } else { Vec::new() };
        agent.script = script.clone().filter(|_| agent.backend == BackendId::Rehearsal);
        complete(agent)?;
    }
    let of_backup = [
        ("--backup-model", args.backup_model.is_some()),
        ("--backup-effort", args.backup_effort.is_some()),
        ("--backup-patience", args.backup_patience.is_some()),
    ];
    match of_backup.into_iter().find(|(_, given)| *given && settings.choice.backup.is_none()) {
        Some((flag, _)) => Err(AppError::usage(format!("{flag} means nothing: no agent is to take over"))
            .help("name one with --backup-agent, or set agent.backup_agent")),
        None => Ok(settings),
    }
}

fn split(command: &str) -> Result<Vec<String>, AppError> {
    words::split(command).map_err(|error| {
        AppError::usage(format!("--command {command:?} cannot be used: {error}"))
            .help("it is split into words as a shell does; for pipes and variables: --command \"sh -c '…'\"")
    })
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

/// What a job that is ordered again asks for: what it asked for before, changed by the arguments. Another agent does not
/// understand what was said to the first one.
///
/// # Errors
/// As [`asked`].
pub fn asked_again(spec: &JobSpec, args: &OrderArgs, agents: &AgentConfig) -> Result<Layer, AppError> {
    let new = asked(args, agents)?;
    let before = Layer::of_job(spec, |origin| origin == Origin::Job);
    let another = new.agent.as_ref().is_some_and(|agent| !agent.is_of(&spec.agent));
    Ok(new.over(if another { before.without_vendor_words() } else { before }))
}

/// The same order again, with what the arguments change apart from the settings.
///
/// # Errors
/// As [`check_verify`].
pub fn changed(spec: &JobSpec, args: &VerifyArgs, config: &Config) -> Result<JobSpec, AppError> {
    check_verify(args)?;
    let mut spec = spec.clone();
    spec.accept_base_failures |= args.accept_base_failures;
    if args.no_verify || !args.verify.is_empty() {
        spec.verify = verify(args, config);
    } else if let Some(timeout) = args.check_timeout {
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
        Publication::PullRequest { .. } | Publication::Document { .. } => false,
    };
    local_result || Path::new(&spec.source).is_absolute()
}

/// Refuses what the agent, or the one that takes over, cannot keep: a limit that silently does nothing is worse than none.
///
/// # Errors
/// Names the flags, or what is wrong with the settings.
pub fn check_enforceable(spec: &JobSpec, root: bool) -> Result<(), AppError> {
    let backup = spec.choice.backup.as_ref().map(|backup| &backup.agent);
    for agent in std::iter::once(&spec.agent).chain(backup) {
        overnight_agents::check(agent, root)
            .map_err(|error| AppError::usage(error.to_string()).help(error.hint()))?;
        let name = agent.name();
        let not_kept = budget::unenforceable(&spec.limits, overnight_agents::capabilities_of(agent));
        if !not_kept.is_empty() {
            let flags: Vec<&str> = not_kept.iter().map(|limit| limit.flag()).collect();
            let what = format!("the {name} agent gives no way to keep {}", flags.join(" and "));
            return Err(AppError::usage(what).help(
                "use --max-time and --attempts with it, or choose another agent; a configured limit is lifted with none, \
                 as in OVERNIGHT_LIMITS_COST=none; overnight config show --kind implement says where it comes from",
            ));
        }
    }
    Ok(())
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
