//! One story from its plan to its pull request: three tasks, done by the real Claude Code CLI with a scripted model, of which one is
//! refused by the gate and mends it, one goes on on the same branch, and one fails; and its epic's other work is taken back: the
//! pull request is closed, what was merged before gets one that reverts it. Every step is read from the stream of events.

use overnight_testkit::forge::{Flavour, PullState};
use overnight_testkit::model::Scenario;
use serde_json::{Value, json};

use crate::api::client::{Client, Stream};
use crate::harness::Place;
use crate::harness::fleet::hasten;
use crate::harness::forge::{Forge, REPOSITORY, TRUNK};
use crate::harness::model::{self, Model};

const PLAN: &str = "
epic: {title: The house}
stories:
  - title: Windows
    tasks:
      - title: Open it
  - title: Doors
    tasks:
      - title: Hang it
        id: hang
        plan: |
          1. Write `notes/hinge.md`.
          2. Write `notes/door.md`.
        verify_required: aligned
      - title: Paint it
        id: paint
        after: hang
        plan: Write `paint.md`.
        verify_required: aligned
      - title: Ring it
        after: paint
";
/// The story that is merged before the other begins, and its task.
const MERGED: [&str; 2] = ["repo-2", "repo-3"];
const STORY: &str = "repo-4";
const TASKS: [&str; 3] = ["repo-5", "repo-6", "repo-7"];
const BRANCH: &str = "overnight/story-repo-4-doors";
const REVERT: &str = "overnight/revert-repo-3";

fn tool(name: &str) -> String {
    format!("mcp__overnight__{name}")
}

/// The agent says that it is through, and ends its turn.
fn through(scenario: Scenario, summary: &str) -> Scenario {
    scenario.tool(&tool("report_status"), json!({"status": "done", "summary": summary})).say(summary)
}

/// What the model does in the conversations of the tasks, one after the other.
fn script() -> Scenario {
    let opens =
        Scenario::new().shell("echo 42 > answer && git commit --quiet --all --message='Open the window'");
    let begun = through(opens, "It is open.").tool(&tool("get_context"), json!({}));
    let half = begun.shell(
        "mkdir -p notes && echo oiled > notes/hinge.md && git add --all && git commit --quiet --message='Hang the door'",
    );
    let half = through(half, "It hangs.");
    // The gate says what is missing, and the same conversation goes on.
    let whole =
        half.shell("echo hung > notes/door.md && git add --all && git commit --quiet --message='Note it'");
    let first = through(whole, "It hangs, and the note says so.");
    let asks = first.tool(&tool("verify_against_plan"), json!({"changed_paths": ["paint.md"]}));
    let paints =
        asks.shell("echo green > paint.md && git add --all && git commit --quiet --message='Paint the door'");
    let second = through(paints, "It is green.");
    let breaks = second.shell("echo 40 > answer && git commit --quiet --all --message='Ring'");
    through(breaks, "All tests pass.")
}

fn id(client: &Client, key: &str) -> String {
    client.tool("get_job", &json!({ "job": key })).unwrap()["id"].as_str().unwrap().to_owned()
}

struct Story {
    place: Place,
    forge: Forge,
    model: Model,
}

fn story(test: &str) -> Option<Story> {
    let mut place = model::place(test)?;
    hasten(&mut place);
    let model = model::model(&mut place, script());
    let forge = Forge::beside(&mut place, Flavour::GitHub);
    let remote = forge.clone_url(REPOSITORY);
    place.env("OVERNIGHT_LIMITS_ATTEMPTS", "2");
    place.overnight(&["repo", "add", &remote, "--name", "repo", "--strategy", "story"]).expect_code(0);
    Some(Story { place, forge, model })
}

