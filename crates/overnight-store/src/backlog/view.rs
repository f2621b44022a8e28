//! Items as people and programs are shown them: the public shape of their JSON, kinds `epic`, `story`, `task`, `sprint`, `idea` and
//! `items`, and repositories.

use std::collections::HashMap;

use overnight_core::backlog::plan::Plan;
use overnight_core::backlog::{Count, Item, ItemBody, ItemState, PullState, RepositorySettings, Run};
use overnight_core::id::{ItemId, RepositoryId, TaskKey};
use overnight_core::units::Timestamp;
use serde::Serialize;

use super::documents::Document;
use super::import::Imported;
use super::read::Backlog;
use super::repositories::SettledRepository;

/// A repository with its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepositoryView<'a> {
    pub id: &'a RepositoryId,
    pub name: &'a str,
    pub remote: &'a str,
    pub settings: &'a RepositorySettings,
}

impl<'a> RepositoryView<'a> {
    #[must_use]
    pub fn of(settled: &'a SettledRepository) -> Self {
        let SettledRepository { repository, settings } = settled;
        Self { id: &repository.id, name: &repository.name, remote: &repository.remote, settings }
    }
}

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
pub struct ShownItem {
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
pub struct ItemViews<'a> {
    backlog: &'a Backlog,
    states: HashMap<ItemId, (ItemState, Count)>,
    keys: HashMap<&'a ItemId, &'a TaskKey>,
}

impl ItemView {
    #[must_use]
    pub fn all(backlog: &Backlog) -> ItemViews<'_> {
        let keys = backlog.items.iter().map(|item| (&item.id, &item.key)).collect();
        ItemViews { backlog, states: backlog.states(), keys }
    }
}

impl ItemViews<'_> {
    /// How far an item has come, in the public word.
    #[must_use]
    pub fn state(&self, item: &Item) -> &'static str {
        self.states.get(&item.id).map_or("unknown", |(state, _)| state.code())
    }

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

impl ShownItem {
    #[must_use]
    pub fn of(backlog: &Backlog, item: &Item, runs: &[Run]) -> Self {
        let views = ItemView::all(backlog);
        let known: HashMap<&ItemId, &Item> = backlog.items.iter().map(|item| (&item.id, item)).collect();
        let members = backlog.facts.members.get(&item.id).into_iter().flatten();
        let members = members.filter_map(|id| known.get(id).copied());
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

/// What came, or would come, of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanView {
    /// `false`: the same request had made it before, or nothing was to be made.
    pub new: bool,
    pub dry_run: bool,
    pub repository: String,
    pub stories: usize,
    pub tasks: usize,
    pub epic: Option<ItemView>,
    /// Its stories, each before its tasks.
    pub items: Vec<ItemView>,
}

impl PlanView {
    /// Before anything is made of it.
    #[must_use]
    pub fn of(plan: &Plan, repository: &str, dry_run: bool) -> Self {
        let (stories, tasks) = (plan.stories.len(), plan.tasks().count());
        let repository = repository.to_owned();
        Self { new: false, dry_run, repository, stories, tasks, epic: None, items: Vec::new() }
    }

    /// With what is there now.
    #[must_use]
    pub fn made(self, backlog: &Backlog, made: &Imported) -> Self {
        let views = ItemView::all(backlog);
        let mut items = Vec::new();
        let mut tasks: HashMap<&ItemId, Vec<&Item>> = HashMap::new();
        for item in &backlog.items {
            if let Some(parent) = item.parent.as_ref() {
                tasks.entry(parent).or_default().push(item);
            }
        }
        for story in tasks.get(&made.epic.id).into_iter().flatten() {
            items.push(views.of(story));
            items.extend(tasks.get(&story.id).into_iter().flatten().map(|task| views.of(task)));
        }
        Self { new: made.new, epic: Some(views.of(&made.epic)), items, ..self }
    }
}
