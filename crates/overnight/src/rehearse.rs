//! Plays a rehearsal script: the scripted agent, which runs as the agent's process inside the job's containment.
//!
//! Speaks the protocol of `overnight_agents::rehearsal` on standard output. Knows nothing of the job but its arguments, as
//! any vendor's program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use overnight_agents::rehearsal::script::{Failure, Script, Step};
use overnight_agents::rehearsal::wire::{TurnResult, encode_event, encode_result};
use overnight_core::agent::{AgentEvent, TurnOutcome, Usage};
use overnight_core::command::{CommandSpec, Isolation};
use overnight_core::id::SessionId;
use overnight_core::units::{MicroDollars, Timestamp};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::cli::args::RehearseArgs;
use crate::config::Environment;
use crate::error::{AppError, Place};

/// How often a waiting player looks for its file.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of one message of a flood.
const FLOOD_LINE: usize = 4096;
/// Bytes of a command's output that are kept.
const OUTPUT: usize = 64 << 10;

/// Reads and checks a script.
///
/// # Errors
/// With the line at fault.
pub fn load(path: &Path) -> Result<Script, AppError> {
    let name = path.display().to_string();
    let help = "docs/rehearsal.md lists the steps; overnight demo shows a script at work";
    let unusable = || AppError::usage(format!("the rehearsal script {name} cannot be used")).help(help);
    let text = fs::read_to_string(path).map_err(|error| unusable().because(&error))?;
    let script: Script = toml::from_str(&text).map_err(|error| {
        let place = Place::of(
            &name,
            &text,
            error.span().unwrap_or(0..0),
            error.message().lines().next().unwrap_or_default(),
        );
        unusable().at(place)
    })?;
    script.check().map_err(|error| unusable().because(&error))?;
    Ok(script)
}

/// Plays one turn and gives the exit status of the player.
///
/// # Errors
/// When the script cannot be read or a step cannot be played: the turn has then crashed.
pub async fn perform(args: &RehearseArgs, env: &Environment) -> Result<u8, AppError> {
    let script = load(&args.script)?;
    let mut player = Player { env, usage: Usage::default(), ignoring: None, last: None };
    let session = SessionId::parse(&args.session).ok();
    player.tell(&AgentEvent::SessionStarted { session, model: Some("rehearsal".to_owned()) })?;
    for step in script.steps(args.attempt, args.turn) {
        if let Some(status) = player.play(step).await? {
            return Ok(status);
        }
    }
    player.end(TurnOutcome::Completed)?;
    Ok(0)
}

struct Player<'a> {
    env: &'a Environment,
    usage: Usage,
    /// Held so that TERM stays without effect.
    ignoring: Option<Signal>,
    last: Option<String>,
}

