//! `overnight agent`: which agents are on this machine, and whether they can be used.

pub mod age;
pub mod facts;

use std::fmt::Write;

use overnight_agents::{how_to_install, login_hint};
use overnight_core::agent::Capabilities;
use overnight_core::job::ExitCode;
use overnight_core::text::for_terminal;

use crate::agents;
use crate::app::App;
use crate::cli::agent_args::{AgentAction, AgentCommandArgs};
use crate::error::{AppError, Outcome};
use crate::output::{DIM, styled};
use crate::render::stage::Mark;
use facts::{AgentFacts, Login, Standing};

/// # Errors
/// When the result cannot be written. A named agent that cannot be used is exit code 1.
pub async fn run(app: &App, args: &AgentCommandArgs) -> Outcome {
    match &args.action {
        AgentAction::Ls { json } => ls(app, *json).await,
        AgentAction::Doctor { agent, json } => doctor(app, agent.as_deref(), *json).await,
    }
}

async fn ls(app: &App, json: bool) -> Outcome {
    let agents = facts::all(app, &app.host()?, &facts::known(app)).await;
    if json {
        app.out.json("agents", &agents)?;
    } else {
        app.out.data(&table(&agents))?;
    }
    Ok(ExitCode::Done)
}

async fn doctor(app: &App, named: Option<&str>, json: bool) -> Outcome {
    let known = facts::known(app);
    let asked = match named {
        None => known,
        Some(name) => match known.iter().find(|agent| agent.name() == name) {
            Some(agent) => vec![agent.clone()],
            None => return Err(not_looked_at(name, app)),
        },
    };
    let mut agents = facts::all(app, &app.host()?, &asked).await;
    agents.retain(|agent| named.is_some() || agent.program.is_some());
    if json {
        app.out.json("agents", &agents)?;
    } else if agents.is_empty() {
        app.out.say("no agent is installed; any program can do the work with --command");
    } else {
        app.out.data(&pages(&agents))?;
    }
    let silent = |agent: &AgentFacts| agent.version.is_none() && agent.command.is_none();
    let unusable = agents.iter().any(|agent| agent.program.is_none() || silent(agent));
    Ok(if unusable { ExitCode::Unexpected } else { ExitCode::Done })
}

/// An agent that brings its own program needs no look.
fn not_looked_at(name: &str, app: &App) -> AppError {
    match agents::named(name, &app.config().agent) {
        Ok(_) => AppError::usage(format!("there is nothing to look at for the {name} agent"))
            .help("name one of those that overnight agent ls shows"),
        Err(error) => error,
    }
}

/// One line for each agent.
fn table(agents: &[AgentFacts]) -> String {
    let head = format!("{:<9} {:<14} {:<8} {:<9} PROGRAM", "AGENT", "VERSION", "STANDING", "LOGIN");
    let mut text = format!("{}\n", styled(DIM, &head));
    for agent in agents {
        let number = agent.version.as_deref().map_or("-", version_number);
        let (program, login) = match &agent.program {
            Some(program) => (program.display().to_string(), login_word(&agent.login)),
            None => ("not installed".to_owned(), "-"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<9} {:<14} {:<8} {:<9} {}",
            for_terminal(&agent.agent),
            for_terminal(number),
            if agent.program.is_some() { standing_word(agent.standing) } else { "-" },
            login,
            for_terminal(&program)
        );
    }
    text
}

/// Only the number, where there is one.
fn version_number(version: &str) -> &str {
    let has_digits = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    version.split_whitespace().find(has_digits).unwrap_or(version)
}

fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Tested => "tested",
        Standing::Older => "older",
        Standing::Newer => "newer",
        Standing::Unknown => "unknown",
    }
}

fn login_word(login: &Login) -> &'static str {
    match login {
        Login::Variable(_) => "variable",
        Login::Stored(_) => "stored",
        Login::Unknown => "unknown",
    }
}

/// A short page for each agent.
fn pages(agents: &[AgentFacts]) -> String {
    agents.iter().map(page).collect::<Vec<_>>().join("\n")
}

