//! Items as JSON and on a page: the public shape of `--json`, kinds `epic`, `story`, `task`, `sprint`, `idea` and `items`.

use std::collections::HashMap;
use std::fmt::Write as _;

use overnight_core::backlog::idea::{DocumentFact, DocumentPart};
use overnight_core::backlog::{Count, Item, ItemBody, ItemState, PullState, Run};
use overnight_core::id::{ItemId, TaskKey};
use overnight_core::text::{for_terminal, one_line};
use overnight_core::units::Timestamp;
use overnight_store::{Backlog, Document};
use serde::Serialize;

use crate::output::{BOLD, DIM, styled};
use crate::render::words::document;

/// An item as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemView {
    pub id: ItemId,
    pub key: TaskKey,
    pub kind: &'static str,
    pub title: String,
    pub state: &'static str,
    /// How many of its tasks are done; excluded ones do not count.
    pub tasks: Count,
    /// What it belongs to.
    pub parent: Option<TaskKey>,
    pub position: i64,
    /// The tasks that this task waits for.
    pub after: Vec<TaskKey>,
    /// The tasks of this sprint, in order.
    pub members: Vec<TaskKey>,
    /// The newest job of this task.
    pub job: Option<TaskKey>,
    /// What it says, by its kind.
    pub body: ItemBody,
    /// Grows with every change.
    pub version: i64,
    pub created_at_ms: Timestamp,
    pub updated_at_ms: Timestamp,
}

/// An item with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    pub item: ItemView,
    /// Its jobs, oldest first.
    pub runs: Vec<RunView>,
    /// What belongs to it, or stands in it.
    pub parts: Vec<ItemView>,
    /// Of an idea: the newest document of each part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunView {
    pub number: u32,
    pub job: TaskKey,
    /// `null`: it has not ended.
    pub ended_at_ms: Option<Timestamp>,
    pub reason: Option<&'static str>,
    pub pull_request: Option<PullState>,
    pub pull_request_url: Option<String>,
}

/// The views of a backlog, with its states derived once.
#[derive(Debug)]
pub struct Views<'a> {
    backlog: &'a Backlog,
    states: HashMap<ItemId, (ItemState, Count)>,
    keys: HashMap<&'a ItemId, &'a TaskKey>,
}

impl ItemView {
    #[must_use]
    pub fn all(backlog: &Backlog) -> Views<'_> {
        let keys = backlog.items.iter().map(|item| (&item.id, &item.key)).collect();
        Views { backlog, states: backlog.states(), keys }
    }
}

impl Views<'_> {
    #[must_use]
    pub fn of(&self, item: &Item) -> ItemView {
        let facts = &self.backlog.facts;
        let key = |id: &ItemId| self.keys.get(id).map(|key| (*key).clone());
        let (state, tasks) = self
            .states
            .get(&item.id)
            .map_or(("unknown", Count::default()), |(state, count)| (state.code(), *count));
        let after = self.backlog.waits.get(&item.id).into_iter().flatten().filter_map(key);
        let members = facts.members.get(&item.id).into_iter().flatten().filter_map(key);
        ItemView {
            id: item.id.clone(),
            key: item.key.clone(),
            kind: item.kind().as_str(),
            title: item.title.clone(),
            state,
            tasks,
            parent: item.parent.as_ref().and_then(key),
            position: item.position,
            after: after.collect(),
            members: members.collect(),
            job: facts.runs.get(&item.id).map(|run| run.key.clone()),
            body: item.body.clone(),
            version: item.version,
            created_at_ms: item.created_at,
            updated_at_ms: item.updated_at,
        }
    }
}

impl Shown {
    #[must_use]
    pub fn of(backlog: &Backlog, item: &Item, runs: &[Run]) -> Self {
        let views = ItemView::all(backlog);
        let members = backlog.facts.members.get(&item.id).into_iter().flatten();
        let members = members.filter_map(|id| backlog.item(id));
        let parts = backlog.parts(&item.id).chain(members).map(|part| views.of(part)).collect();
        let run = |run: &Run| RunView {
            number: run.number,
            job: run.key.clone(),
            ended_at_ms: run.end.map(|end| end.at),
            reason: run.end.and_then(|end| end.reason).map(|reason| reason.code()),
            pull_request: run.pull,
            pull_request_url: run.pull_url.clone(),
        };
        Self { item: views.of(item), runs: runs.iter().map(run).collect(), parts, documents: Vec::new() }
    }
}

