//! The real Claude Code CLI with a scripted model behind it: no account, no network beyond the loopback interface.

use overnight_testkit::model::{ModelServer, RecordedRequest, RequestKind, Scenario};
use overnight_testkit::tools;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::{Live, Outcome, Place, eventually, skipped};

/// The key that pays for the model. Of no known shape, so that only its value can give it away.
pub(crate) const KEY: &str = "dummy-model-key-5f0c2e9a71d4";

/// A scripted model that answers while the test waits for the program.
pub(crate) struct Model {
    server: ModelServer,
    _runtime: Runtime,
}

impl Model {
    pub(crate) fn start(scenario: Scenario) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(ModelServer::start(scenario)).unwrap();
        Self { server, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        self.server.base_url()
    }

    /// The agent's own questions so far.
    pub(crate) fn asked(&self) -> Vec<RecordedRequest> {
        let main = |request: &RecordedRequest| request.kind == RequestKind::Main;
        self.server.requests().into_iter().filter(main).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.server.main_requests()
    }

    /// Every request, of any kind.
    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        self.server.requests()
    }
}

/// A place whose agent is the real CLI, paid by key; `None`, and said so, where the CLI is not installed.
pub(crate) fn place(test: &str) -> Option<Place> {
    let program = tools::claude().inspect_err(|reason| skipped(test, reason)).ok()?;
    let mut place = Place::new();
    place.env("OVERNIGHT_AGENT_DEFAULT", "claude").env("OVERNIGHT_AGENT_PROGRAM_CLAUDE", program);
    place.env("OVERNIGHT_AGENT_MODEL", "claude-sonnet-4-5").env("OVERNIGHT_AGENT_GRACE", "2s");
    place.env("CLAUDE_CODE_MAX_RETRIES", "0");
    place.env("OVERNIGHT_AGENT_BILLING", "key").env("ANTHROPIC_API_KEY", KEY);
    Some(place)
}

/// Puts a model behind the place's agent.
pub(crate) fn model(place: &mut Place, scenario: Scenario) -> Model {
    let model = Model::start(scenario);
    place.env("ANTHROPIC_BASE_URL", model.url());
    model
}

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["run"], more, &["Make the check pass"]].concat()
}

pub(crate) fn run(place: &Place, more: &[&str]) -> Outcome {
    place.overnight(&args(more))
}

/// A run that streams its events and is not waited for.
pub(crate) fn start(place: &Place) -> Live {
    place.start(&args(&["--events"]))
}

/// Adds the steps of a change to one file: the CLI wants it read before. Paths are relative to the workspace.
pub(crate) fn change(scenario: Scenario, file: &str, old: &str, new: &str) -> Scenario {
    scenario
        .tool("Read", json!({"file_path": file}))
        .edit(file, old, new)
        .shell("git commit --quiet --all --message='Correct it'")
}

/// The usual job, done right at once, in four answers.
pub(crate) fn fix() -> Scenario {
    finish(Scenario::new())
}

/// The usual job done right, after what was there before.
pub(crate) fn finish(scenario: Scenario) -> Scenario {
    change(scenario, "answer", "41", "42").say("The answer is 42 now.")
}

/// The conversation that a request carries, as text.
pub(crate) fn conversation(request: &RecordedRequest) -> String {
    request.body["messages"].to_string()
}

/// What the person (here: the runner) said last in the conversation, without the CLI's own reminders.
pub(crate) fn said_last(request: &RecordedRequest) -> String {
    let last =
        request.body["messages"].as_array().and_then(|messages| messages.last()).cloned().unwrap_or_default();
    assert_eq!(last["role"], "user", "{last:#}");
    if let Some(text) = last["content"].as_str() {
        return text.to_owned();
    }
    let texts = last["content"].as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
    texts.filter(|text| !text.starts_with("<system-reminder>")).collect::<Vec<_>>().join("\n")
}

/// Waits until what the CLI keeps for a later resume holds this text: it writes with a delay.
pub(crate) fn wait_for_transcript(place: &Place, text: &str) {
    let dir = place.home().join(".claude/projects");
    eventually("the CLI's own record of the session", || {
        (!super::job::files_with(&dir, text.as_bytes()).is_empty()).then_some(())
    });
}

/// The sessions of all turns, as (`fresh` or `resume`, id).
pub(crate) fn sessions(place: &Place) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let announced = place.events_of("turn_announced");
    announced.iter().map(|event| (text(&event["session"]["kind"]), text(&event["session"]["id"]))).collect()
}
