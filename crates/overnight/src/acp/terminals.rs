//! Commands that an agent has run for it. Each is a process tree of its own that ends with the turn at the latest.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use overnight_agents::acp::client::response;
use overnight_agents::acp::request::{CreateTerminal, Refusal};
use overnight_agents::acp::wire::Order;
use overnight_core::command::{CommandSpec, Exit, Isolation, Limits};
use overnight_proc::{Line, Reply, converse};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::message_line;

/// Terminals at a time. An agent that forgets to release them learns it.
const MAX_TERMINALS: usize = 64;
/// Bytes of output's end that are kept: usually, and at most.
const OUTPUT: usize = 1 << 20;
const MAX_OUTPUT: usize = 8 << 20;
/// Longest line that is kept, in bytes.
const LINE: usize = 64 << 10;

pub(super) struct Terminals {
    env: BTreeMap<OsString, OsString>,
    grace: Duration,
    say: UnboundedSender<Reply>,
    open: BTreeMap<String, Terminal>,
    /// Number of the last one.
    last: u64,
}

struct Terminal {
    screen: Arc<Mutex<Screen>>,
    stop: CancellationToken,
}

/// What a command has written, and how it ended.
struct Screen {
    output: VecDeque<u8>,
    limit: usize,
    truncated: bool,
    exit: Option<Value>,
    /// Requests that wait for the end.
    waiting: Vec<Value>,
}

impl Terminals {
    pub(super) fn new(order: &Order, env: BTreeMap<OsString, OsString>, say: UnboundedSender<Reply>) -> Self {
        Self { env, grace: order.grace / 4, say, open: BTreeMap::new(), last: 0 }
    }

    pub(super) fn create(&mut self, wanted: CreateTerminal, cwd: PathBuf) -> Result<Value, Refusal> {
        if self.open.len() >= MAX_TERMINALS {
            return Err(Refusal::failed(format!("{MAX_TERMINALS} terminals are open: release some")));
        }
        let asked = wanted.output_byte_limit.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let screen = Screen {
            output: VecDeque::new(),
            limit: asked.unwrap_or(OUTPUT).min(MAX_OUTPUT),
            truncated: false,
            exit: None,
            waiting: Vec::new(),
        };
        let terminal = Terminal { screen: Arc::new(Mutex::new(screen)), stop: CancellationToken::new() };
        let spec = self.spec(wanted, cwd);
        tokio::spawn(run(spec, Arc::clone(&terminal.screen), terminal.stop.clone(), self.say.clone()));
        self.last += 1;
        let id = format!("terminal-{}", self.last);
        self.open.insert(id.clone(), terminal);
        Ok(json!({"terminalId": id}))
    }

    /// Some agents give a whole command line where the protocol has a program and its arguments.
    fn spec(&self, wanted: CreateTerminal, cwd: PathBuf) -> CommandSpec {
        let line = wanted.args.is_empty() && wanted.command.contains(|c: char| !is_plain(c));
        let mut spec = if line {
            CommandSpec::new("sh", cwd).args(["-c", &wanted.command])
        } else {
            CommandSpec::new(wanted.command, cwd).args(wanted.args)
        };
        spec.env.clone_from(&self.env);
        spec.env.extend(wanted.env.into_iter().map(|one| (one.name.into(), one.value.into())));
        spec.limits = Limits { grace: self.grace, line_bytes: LINE, ..Limits::default() };
        spec.isolation = Isolation::Tethered;
        spec
    }

    fn find(&self, id: &str) -> Result<&Terminal, Refusal> {
        let unknown = || Refusal::missing(format!("there is no terminal {}", id.escape_default()));
        self.open.get(id).ok_or_else(unknown)
    }

    pub(super) fn output(&self, id: &str) -> Result<Value, Refusal> {
        let screen = lock(&self.find(id)?.screen);
        Ok(json!({"output": screen.text(), "truncated": screen.truncated, "exitStatus": screen.exit}))
    }

    /// `None`: it runs, and the request is answered when it ends.
    pub(super) fn wait(&self, id: &str, request: &Value) -> Option<Result<Value, Refusal>> {
        let terminal = match self.find(id) {
            Ok(terminal) => terminal,
            Err(refusal) => return Some(Err(refusal)),
        };
        let mut screen = lock(&terminal.screen);
        if screen.exit.is_none() {
            screen.waiting.push(request.clone());
        }
        screen.exit.clone().map(Ok)
    }

    pub(super) fn kill(&self, id: &str) -> Result<Value, Refusal> {
        self.find(id)?.stop.cancel();
        Ok(json!({}))
    }

    pub(super) fn release(&mut self, id: &str) -> Result<Value, Refusal> {
        self.find(id)?.stop.cancel();
        self.open.remove(id);
        Ok(json!({}))
    }