/// An item on one page, without what belongs to it.
#[must_use]
pub fn page(shown: &Shown, body: &ItemBody) -> String {
    let Shown { item, runs, .. } = shown;
    let mut text = format!("{} {}\n", styled(BOLD, item.key.as_str()), for_terminal(&item.title));
    text += &field("kind", item.kind);
    text += &field("state", item.state);
    if item.tasks.of > 1 || item.kind != "task" {
        text += &field("done", &format!("{} of {}", item.tasks.done, item.tasks.of));
    }
    if let Some(parent) = &item.parent {
        text += &field("belongs to", parent.as_str());
    }
    text += &some("after", &keys(&item.after));
    for (name, value) in said(body) {
        text += &some(name, &value);
    }
    for run in runs {
        let end = match (run.ended_at_ms, run.reason) {
            (None, _) => "has not ended",
            (Some(_), Some(reason)) => reason,
            (Some(_), None) => "ended",
        };
        let pull = run.pull_request.map(|pull| {
            let url = run.pull_request_url.as_deref().unwrap_or_default();
            format!(", pull request {}: {}", pull.as_str(), for_terminal(url))
        });
        text += &field("job", &format!("{}: {end}{}", run.job, pull.unwrap_or_default()));
    }
    for one in &shown.documents {
        text += &field("document", &of_document(&one.fact));
    }
    for (head, long) in paragraphs(body) {
        // The newest plan stands among the documents.
        if !(head == "plan" && shown.documents.iter().any(|one| one.fact.facts.part() == DocumentPart::Plan))
        {
            text += &paragraph(head, long);
        }
    }
    for one in &shown.documents {
        let head = format!("{}, revision {}", one.fact.facts.part(), one.fact.revision);
        text += &paragraph(&head, &one.text);
    }
    text
}

fn paragraph(head: &str, long: &str) -> String {
    if long.is_empty() {
        return String::new();
    }
    let mut text = format!("\n  {}\n", styled(DIM, head));
    for line in for_terminal(long).lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// A document in one line.
pub fn of_document(fact: &DocumentFact) -> String {
    format!("{} {}", fact.revision, document(&fact.facts))
}

fn keys(keys: &[TaskKey]) -> String {
    keys.iter().map(TaskKey::as_str).collect::<Vec<_>>().join(", ")
}

fn said(body: &ItemBody) -> Vec<(&'static str, String)> {
    let flag = |flag: Option<bool>| flag.map_or_else(String::new, |flag| flag.to_string());
    match body {
        ItemBody::Epic(epic) => vec![("cascade", flag(epic.cascade))],
        ItemBody::Story(story) => vec![("acceptance", story.acceptance.join("; "))],
        ItemBody::Task(task) => {
            let settings = &task.settings;
            let word = |word: &Option<String>| word.clone().unwrap_or_default();
            vec![
                ("acceptance", task.acceptance.join("; ")),
                ("only looks", flag(task.verify_only.then_some(true))),
                ("elsewhere", word(&task.repository)),
                ("agent", word(&settings.agent)),
                ("model", word(&settings.model)),
                ("max cost", settings.cost.map(|cost| cost.to_string()).unwrap_or_default()),
            ]
        }
        ItemBody::Sprint(sprint) => {
            vec![(
                "strategy",
                sprint.strategy.map(|strategy| strategy.as_str().to_owned()).unwrap_or_default(),
            )]
        }
        ItemBody::Idea(idea) => {
            vec![("epic", idea.epic.as_ref().map(ToString::to_string).unwrap_or_default())]
        }
    }
}

fn paragraphs(body: &ItemBody) -> Vec<(&'static str, &str)> {
    match body {
        ItemBody::Epic(epic) => vec![("description", &epic.description)],
        ItemBody::Story(story) => vec![("description", &story.description)],
        ItemBody::Task(task) => {
            vec![("description", &task.description), ("plan", task.plan.as_deref().unwrap_or_default())]
        }
        ItemBody::Sprint(sprint) => vec![("goal", &sprint.goal)],
        ItemBody::Idea(idea) => vec![
            ("wish", &idea.wish),
            ("notes", &idea.notes),
            ("plan", idea.plan.as_deref().unwrap_or_default()),
        ],
    }
}

fn some(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { field(name, &one_line(value, 400)) }
}

fn field(name: &str, value: &str) -> String {
    format!("  {} {value}\n", styled(DIM, &format!("{name:<12}")))
}