/// Events of the stream, up to the end of this many jobs.
fn until_ended(stream: &mut Stream, jobs: usize) -> Vec<Value> {
    let (mut events, mut ended) = (Vec::new(), 0);
    while ended < jobs {
        let event = stream.event().expect("the stream goes on");
        ended += usize::from(event["event"]["type"] == "ended");
        assert_ne!(event["event"]["reason"], "forge_login", "it would wait for a person");
        events.push(event);
    }
    events
}

/// What the stream said of one job: gap-free, from its first event.
fn of(events: &[Value], job: &str) -> Vec<Value> {
    let of_it: Vec<&Value> = events.iter().filter(|event| event["job"] == job).collect();
    for (number, event) in (1..).zip(&of_it) {
        assert_eq!(event["number"], number, "{event:#}");
    }
    of_it.into_iter().map(|event| event["event"].clone()).collect()
}

/// The types of these events come in this order, with others in between.
#[track_caller]
fn expect_order(events: &[Value], types: &[&str]) {
    let mut rest = events.iter();
    for wanted in types {
        assert!(
            rest.any(|event| event["type"] == *wanted),
            "no {wanted:?} in its place: {types:?}\n{events:#?}"
        );
    }
}

fn some<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

#[test]
fn a_story_goes_from_its_plan_to_one_pull_request_and_its_failure_is_told() {
    let Some(Story { place, forge, model }) = story("a_story_goes_from_its_plan_to_one_pull_request") else {
        return;
    };
    let served = place.serve(&["--slots", "2"]);
    let client = Client::new(&place, &served, "assistant", "operate");
    let mut stream = Stream::open(&client, "/events?since=start", None);
    let plan = json!({ "repository": "repo", "plan": PLAN });
    assert_eq!(client.tool("import_plan", &plan).unwrap()["epic"], "repo-1");
    client.tool("start_items", &json!({ "items": [MERGED[0]] })).unwrap();
    let before = until_ended(&mut stream, 1);
    let merged =
        some(&of(&before, &id(&client, MERGED[1])), "pull_request_opened")[0]["pull_request"]["number"]
            .clone();
    forge.merge(REPOSITORY, merged.as_u64().unwrap()).unwrap();
    client.tool("start_items", &json!({ "items": [STORY] })).unwrap();
    let events = until_ended(&mut stream, TASKS.len());

    let [first, second, third] = TASKS.map(|key| of(&events, &id(&client, key)));
    gate_refused_and_mended(&first);
    same_pull_request(&place, &forge, &first, &second);
    failed_on_what_was_measured(&third);
    taken_back(&place, &forge, &third, &merged);
    seen_by_an_assistant(&client);
    let context = |asked: &_| {
        let text = model::conversation(asked);
        ["notes/door.md", "\\\"execution\\\"", "story"].iter().all(|words| text.contains(words))
    };
    assert!(model.asked().iter().any(context), "no agent read what its job is about");
    served.worker.stop().expect_code(0);
    place.check_fleet();
}

/// The first turn leaves out what the plan names; the agent is told, and mends it in the same conversation.
#[track_caller]
fn gate_refused_and_mended(events: &[Value]) {
    expect_order(
        events,
        &[
            "queued",
            "claimed",
            "agent_reported",
            "turn_ended",
            "collected",
            "inspected",
            "attempt_failed",
            "turn_announced",
            "agent_reported",
            "collected",
            "inspected",
            "checked",
            "judged",
            "branch_pushed",
            "pull_request_opened",
            "ended",
        ],
    );
    let alignments: Vec<&Value> = some(events, "inspected")
        .iter()
        .map(|event| &event["inspection"]["alignment"]["alignment"])
        .collect();
    assert_eq!(alignments, ["partial", "aligned"]);
    let refused = some(events, "attempt_failed");
    assert!(refused[0]["reason"].as_str().unwrap().contains("partial to its plan"), "{refused:#?}");
    let turns = some(events, "turn_announced");
    assert_eq!(
        (&turns[0]["session"]["kind"], &turns[1]["session"]["kind"]),
        (&json!("fresh"), &json!("resume"))
    );
    assert_eq!(some(events, "checked").len(), 1, "what was refused was not measured");
    assert_eq!(some(events, "ended")[0]["end"]["reason"], "published");
}

