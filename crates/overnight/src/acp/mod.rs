//! Talks with an agent over the Agent Client Protocol: runs inside the job's containment, between the runner and the agent.
//!
//! What is said is decided in `overnight_agents::acp::client`; here it is done. Every message of the agent's is printed for the
//! runner before anything follows from it, so that the log of the turn is whole.

mod files;
mod terminals;

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use overnight_agents::acp::client::{Action, Client, QUIET, QUIET_WITHIN, response};
use overnight_agents::acp::request::{Refusal, Request};
use overnight_agents::acp::wire::Order;
use overnight_core::command::{CommandSpec, Exit, Isolation, Limits, Stdin, Stream};
use overnight_proc::{Line, Reply, converse};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::Environment;
use crate::error::AppError;
use files::Files;
use terminals::Terminals;

/// Largest order. A prompt is much smaller.
const MAX_ORDER: u64 = 64 << 20;
/// Longest message of an agent's.
const MAX_MESSAGE: usize = 32 << 20;
/// How long an agent whose turn is over may take to leave, once its input is closed. It may have to write its session.
const LEAVE: Duration = Duration::from_secs(10);

/// Takes one turn and gives the exit status: 0 when it came to an end of its own, whatever that says.
///
/// # Errors
/// When there is no order, or the agent cannot be started: the turn has then crashed.
pub(crate) async fn perform(env: &Environment) -> Result<u8, AppError> {
    let order = order()?;
    let (say, asides) = unbounded_channel();
    let (settle, settling) = oneshot::channel();
    let stop = CancellationToken::new();
    let talk = Arc::new(Mutex::new(Talk {
        client: Client::new(&order),
        files: Files::new(&order),
        terminals: Terminals::new(&order, env.vars().clone(), say.clone()),
        heard: Instant::now(),
        settle: Some(settle),
    }));
    let opening = lock(&talk).begin();
    // Nobody can have closed the other end yet.
    let _ = say.send(opening);
    let mut handler = |line: Line<'_>| lock(&talk).on_line(line);
    let spec = agent(&order, env);
    let conversation = converse(&spec, &mut handler, asides, &stop);
    let asked = cancel_when_asked(&talk, &say, &stop, order.grace);
    let quiet = prompt_when_quiet(&talk, &say, settling);
    let report = tokio::select! {
        report = conversation => report,
        error = asked => return Err(error),
        never = quiet => match never {},
    };
    let report = report.map_err(|error| {
        AppError::unexpected(format!("the agent {} cannot be started", order.program.display()))
            .because(&error)
    })?;
    let talk = lock(&talk);
    if talk.client.is_over() {
        return Ok(0);
    }
    Err(AppError::unexpected(format!("the agent {} before its turn was over", ended(report.exit))))
}

fn order() -> Result<Order, AppError> {
    let unusable = || AppError::usage("there is no order: this is started by Overnight itself");
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_ORDER).read_to_end(&mut bytes);
    read.map_err(|error| unusable().because(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable().because(&error))
}

/// The agent has the environment that was made for it, which is ours.
fn agent(order: &Order, env: &Environment) -> CommandSpec {
    let mut spec = CommandSpec::new(&order.program, &order.workspace).args(&order.args);
    spec.env.clone_from(env.vars());
    spec.stdin = Stdin::Driven;
    spec.limits = Limits { grace: order.grace / 4, line_bytes: MAX_MESSAGE, ..Limits::default() };
    spec.isolation = Isolation::Tethered;
    spec
}

/// On TERM the agent is asked to stop. It gets half of the grace that we have; its answer ends the conversation.
async fn cancel_when_asked(
    talk: &Mutex<Talk>,
    say: &UnboundedSender<Reply>,
    stop: &CancellationToken,
    grace: Duration,
) -> AppError {
    let mut asked = match signal(SignalKind::terminate()) {
        Ok(asked) => asked,
        Err(error) => return AppError::unexpected("TERM cannot be awaited").because(&error),
    };
    asked.recv().await;
    let reply = lock(talk).cancel();
    let _ = say.send(reply);
    sleep(grace / 2).await;
    stop.cancel();
    // The conversation ends now, and this with it.
    std::future::pending().await
}