impl Player<'_> {
    /// Plays a step; `Some` when it ends the turn.
    async fn play(&mut self, step: &Step) -> Result<Option<u8>, AppError> {
        match step {
            Step::Say(text) => {
                self.last = Some(text.clone());
                self.tell(&AgentEvent::Message { text: text.clone() })?;
            }
            Step::Reason(text) => self.tell(&AgentEvent::Reasoning { text: text.clone() })?,
            Step::Write { path, content } => self.tool("Write", path, write(path, content))?,
            Step::Edit { path, find, replace } => self.edit(path, find, replace)?,
            Step::Delete { path } => self.tool("Delete", path, fs::remove_file(path).is_ok())?,
            Step::Run { command } => self.shell(command).await?,
            Step::Commit { message } => self.commit(message).await?,
            Step::Wait { ms } => sleep(Duration::from_millis(*ms)).await,
            Step::WaitForFile { path } => wait_for(path).await,
            Step::Usage { input, output, cost } => self.use_up(*input, *output, *cost)?,
            Step::Flood { bytes } => self.flood(*bytes)?,
            Step::Garbage(garbage) => print(&garbage.bytes())?,
            Step::IgnoreTerm => {
                let ignoring = signal(SignalKind::terminate());
                self.ignoring = Some(
                    ignoring
                        .map_err(|error| AppError::unexpected("TERM cannot be ignored").because(&error))?,
                );
            }
            Step::Hang => std::future::pending::<()>().await,
            Step::Exit { code } => {
                self.end(TurnOutcome::Completed)?;
                return Ok(Some(u8::try_from(*code).unwrap_or(1)));
            }
            Step::Ask { question, options } => {
                self.asks(question, options)?;
                return Ok(Some(0));
            }
            Step::Fail(failure) => return self.fail(failure).map(Some),
        }
        Ok(None)
    }

    fn tell(&self, event: &AgentEvent) -> Result<(), AppError> {
        let line = encode_event(event)
            .map_err(|error| AppError::unexpected("an event cannot be written").because(&error))?;
        print(line.as_bytes())
    }

    fn end(&self, outcome: TurnOutcome) -> Result<(), AppError> {
        self.result(&TurnResult {
            outcome,
            usage: self.usage,
            final_text: self.last.clone(),
            asked: None,
            options: Vec::new(),
        })
    }

    /// As a CLI whose agent called a tool for it, was refused an answer, and left off.
    fn asks(&self, question: &str, options: &[String]) -> Result<(), AppError> {
        self.result(&TurnResult {
            outcome: TurnOutcome::NeedsInput { detail: question.to_owned() },
            usage: self.usage,
            final_text: self.last.clone(),
            asked: None,
            options: options.to_vec(),
        })
    }

    fn result(&self, result: &TurnResult) -> Result<(), AppError> {
        let line = encode_result(result)
            .map_err(|error| AppError::unexpected("the result cannot be written").because(&error))?;
        print(line.as_bytes())
    }

    /// A tool call that has been made. Its failure ends nothing, as with a real agent.
    fn tool(&self, tool: &str, path: &Path, ok: bool) -> Result<(), AppError> {
        let tool = tool.to_owned();
        self.tell(&AgentEvent::ToolStarted { tool: tool.clone(), summary: path.display().to_string() })?;
        self.tell(&AgentEvent::ToolFinished { tool, ok })
    }

    fn edit(&self, path: &Path, find: &str, replace: &str) -> Result<(), AppError> {
        let failed = || AppError::unexpected(format!("the rehearsal cannot edit {}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| failed().because(&error))?;
        if !text.contains(find) {
            return Err(failed().help("its text is not in the file"));
        }
        self.tool("Edit", path, write(path, &text.replacen(find, replace, 1)))
    }

    async fn shell(&self, command: &str) -> Result<(), AppError> {
        let summary = command.lines().next().unwrap_or_default().to_owned();
        self.tell(&AgentEvent::ToolStarted { tool: "Run".to_owned(), summary })?;
        let ok = self.run(CommandSpec::new("sh", self.env.cwd()).args(["-c", command])).await;
        self.tell(&AgentEvent::ToolFinished { tool: "Run".to_owned(), ok })
    }

    async fn commit(&self, message: &str) -> Result<(), AppError> {
        self.tell(&AgentEvent::ToolStarted { tool: "Commit".to_owned(), summary: message.to_owned() })?;
        let git = || CommandSpec::new("git", self.env.cwd());
        let ok = self.run(git().args(["add", "--all"])).await
            && self.run(git().args(["commit", "--quiet", "--message", message])).await;
        self.tell(&AgentEvent::ToolFinished { tool: "Commit".to_owned(), ok })
    }

    /// Runs a program with the player's own environment.
    async fn run(&self, mut spec: CommandSpec) -> bool {
        spec.env.clone_from(self.env.vars());
        spec.isolation = Isolation::Tethered;
        overnight_proc::output(&spec, OUTPUT).await.is_ok_and(|output| output.report.success())
    }

    /// Each step of this kind is one answer of the model that is played.
    fn use_up(&mut self, input: u64, output: u64, cost: Option<f64>) -> Result<(), AppError> {
        let cost = cost.and_then(MicroDollars::from_dollars);
        let more = Usage { input_tokens: input, output_tokens: output, turns: 1, cost, ..Usage::default() };
        self.usage = self.usage.plus(&more);
        self.tell(&AgentEvent::UsageSoFar { usage: self.usage })
    }

    fn flood(&self, bytes: u64) -> Result<(), AppError> {
        let text = "x".repeat(FLOOD_LINE);
        for _ in 0..bytes / FLOOD_LINE as u64 + 1 {
            self.tell(&AgentEvent::Message { text: text.clone() })?;
        }
        Ok(())
    }

    fn fail(&self, failure: &Failure) -> Result<u8, AppError> {
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        match failure.outcome(now) {
            Some(outcome) => self.end(outcome).map(|()| 1),
            None => Err(AppError::unexpected("the rehearsal crashed, as its script says")),
        }
    }
}

fn write(path: &Path, content: &str) -> bool {
    let parent: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    (parent.as_os_str().is_empty() || fs::create_dir_all(parent).is_ok()) && fs::write(path, content).is_ok()
}

async fn wait_for(path: &Path) {
    while !path.exists() {
        sleep(LOOK).await;
    }
}

/// Unbuffered: what was said is said, also when the player is killed in the next moment.
fn print(bytes: &[u8]) -> Result<(), AppError> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| AppError::unexpected("nobody listens to the rehearsal").because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_with_a_mistake_is_shown_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script.toml");
        fs::write(&path, "[[attempt]]\nsteps = [\n  { shout = \"x\" },\n]\n").unwrap();
        let text = load(&path).unwrap_err().render();
        assert!(text.contains("script.toml:3:"), "{text}");
        fs::write(&path, "[[attempt]]\nsteps = [\"hang\", { say = \"x\" }]\n").unwrap();
        assert!(load(&path).unwrap_err().causes[0].contains("never reached"));
        assert!(load(&dir.path().join("none")).is_err());
    }
}
