//! Items on a page.

use std::fmt::Write as _;

use overnight_core::backlog::ItemBody;
use overnight_core::backlog::idea::{DocumentFact, DocumentPart};
use overnight_core::id::TaskKey;
use overnight_core::text::{for_terminal, one_line};
pub use overnight_store::{ItemView, ShownItem};

use crate::output::{BOLD, DIM, styled};
use crate::render::words::document;

/// An item on one page, without what belongs to it.
#[must_use]
pub fn page(shown: &ShownItem, body: &ItemBody) -> String {
    let ShownItem { item, runs, .. } = shown;
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