/// Waits until the agent has told the history of a session that it loaded, and then lets the client go on.
async fn prompt_when_quiet(
    talk: &Mutex<Talk>,
    say: &UnboundedSender<Reply>,
    settling: oneshot::Receiver<()>,
) -> Infallible {
    if settling.await.is_ok() {
        let latest = Instant::now() + QUIET_WITHIN;
        loop {
            let quiet = (lock(talk).heard + QUIET).min(latest);
            if quiet <= Instant::now() {
                break;
            }
            sleep_until(quiet).await;
        }
        let reply = lock(talk).on_quiet();
        let _ = say.send(reply);
    }
    std::future::pending().await
}

fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(status) => format!("ended with status {status}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
        Exit::Unknown => "ended unseen".to_owned(),
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Talk {
    client: Client,
    files: Files,
    terminals: Terminals,
    /// When the agent's last message came.
    heard: Instant,
    /// Where it is said that the agent's silence is waited for.
    settle: Option<oneshot::Sender<()>>,
}

impl Talk {
    fn begin(&mut self) -> Reply {
        let actions = self.client.begin();
        self.act(actions)
    }

    fn on_line(&mut self, line: Line<'_>) -> Reply {
        match line.stream {
            Stream::Stdout => {
                self.heard = Instant::now();
                let actions = self.client.on_line(line.bytes);
                self.act(actions)
            }
            Stream::Stderr => {
                let mut stderr = std::io::stderr().lock();
                // Whoever listens there or not: the turn goes on.
                let _ = stderr.write_all(line.bytes).and_then(|()| stderr.write_all(b"\n"));
                Reply::default()
            }
        }
    }

    fn on_quiet(&mut self) -> Reply {
        let actions = self.client.on_quiet();
        self.act(actions)
    }

    fn cancel(&mut self) -> Reply {
        let actions = self.client.cancel();
        self.terminals.end_all();
        self.act(actions)
    }

    fn act(&mut self, actions: Vec<Action>) -> Reply {
        let mut reply = Reply::default();
        for action in actions {
            match action {
                Action::Tell(line) => {
                    let told = line.encode().is_ok_and(|line| print(line.as_bytes()).is_ok());
                    reply.stop |= !told;
                }
                Action::Send(message) => reply.stdin.extend(message_line(&message)),
                Action::Serve { id, request } => {
                    if let Some(result) = self.serve(&id, request) {
                        reply.stdin.extend(message_line(&response(&id, result)));
                    }
                }
                Action::AwaitQuiet => {
                    if let Some(settle) = self.settle.take() {
                        let _ = settle.send(());
                    }
                }
                Action::Leave => {
                    self.terminals.end_all();
                    reply.close_stdin = true;
                    reply.finish_within = Some(LEAVE);
                }
            }
        }
        reply
    }

    /// `None`: the answer comes when there is one.
    fn serve(&mut self, id: &Value, request: Request) -> Option<Result<Value, Refusal>> {
        Some(match request {
            Request::ReadFile(file) => self.files.read(&file),
            Request::WriteFile(file) => self.files.write(&file),
            Request::CreateTerminal(wanted) => {
                let cwd = match self.files.directory(wanted.cwd.as_deref()) {
                    Ok(cwd) => cwd,
                    Err(refusal) => return Some(Err(refusal)),
                };
                self.terminals.create(wanted, cwd)
            }
            Request::TerminalOutput(terminal) => self.terminals.output(&terminal.terminal_id),
            Request::WaitForExit(terminal) => return self.terminals.wait(&terminal.terminal_id, id),
            Request::KillTerminal(terminal) => self.terminals.kill(&terminal.terminal_id),
            Request::ReleaseTerminal(terminal) => self.terminals.release(&terminal.terminal_id),
        })
    }
}

fn message_line(message: &Value) -> Vec<u8> {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Unbuffered: what was said is said, also when we are killed in the next moment.
fn print(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