/// The second task goes on on the story's branch, and its pull request is that of the first.
#[track_caller]
fn same_pull_request(place: &Place, forge: &Forge, first: &[Value], second: &[Value]) {
    expect_order(
        second,
        &["queued", "claimed", "inspected", "checked", "branch_pushed", "pull_request_opened", "ended"],
    );
    let number = |events: &[Value]| some(events, "pull_request_opened")[0]["pull_request"]["number"].clone();
    assert_eq!(number(first), number(second));
    let pulls: Vec<_> = forge.pulls().into_iter().filter(|pull| pull.head == BRANCH).collect();
    assert_eq!(pulls.len(), 1, "{pulls:#?}");
    assert!(pulls[0].body.contains("2 of 3 tasks"), "{}", pulls[0].body);
    for file in ["answer", "notes/hinge.md", "notes/door.md", "paint.md"] {
        forge.show(place, BRANCH, file);
    }
    assert_eq!(forge.show(place, BRANCH, "answer"), "42", "what the third task broke is not on it");
}

/// The agent says that all is well; its commit was measured.
#[track_caller]
fn failed_on_what_was_measured(events: &[Value]) {
    expect_order(
        events,
        &["queued", "claimed", "agent_reported", "checked", "judged", "attempt_failed", "ended"],
    );
    assert!(some(events, "branch_pushed").is_empty(), "{events:#?}");
    assert_eq!(some(events, "agent_reported")[0]["summary"], "All tests pass.");
    assert_eq!(some(events, "judged")[0]["standing"], "broken");
    assert_eq!(some(events, "ended")[0]["end"]["reason"], "verification_failed");
}

/// The story's pull request is closed with a comment, and keeps its branch; what was merged gets a draft that reverts it.
#[track_caller]
fn taken_back(place: &Place, forge: &Forge, events: &[Value], merged: &Value) {
    expect_order(events, &["judged", "attempt_failed", "cascade_began", "cascaded", "ended"]);
    let pulls = forge.pulls();
    let on = |head: &str| {
        pulls.iter().find(|pull| pull.head == head).unwrap_or_else(|| panic!("{head}: {pulls:#?}"))
    };
    assert_eq!(pulls.len(), 3, "{pulls:#?}");
    let closed = on(BRANCH);
    assert_eq!(closed.state, PullState::Closed);
    assert!(forge.branches(place).contains(&BRANCH.to_owned()));
    let comments = forge.comments(REPOSITORY, closed.number);
    assert!(comments.iter().any(|comment| comment.body.contains(TASKS[2])), "{comments:#?}");
    let revert = on(REVERT);
    assert_eq!((revert.state, revert.draft), (PullState::Open, true), "{revert:#?}");
    assert!(revert.body.contains(&format!("/pull/{merged}`")), "{}", revert.body);
    assert_eq!(forge.show(place, REVERT, "answer"), "41");
    assert_eq!(forge.show(place, TRUNK, "answer"), "42", "nobody has merged it");
}

/// The same, asked for through the tools of a person's assistant.
#[track_caller]
fn seen_by_an_assistant(client: &Client) {
    let reasons = TASKS.map(|key| client.tool("get_job", &json!({"job": key})).unwrap()["reason"].clone());
    assert_eq!(reasons, ["published", "published", "verification_failed"]);
    let log = client.tool("job_log", &json!({"job": TASKS[2], "part": "checks"})).unwrap();
    assert!(log["lines"].to_string().contains("answer is 40, not 42"), "{log:#}");
    let log = client.tool("job_log", &json!({"job": TASKS[0], "part": "agent"})).unwrap();
    assert!(log["lines"].to_string().contains("It hangs."), "{log:#}");
}