fn page(agent: &AgentFacts) -> String {
    let mut lines = vec![program_line(agent)];
    if agent.program.is_some() {
        lines.extend(agent.command.is_none().then(|| version_line(agent)));
        lines.push(login_line(agent));
    }
    let body: String =
        lines.iter().map(|(mark, line)| format!("  {} {}\n", mark.show(), for_terminal(line))).collect();
    let can = names(abilities(&agent.capabilities), true);
    let cannot = match names(abilities(&agent.capabilities), false) {
        none if none.is_empty() => none,
        some => format!("    cannot    {some}\n"),
    };
    format!("{}\n{body}    can       {can}\n{cannot}", agent.agent)
}

fn program_line(agent: &AgentFacts) -> (Mark, String) {
    match &agent.program {
        Some(program) => (Mark::Good, format!("program   {}", program.display())),
        None => match &agent.command {
            Some(command) => (Mark::Bad, format!("program   {command} is not in PATH")),
            None => (Mark::Bad, format!("program   not installed; {}", how_to_install(agent.backend))),
        },
    }
}

fn version_line(agent: &AgentFacts) -> (Mark, String) {
    let tested = agent.tested();
    match (&agent.version, agent.standing) {
        (None, _) => (Mark::Bad, "version   the program does not tell it: run it once by hand".to_owned()),
        (Some(version), Standing::Tested) => (Mark::Good, format!("version   {version}, as tested")),
        (Some(version), Standing::Older) => {
            (Mark::Note, format!("version   {version}, older than tested ({tested}): update it"))
        }
        (Some(version), Standing::Newer) => {
            (Mark::Note, format!("version   {version}, newer than tested ({tested})"))
        }
        (Some(version), Standing::Unknown) => {
            (Mark::Note, format!("version   {version}, which cannot be compared with {tested}"))
        }
    }
}

fn login_line(agent: &AgentFacts) -> (Mark, String) {
    let hint = match login_hint(agent.backend) {
        "" => "the agent may have ways of its own",
        hint => hint,
    };
    match &agent.login {
        Login::Variable(name) => (Mark::Good, format!("login     from {name}")),
        Login::Stored(file) => (Mark::Good, format!("login     stored in {}", file.display())),
        Login::Unknown => (Mark::Note, format!("login     no sign of one: {hint}")),
    }
}

/// What there is to be able to do, in the words of the command line.
fn abilities(can: &Capabilities) -> [(&'static str, bool); 8] {
    [
        ("resume", can.resume),
        ("--max-cost", can.cost),
        ("--max-tokens", can.tokens),
        ("--max-turns", can.turns),
        ("--model", can.model),
        ("--effort", can.effort),
        ("--permission-mode", can.permission_mode),
        ("--allow-tool", can.tool_lists),
    ]
}

fn names(abilities: [(&'static str, bool); 8], wanted: bool) -> String {
    let named = abilities.iter().filter(|(_, can)| *can == wanted).map(|(name, _)| *name);
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use overnight_agents::capabilities;
    use overnight_core::agent::{BackendId, Billing};

    use super::*;

    fn facts(agent: BackendId, version: Option<&str>, standing: Standing, login: Login) -> AgentFacts {
        AgentFacts {
            agent: agent.to_string(),
            backend: agent,
            command: None,
            program: version.map(|_| format!("/usr/local/bin/{agent}").into()),
            version: version.map(str::to_owned),
            standing,
            tested_oldest: Some("1.0.0".to_owned()),
            tested_newest: Some("1.2.0".to_owned()),
            billing: Billing::Subscription,
            login,
            capabilities: capabilities(agent),
        }
    }

    fn some() -> [AgentFacts; 3] {
        let stored = Login::Stored("/home/me/.claude/.credentials.json".into());
        [
            facts(BackendId::Claude, Some("1.1.0 (Claude Code)"), Standing::Tested, stored),
            facts(
                BackendId::Codex,
                Some("codex-cli 1.3.0"),
                Standing::Newer,
                Login::Variable("CODEX_API_KEY".into()),
            ),
            facts(BackendId::Gemini, None, Standing::Unknown, Login::Unknown),
        ]
    }

    #[test]
    fn the_list_lines_up() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&table(&some())).to_string());
    }

    #[test]
    fn each_agent_has_its_page() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&pages(&some())).to_string());
    }

    #[test]
    fn facts_are_a_contract() {
        insta::assert_json_snapshot!(some()[1]);
    }
}
