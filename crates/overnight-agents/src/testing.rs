//! What the tests of all backends share: a request, a host, a turn played from lines, and the recordings of a CLI.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use overnight_core::agent::{
    AgentEvent, AgentSettings, BackendId, RemainingLimits, SessionStart, TurnOutcome, TurnReport,
    TurnRequest, Usage,
};
use overnight_core::command::{CommandSpec, Containment, Exit, ExitReport, FileGuard, StopReason, Stream};
use overnight_core::id::SessionId;
use serde_json::{Value, json};

use crate::{HostFacts, Salvage, driver, known_good, replay, salvage};

pub(crate) const SESSION: &str = "7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11";

pub(crate) fn session() -> SessionId {
    SessionId::parse(SESSION).expect("a session id")
}

pub(crate) fn request(backend: BackendId) -> TurnRequest {
    TurnRequest {
        settings: AgentSettings::new(backend),
        prompt: "--help\nDo the work.".into(),
        prompt_file: "/job/prompt.md".into(),
        instructions: None,
        workspace: "/workspace/repo".into(),
        tmp: "/job/tmp".into(),
        tools: None,
        session: SessionStart::Fresh(session()),
        remaining: RemainingLimits::default(),
        used_before: Usage::default(),
        turn: 2,
        attempt: 1,
    }
}

pub(crate) fn host() -> HostFacts {
    let env = [
        ("PATH", "/usr/bin"),
        ("HOME", "/home/me"),
        ("GITHUB_TOKEN", "canary"),
        ("ANTHROPIC_API_KEY", "canary"),
    ];
    HostFacts {
        env: env.map(|(name, value)| (name.into(), value.into())).into(),
        program: "/opt/claude".into(),
        root: true,
        guard: FileGuard { hidden: vec!["/home/me/.ssh".into()], ..FileGuard::default() },
        self_exe: PathBuf::from("/usr/bin/overnight"),
    }
}

pub(crate) fn words(spec: &CommandSpec) -> Vec<&str> {
    spec.args.iter().map(|arg| arg.to_str().expect("an argument in UTF-8")).collect()
}

pub(crate) fn exit(exit: Exit, stopped: Option<StopReason>) -> ExitReport {
    ExitReport {
        exit,
        stopped,
        left_processes: false,
        dropped_bytes: 0,
        elapsed: Duration::from_secs(1),
        peak_rss_kib: None,
        containment: Containment::Subreaper,
    }
}

/// Feeds standard output, then standard error, and concludes. Gives the events and whether the driver saw the end.
pub(crate) fn play(
    request: &TurnRequest,
    stdout: &[u8],
    stderr: &str,
    exit: &ExitReport,
) -> (Vec<AgentEvent>, bool, TurnReport) {
    let mut driver = driver(request);
    let (mut events, mut finished) = (Vec::new(), false);
    let out = stdout.split_inclusive(|b| *b == b'\n').map(|line| (Stream::Stdout, line));
    let err = stderr.as_bytes().split_inclusive(|b| *b == b'\n').map(|line| (Stream::Stderr, line));
    for (stream, line) in out.chain(err) {
        let output = driver.on_line(stream, line);
        events.extend(output.events);
        finished |= output.finished;
        assert!(output.stdin.is_empty() && !output.close_stdin, "no backend talks back");
    }
    (events, finished, driver.finish(exit))
}

/// The short word for an outcome, as it is stored.
pub(crate) fn word(outcome: &TurnOutcome) -> String {
    serde_json::to_value(outcome).expect("an outcome")["outcome"].as_str().expect("a word").to_owned()
}

/// A turn of these lines whose CLI then leaves with `code`.
pub(crate) fn turn_of(
    request: &TurnRequest,
    lines: &[Value],
    code: i32,
) -> (Vec<AgentEvent>, bool, TurnReport) {
    let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
    play(request, stdout.as_bytes(), "", &exit(Exit::Code(code), None))
}

