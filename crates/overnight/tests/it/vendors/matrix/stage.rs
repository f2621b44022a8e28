//! One cell's stage: a place with its agent and its script, the order given to `overnight`, and what is seen afterwards.

use std::fmt;
use std::time::{Duration, Instant};

use overnight_testkit::model::Scenario;
use serde_json::Value;

use super::agent::Agent;
use crate::harness::model::Model;
use crate::harness::{Outcome, Place};

/// The same trouble in the words of each kind of agent.
pub(super) struct Play {
    /// For the model behind a real CLI.
    pub(super) model: Scenario,
    /// For the player: the steps of each attempt.
    pub(super) rehearsal: Vec<String>,
    /// For `sh`: a program that knows no protocol.
    pub(super) command: String,
}

pub(super) struct Stage {
    pub(super) place: Place,
    _model: Option<Model>,
    /// The arguments that name the agent.
    who: Vec<String>,
}

/// After a run has ended its processes may take a moment to be reaped by the system.
const SETTLE: Duration = Duration::from_secs(3);

impl Stage {
    pub(super) fn new(agent: Agent, play: Play, settings: &[(&str, &str)]) -> Self {
        let (mut place, model) = agent.place(play.model);
        place.env("OVERNIGHT_AGENT_GRACE", "1s").env("OVERNIGHT_QUESTIONS_POLICY", "end");
        for (name, value) in settings {
            place.env(&format!("OVERNIGHT_{name}"), *value);
        }
        let who = match agent {
            Agent::Rehearsal => {
                let steps: Vec<&str> = play.rehearsal.iter().map(String::as_str).collect();
                vec![
                    "--agent".to_owned(),
                    "rehearsal".to_owned(),
                    "--script".to_owned(),
                    place.script(&steps),
                ]
            }
            Agent::Command => {
                let file = place.write("agent.sh", &play.command);
                vec!["--command".to_owned(), format!("sh {}", file.display())]
            }
            Agent::Claude | Agent::Codex | Agent::Gemini | Agent::Qwen | Agent::Opencode => Vec::new(),
        };
        Self { place, _model: model, who }
    }

    /// `overnight WORD …` with this agent and the usual task.
    pub(super) fn order(&self, word: &str, more: &[&str]) -> Outcome {
        let mut args = vec![word];
        args.extend(self.who.iter().map(String::as_str));
        args.extend(more);
        args.push("Make the check pass");
        self.place.overnight(&args)
    }

    /// Runs the usual task to its end, however that comes, and tells what is seen.
    pub(super) fn run(&self, more: &[&str]) -> Seen {
        let outcome = self.order("run", more);
        if outcome.code == Some(2) && self.place.keys().is_empty() {
            return Seen { detail: outcome.stderr, ..Seen::nothing("refused", self.left()) };
        }
        self.seen("repo-1")
    }

    pub(super) fn seen(&self, key: &str) -> Seen {
        let shown = self.place.shown(key);
        let turns = shown.events.iter().filter_map(turn).collect();
        let failed = shown.events.iter().filter(|event| event["type"] == "attempt_failed").count();
        let end = match shown.state() {
            "ended" => shown.reason().to_owned(),
            "parked" => format!("waits: {}{}", shown.reason(), until(&shown.job)),
            other => other.to_owned(),
        };
        let detail = shown.job["detail"].as_str().unwrap_or_default().to_owned();
        Seen { turns, end, failed, left: self.left(), detail }
    }

    /// Processes of the cell that are still there.
    pub(super) fn left(&self) -> usize {
        let began = Instant::now();
        loop {
            let left = self.place.processes().len();
            if left == 0 || began.elapsed() > SETTLE {
                return left;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What became of a turn, from the event that tells it.
fn turn(event: &Value) -> Option<String> {
    match event["type"].as_str()? {
        "turn_interrupted" => Some("interrupted".to_owned()),
        "turn_ended" => {
            let result = &event["result"];
            let word = result["outcome"].as_str()?.to_owned();
            Some(match (word.as_str(), result["silent"].as_bool(), result["idle"].as_bool()) {
                ("timed_out", Some(true), Some(true)) => "timed_out (idle)".to_owned(),
                ("timed_out", Some(true), Some(false)) => "timed_out (busy)".to_owned(),
                ("timed_out", ..) => "timed_out".to_owned(),
                ("budget_stop", ..) => format!("budget_stop ({})", result["limit"].as_str()?),
                _ => word,
            })
        }
        _ => None,
    }
}

/// Whether the vendor's own time is waited for: without one, a vendor is asked again within minutes.
fn until(job: &Value) -> &'static str {
    let (Some(wake), Some(now)) = (job["wake_ms"].as_i64(), job["updated_at_ms"].as_i64()) else { return "" };
    if wake - now > 60 * 60 * 1000 { " until its reset" } else { "" }
}

/// What a cell says.
pub(super) struct Seen {
    /// What each turn came to.
    pub(super) turns: Vec<String>,
    /// How the job ended, or what it waits for.
    pub(super) end: String,
    /// Attempts that count as failed.
    pub(super) failed: usize,
    pub(super) left: usize,
    /// The job's own words, for a cell that differs.
    pub(super) detail: String,
}

impl Seen {
    /// The order came to nothing.
    pub(super) fn nothing(end: &str, left: usize) -> Self {
        Self { turns: Vec::new(), end: end.to_owned(), failed: 0, left, detail: String::new() }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = if self.turns.is_empty() { "no turn".to_owned() } else { self.turns.join(", ") };
        write!(f, "{turns} → {}; {} failed; {} left", self.end, self.failed, self.left)
    }
}