    pub(super) fn end_all(&self) {
        self.open.values().for_each(|terminal| terminal.stop.cancel());
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/._-+@".contains(c)
}

async fn run(
    spec: CommandSpec,
    screen: Arc<Mutex<Screen>>,
    stop: CancellationToken,
    say: UnboundedSender<Reply>,
) {
    let mut handler = |line: Line<'_>| {
        lock(&screen).push(line.bytes, line.cut);
        Reply::default()
    };
    let (_, asides) = unbounded_channel();
    let exit = match converse(&spec, &mut handler, asides, &stop).await {
        Ok(report) => exit_status(report.exit),
        Err(error) => {
            lock(&screen).push(error.to_string().as_bytes(), false);
            // As a shell says that there is no such command.
            exit_status(Exit::Code(127))
        }
    };
    let mut screen = lock(&screen);
    screen.exit = Some(exit.clone());
    for id in screen.waiting.drain(..) {
        let stdin = message_line(&response(&id, Ok(exit.clone())));
        // Nobody waits any more when the turn is over.
        let _ = say.send(Reply { stdin, ..Reply::default() });
    }
}

fn exit_status(exit: Exit) -> Value {
    match exit {
        Exit::Code(code) => json!({"exitCode": code, "signal": null}),
        Exit::Signal(signal) => json!({"exitCode": null, "signal": signal_name(signal)}),
        Exit::Unknown => json!({"exitCode": null, "signal": null}),
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        2 => "SIGINT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => other.to_string(),
    }
}

impl Screen {
    fn push(&mut self, line: &[u8], cut: bool) {
        self.output.extend(line);
        self.output.push_back(b'\n');
        self.truncated |= cut;
        let over = self.output.len().saturating_sub(self.limit);
        self.truncated |= over > 0;
        self.output.drain(..over);
        // A character whose beginning is gone goes as well.
        while over > 0 && self.output.front().is_some_and(|byte| byte & 0xC0 == 0x80) {
            self.output.pop_front();
        }
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = self.output.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn lock(screen: &Mutex<Screen>) -> std::sync::MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use overnight_agents::acp::wire::Policy;
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;

    fn terminals() -> (Terminals, UnboundedReceiver<Reply>) {
        let order = Order {
            program: "/bin/true".into(),
            args: Vec::new(),
            workspace: "/".into(),
            readable: Vec::new(),
            resume: None,
            tools: None,
            prompt: String::new(),
            policy: Policy::Allow,
            grace: Duration::from_secs(4),
        };
        let (say, heard) = unbounded_channel();
        let path = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
        (Terminals::new(&order, path, say), heard)
    }

    fn create(terminals: &mut Terminals, wanted: &Value) -> String {
        let wanted = serde_json::from_value(wanted.clone()).unwrap();
        let created = terminals.create(wanted, std::env::temp_dir()).unwrap();
        created["terminalId"].as_str().unwrap().to_owned()
    }

    async fn ended(terminals: &Terminals, heard: &mut UnboundedReceiver<Reply>, id: &str) -> Value {
        match terminals.wait(id, &json!(7)) {
            Some(result) => result.unwrap(),
            None => {
                let line = heard.recv().await.unwrap().stdin;
                let answer: Value = serde_json::from_slice(&line).unwrap();
                assert_eq!(answer["id"], 7);
                answer["result"].clone()
            }
        }
    }

    #[tokio::test]
    async fn a_command_runs_and_is_waited_for() {
        let (mut terminals, mut heard) = terminals();
        let given =
            json!({"command": "sh", "args": ["-c", "echo $A; exit 3"], "env": [{"name": "A", "value": "b"}]});
        let id = create(&mut terminals, &given);
        assert_eq!(ended(&terminals, &mut heard, &id).await, json!({"exitCode": 3, "signal": null}));
        let output = terminals.output(&id).unwrap();
        assert_eq!((&output["output"], &output["truncated"]), (&json!("b\n"), &json!(false)));
        assert_eq!(output["exitStatus"]["exitCode"], 3);
        let line = create(&mut terminals, &json!({"command": "echo a && echo b"}));
        ended(&terminals, &mut heard, &line).await;
        assert_eq!(terminals.output(&line).unwrap()["output"], "a\nb\n");
        let none = create(&mut terminals, &json!({"command": "no-such-program"}));
        assert_eq!(ended(&terminals, &mut heard, &none).await["exitCode"], 127);
    }

    #[tokio::test]
    async fn a_command_that_is_killed_or_released_ends() {
        let (mut terminals, mut heard) = terminals();
        let id = create(&mut terminals, &json!({"command": "sleep", "args": ["1000"]}));
        assert!(terminals.wait(&id, &json!(7)).is_none());
        terminals.kill(&id).unwrap();
        assert!(heard.recv().await.is_some());
        assert_eq!(terminals.output(&id).unwrap()["exitStatus"]["signal"], "SIGTERM");
        terminals.release(&id).unwrap();
        assert_eq!(terminals.output(&id).unwrap_err().code, -32002);
        assert!(terminals.wait("x", &json!(7)).unwrap().is_err());
    }

    #[tokio::test]
    async fn the_end_of_a_flood_is_kept() {
        let (mut terminals, mut heard) = terminals();
        let id = create(
            &mut terminals,
            &json!({"command": "i=0; while [ $i -lt 500 ]; do echo \"\u{fc}$i\"; i=$((i+1)); done", "outputByteLimit": 17}),
        );
        ended(&terminals, &mut heard, &id).await;
        let output = terminals.output(&id).unwrap();
        assert_eq!(
            (&output["output"], &output["truncated"]),
            (&json!("497\n\u{fc}498\n\u{fc}499\n"), &json!(true))
        );
    }
}
