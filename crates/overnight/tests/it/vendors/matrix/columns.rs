//! The kinds of trouble: one small function each. Times are short, so that the whole table takes minutes.

use overnight_testkit::model::{Action, Scenario};
use serde_json::json;

use super::agent::Agent;
use super::stage::{Play, Seen, Stage};
use crate::harness::{Place, eventually};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Success,
    Resume,
    MaxTurns,
    Unauthorized,
    QuotaWithReset,
    Quota,
    ServerError,
    Overloaded,
    Hang,
    EndlessLoop,
    Flood,
    Sigterm,
    Question,
    FollowUp,
}

impl Column {
    pub(super) const ALL: [Self; 14] = [
        Self::Success,
        Self::Resume,
        Self::MaxTurns,
        Self::Unauthorized,
        Self::QuotaWithReset,
        Self::Quota,
        Self::ServerError,
        Self::Overloaded,
        Self::Hang,
        Self::EndlessLoop,
        Self::Flood,
        Self::Sigterm,
        Self::Question,
        Self::FollowUp,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Resume => "resume",
            Self::MaxTurns => "max turns",
            Self::Unauthorized => "401",
            Self::QuotaWithReset => "429 with reset",
            Self::Quota => "429 without reset",
            Self::ServerError => "500",
            Self::Overloaded => "529",
            Self::Hang => "hang",
            Self::EndlessLoop => "endless loop",
            Self::Flood => "flood",
            Self::Sigterm => "SIGTERM in mid-turn",
            Self::Question => "question asked",
            Self::FollowUp => "follow-up",
        }
    }

    /// Whether `overnight` has what the column is about.
    pub(super) fn is_there(self) -> bool {
        self != Self::FollowUp || Place::bare().overnight(&["continue", "--help"]).code == Some(0)
    }

    pub(super) fn measure(self, agent: Agent) -> Seen {
        match self {
            Self::Success => success(agent),
            Self::Resume => resume(agent),
            Self::MaxTurns => max_turns(agent),
            Self::Unauthorized => refused(agent, status(401), "login_expired"),
            Self::QuotaWithReset => quota_with_reset(agent),
            Self::Quota => refused(agent, status(429), "{ rate_limited = {} }"),
            Self::ServerError => refused(agent, status(500), "overloaded"),
            Self::Overloaded => refused(agent, status(529), "overloaded"),
            Self::Hang => hang(agent),
            Self::EndlessLoop => endless_loop(agent),
            Self::Flood => flood(agent),
            Self::Sigterm => sigterm(agent),
            Self::Question => question(agent),
            Self::FollowUp => follow_up(agent),
        }
    }
}

const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;
const WRONG: &str = r#"{ write = { path = "answer", content = "40\n" } }"#;
/// Silence after which a CLI that asks its vendor for ever is ended. Longer than the slowest takes from its start to its
/// first request, in which it is busy.
const SILENCE: &[(&str, &str)] = &[("AGENT_SILENCE", "6s")];
/// Qwen asks a vendor that refuses it for some 75 s, in silence, before it gives up.
const PATIENT: &[(&str, &str)] = &[("AGENT_SILENCE", "150s")];
/// Bytes that a program writes which is the agent itself, twice: once in one line.
const FLOOD: usize = 3_000_000;
/// Bytes that a command of a real CLI's agent writes in one line: several times what a pipe holds. With megabytes, the scripts of
/// Node lose the end of their output on a busy machine (see "Gaps").
const TOOL_FLOOD: usize = 300_000;

fn fix(scenario: Scenario) -> Scenario {
    scenario.shell("echo 42 > answer && git commit --quiet --all --message='Correct it'")
}

fn done(scenario: Scenario) -> Scenario {
    fix(scenario).say("The answer is 42 now.")
}

fn status(status: u16) -> Action {
    Action::Http { status, retry_after: None, reset_at: None, message: None }
}

fn success(agent: Agent) -> Seen {
    let play = Play {
        model: done(Scenario::new()),
        rehearsal: vec![FIX.to_owned()],
        command: "echo 42 > answer".to_owned(),
    };
    Stage::new(agent, play, &[]).run(&[])
}

/// The first answer is wrong; the second turn shall go on in the session.
fn resume(agent: Agent) -> Seen {
    let play = Play {
        model: done(Scenario::new().shell("echo 40 > answer").say("The first answer.")),
        rehearsal: vec![WRONG.to_owned(), FIX.to_owned()],
        command: "echo $((38 + 2 * OVERNIGHT_ATTEMPT)) > answer".to_owned(),
    };
    let stage = Stage::new(agent, play, &[]);
    let mut seen = stage.run(&[]);
    let announced = stage.place.events_of("turn_announced");
    let how = announced.last().and_then(|event| event["session"]["kind"].as_str()).unwrap_or("none");
    seen.turns.push(format!("session {how}"));
    seen
}

fn max_turns(agent: Agent) -> Seen {
    let play = Play {
        model: Scenario::new().then(Action::Loop),
        rehearsal: vec![
            "{ usage = { output = 1 } }, { usage = { output = 1 } }, { usage = { output = 1 } }, \"hang\""
                .to_owned(),
        ],
        command: "sleep 600".to_owned(),
    };
    Stage::new(agent, play, &[]).run(&["--max-turns", "2"])
}

/// The vendor refuses the first request, and goes on refusing.
fn refused(agent: Agent, answer: Action, rehearsed: &str) -> Seen {
    let silence = if agent == Agent::Qwen { PATIENT } else { SILENCE };
    refused_for(agent, silence, answer, rehearsed)
}

