//! What the tests of all backends share: a request, a host, and a turn played from lines.

use std::path::PathBuf;
use std::time::Duration;

use overnight_core::agent::{
    AgentEvent, AgentSettings, BackendId, RemainingLimits, SessionStart, TurnReport, TurnRequest,
};
use overnight_core::command::{CommandSpec, Containment, Exit, ExitReport, FileGuard, StopReason, Stream};
use overnight_core::id::SessionId;

use crate::{HostFacts, driver};

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
        session: SessionStart::Fresh(session()),
        remaining: RemainingLimits::default(),
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