/// Texts that look like what a CLI or a vendor says when something is wrong: a model, a tool or a prompt may say any of
/// them.
pub(crate) const MISLEADING: &[&str] = &[
    "429 Too Many Requests",
    "authentication failed: 401 Unauthorized",
    "exceeded retry limit, last status: 429 Too Many Requests",
    "unexpected status 401 Unauthorized: x",
    "You've hit your usage limit",
    "[API Error: 401 no]",
    "[API Error: {\"error\":{\"code\":429}}]",
    "Loop detected, stopping execution",
    "Loop detection halted the run",
    "No saved session found with ID x",
    "Error: Session not found",
    "{\"type\":\"result\",\"status\":\"error\",\"is_error\":true,\"error\":{\"message\":\"[API Error: 401 no]\"}}",
    "{\"type\":\"turn.failed\",\"error\":{\"message\":\"unexpected status 429 x\"}}",
    "{\"type\":\"error\",\"error\":{\"name\":\"APIError\",\"data\":{\"statusCode\":401}}}",
];

/// The recordings of one version of a CLI.
pub(crate) struct Recordings {
    backend: BackendId,
    folder: PathBuf,
    pub(crate) version: String,
}

impl Recordings {
    /// Those of the newest version that is known as good.
    pub(crate) fn of(backend: BackendId) -> Self {
        let version = known_good(backend).expect("a vendor's versions").newest.to_string();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("recordings")
            .join(backend.as_str())
            .join(&version);
        Self { backend, folder, version }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .expect("the folder is there")
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned()))
            .collect();
        names.sort();
        names
    }

    pub(crate) fn stdout(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(format!("{name}.jsonl"))).expect("the recording is there")
    }

    fn exit(&self, name: &str) -> (Exit, String) {
        let exits = fs::read(self.folder.join("exits.json")).expect("the exits are there");
        let exits: Value = serde_json::from_slice(&exits).expect("the exits are JSON");
        let code = exits[name]["exit"].as_i64().map(|code| i32::try_from(code).expect("an exit code"));
        let stderr = exits[name]["stderr"].as_str().expect("a stderr").to_owned();
        (code.map_or(Exit::Signal(9), Exit::Code), stderr)
    }

    /// The request under which a recording was made.
    pub(crate) fn request(&self, name: &str) -> TurnRequest {
        let mut request = request(self.backend);
        if ["resumed", "unknown_session"].contains(&name) {
            request.session = SessionStart::Resume(session());
        }
        if name == "resumed" {
            request.used_before = self.played("resumed_first", None).2.usage;
        }
        request
    }

    pub(crate) fn played(&self, name: &str, stop: Option<StopReason>) -> (Vec<AgentEvent>, bool, TurnReport) {
        let (ending, stderr) = self.exit(name);
        play(&self.request(name), &self.stdout(name), &stderr, &exit(ending, stop))
    }

    pub(crate) fn outcome(&self, name: &str, stop: Option<StopReason>) -> TurnOutcome {
        self.played(name, stop).2.outcome
    }

    /// A recording's events and report, for a snapshot.
    pub(crate) fn decoded(&self, name: &str) -> Value {
        let (events, finished, report) = self.played(name, None);
        json!({"events": events, "finished": finished, "report": report})
    }

    /// What the runner makes of a turn whose end it did not see: with a final line in its log it is over, whatever that line
    /// says; without one it is not, and its session goes on. Gives what the turn that was killed leaves.
    pub(crate) fn check_replay(&self) -> Salvage {
        let of = |name| replay(&self.request(name), &self.stdout(name), Exit::Unknown);
        assert_eq!(of("success").map(|report| report.outcome), Some(TurnOutcome::Completed));
        assert_eq!(of("unauthorized").map(|report| word(&report.outcome)), Some("login_expired".to_owned()));
        assert_eq!(of("killed"), None);
        let left = salvage(&request(self.backend), &self.stdout("killed"));
        assert!(left.session.is_some(), "{left:?}");
        left
    }

    /// Compares the word of every recording's outcome with what is expected; every recording has to be expected.
    pub(crate) fn check_outcomes(&self, expected: &[(&str, &str)]) {
        let seen: Vec<(String, String)> =
            self.names().into_iter().map(|name| (name.clone(), word(&self.outcome(&name, None)))).collect();
        let mut expected: Vec<(String, String)> =
            expected.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect();
        expected.sort();
        assert_eq!(seen, expected);
    }
}