fn refused_for(agent: Agent, silence: &[(&str, &str)], answer: Action, rehearsed: &str) -> Seen {
    let failure = if rehearsed.starts_with('{') { rehearsed.to_owned() } else { format!("\"{rehearsed}\"") };
    let play = Play {
        model: Scenario::new().then(answer),
        rehearsal: vec![format!("{{ fail = {failure} }}")],
        command: "echo 'HTTP error' >&2; exit 1".to_owned(),
    };
    Stage::new(agent, play, silence).run(&["--attempts", "1"])
}

fn quota_with_reset(agent: Agent) -> Seen {
    let two_hours = Action::Http { status: 429, retry_after: Some(7_200), reset_at: None, message: None };
    refused_for(agent, SILENCE, two_hours, "{ rate_limited = { reset_in_s = 7200 } }")
}

fn hang(agent: Agent) -> Seen {
    let play = Play {
        model: Scenario::new().then(Action::Hang),
        rehearsal: vec!["{ say = \"thinking\" }, \"hang\"".to_owned()],
        command: "echo thinking; sleep 600".to_owned(),
    };
    Stage::new(agent, play, SILENCE).run(&["--attempts", "1"])
}

/// A model that does the same again and again; a program that computes for ever without a word.
fn endless_loop(agent: Agent) -> Seen {
    let forever = "while :; do :; done";
    let play = Play {
        model: Scenario::new().shell("echo again"),
        rehearsal: vec![format!("{{ run = {{ command = \"{forever}\" }} }}")],
        command: forever.to_owned(),
    };
    let settings = [("AGENT_SILENCE", "2s"), ("AGENT_SILENCE_BUSY", "5s")];
    let settings = if matches!(agent, Agent::Rehearsal | Agent::Command) { &settings[..] } else { &[] };
    // Gemini and qwen notice it by themselves, however slow the machine.
    let time = if matches!(agent, Agent::Gemini | Agent::Qwen) { "3m" } else { "15s" };
    Stage::new(agent, play, settings).run(&["--attempts", "1", "--max-time", time])
}

/// More output than the log may hold, much of it in one line.
fn flood(agent: Agent) -> Seen {
    let play = Play {
        model: done(Scenario::new().shell(&format!("head -c {TOOL_FLOOD} /dev/zero | tr '\\0' x"))),
        rehearsal: vec![format!(
            "{FIX}, {{ garbage = {{ long_line = {{ bytes = {FLOOD} }} }} }}, {{ flood = {{ bytes = {FLOOD} }} }}"
        )],
        command: format!("echo 42 > answer; head -c {FLOOD} /dev/zero | tr '\\0' x; yes | head -c {FLOOD}"),
    };
    Stage::new(agent, play, &[("WORKER_LOG_BYTES", "1000000")]).run(&[])
}

/// The worker is told to end by force while a command of the agent's runs; the next worker finishes the job.
fn sigterm(agent: Agent) -> Seen {
    let wait = "touch started; while [ ! -e go ]; do sleep 0.05; done";
    let play = Play {
        model: done(Scenario::new().shell(wait)),
        rehearsal: vec![format!("{{ run = {{ command = \"{wait}\" }} }}, {FIX}")],
        command: format!("{wait}; rm started go; echo 42 > answer"),
    };
    let stage = Stage::new(agent, play, &[]);
    let place = &stage.place;
    stage.order("add", &[]).expect_code(0);
    let worker = place.worker(&["--slots", "1"]);
    let workspace = || place.job_dir().map(|dir| dir.join("workspace"));
    eventually("the agent's command runs", || workspace().filter(|dir| dir.join("started").exists()));
    worker.signal("TERM");
    worker.until_said("1 job still to end");
    worker.signal("TERM");
    worker.wait().expect_code(8);
    let left = stage.left();
    if let Some(workspace) = workspace() {
        std::fs::write(workspace.join("go"), "").unwrap();
    }
    place.work_off().expect_code(0);
    let seen = stage.seen("repo-1");
    Seen { left: seen.left.max(left), ..seen }
}

/// The agent asks a person with the vendor's own tool, is given no answer, and leaves off.
fn question(agent: Agent) -> Seen {
    let input = json!({"questions": [{"question": "Which of the two?", "header": "Pick", "id": "q", "type": "choice",
        "multiSelect": false, "options": [{"label": "A", "description": "a"}, {"label": "B", "description": "b"}]}]});
    let play = Play {
        model: Scenario::new().tool(agent.asks_with(), input).say("I need an answer."),
        rehearsal: vec!["{ fail = { needs_input = { question = \"Which of the two?\" } } }".to_owned()],
        command: "echo 'Which of the two?'".to_owned(),
    };
    Stage::new(agent, play, SILENCE).run(&["--attempts", "1"])
}

/// A finished job is gone on with, in its session and on its branch.
fn follow_up(agent: Agent) -> Seen {
    let play = Play {
        model: done(Scenario::new())
            .shell("echo more > notes && git add notes && git commit --quiet --message=More")
            .say("Noted."),
        rehearsal: vec!["{ run = { command = \"echo 42 > answer; echo more >> notes\" } }".to_owned()],
        command: "echo 42 > answer; echo more >> notes".to_owned(),
    };
    let stage = Stage::new(agent, play, &[]);
    stage.order("run", &[]).expect_code(0);
    stage.place.overnight(&["continue", "repo-1", "-m", "Add a note"]);
    let mut keys = stage.place.keys();
    keys.retain(|key| key != "repo-1");
    keys.pop().map_or_else(|| Seen::nothing("refused", stage.left()), |key| stage.seen(&key))
}
