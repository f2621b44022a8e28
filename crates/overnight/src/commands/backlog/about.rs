//! What the arguments say about an item of each kind, put into what it says already.

use std::io::Read as _;

use overnight_core::backlog::plan::DOCUMENT_MAX;
use overnight_core::backlog::{
    EpicBody, IdeaBody, Item, ItemBody, ItemKind, SprintBody, StoryBody, TaskBody,
};
use overnight_core::id::ItemId;
use overnight_store::{ItemChange, NewLinks, Store};

use super::{ground, refused};
use crate::app::App;
use crate::cli::backlog_args::{EpicAbout, IdeaAbout, SprintAbout, StoryAbout, TaskAbout};
use crate::error::AppError;
use crate::order::whole_millis;
use crate::{agents, wish};

/// The word that takes away what was said.
const NONE: &str = "none";

/// What an item is connected with; `None`: stays as it is.
#[derive(Debug, Default)]
pub struct Links {
    after: Option<Vec<ItemId>>,
    members: Option<Vec<ItemId>>,
}

impl Links {
    pub fn into_new(self) -> NewLinks {
        NewLinks { after: self.after.unwrap_or_default(), members: self.members.unwrap_or_default() }
    }

    pub fn into_change(self, item: &Item) -> ItemChange {
        ItemChange { after: self.after, members: self.members, ..ItemChange::of(item) }
    }
}

/// Arguments about an item of one kind.
pub trait About {
    const KIND: ItemKind;

    /// The key of what it is to belong to; `Some(None)`: of nothing.
    fn parent(&self) -> Option<Option<&str>> {
        None
    }

    /// What it says then.
    fn body(&self, before: Option<&ItemBody>) -> Result<ItemBody, AppError>;

    fn links(&self, _app: &App, _store: &Store) -> impl Future<Output = Result<Links, AppError>> + Send {
        std::future::ready(Ok(Links::default()))
    }
}

fn named(key: Option<&String>) -> Option<Option<&str>> {
    key.map(|key| Some(key.as_str()).filter(|key| *key != NONE))
}

/// A text, from standard input where it is `-`.
fn text(given: Option<&String>, before: String) -> Result<String, AppError> {
    match given.map(String::as_str) {
        None => Ok(before),
        Some("-") => {
            let mut text = String::new();
            // One more than any text may have: a longer one is refused and not cut.
            let most = 4 * overnight_core::backlog::TEXT_MAX as u64 + 1;
            std::io::stdin().lock().take(most).read_to_string(&mut text).map_err(|error| {
                AppError::usage("standard input cannot be read").because(&error).help("give text in UTF-8")
            })?;
            Ok(text)
        }
        Some(text) => Ok(text.to_owned()),
    }
}

fn list(given: &[String], before: Vec<String>) -> Vec<String> {
    if given.is_empty() { before } else { given.iter().filter(|one| *one != NONE).cloned().collect() }
}

fn word(given: Option<&String>, before: Option<String>) -> Option<String> {
    match given {
        None => before,
        Some(word) => Some(word.clone()).filter(|word| word != NONE),
    }
}

impl About for EpicAbout {
    const KIND: ItemKind = ItemKind::Epic;

    fn body(&self, before: Option<&ItemBody>) -> Result<ItemBody, AppError> {
        let before = if let Some(ItemBody::Epic(body)) = before { body.clone() } else { EpicBody::default() };
        Ok(ItemBody::Epic(EpicBody {
            description: text(self.description.as_ref(), before.description)?,
            cascade: self.cascade.or(before.cascade),
        }))
    }
}

impl About for StoryAbout {
    const KIND: ItemKind = ItemKind::Story;

    fn parent(&self) -> Option<Option<&str>> {
        named(self.epic.as_ref())
    }

    fn body(&self, before: Option<&ItemBody>) -> Result<ItemBody, AppError> {
        let before =
            if let Some(ItemBody::Story(body)) = before { body.clone() } else { StoryBody::default() };
        Ok(ItemBody::Story(StoryBody {
            description: text(self.description.as_ref(), before.description)?,
            acceptance: list(&self.acceptance, before.acceptance),
        }))
    }
}

impl About for TaskAbout {
    const KIND: ItemKind = ItemKind::Task;

    fn parent(&self) -> Option<Option<&str>> {
        named(self.story.as_ref())
    }

    fn body(&self, before: Option<&ItemBody>) -> Result<ItemBody, AppError> {
        let mut body =
            if let Some(ItemBody::Task(body)) = before { body.as_ref().clone() } else { TaskBody::default() };
        body.description = text(self.description.as_ref(), body.description)?;
        body.acceptance = list(&self.acceptance, body.acceptance);
        body.plan = Some(text(self.plan.as_ref(), body.plan.unwrap_or_default())?);
        body.plan = body.plan.filter(|plan| !plan.trim().is_empty());
        body.verify_required = self.verify_required.map_or(body.verify_required, Into::into);
        body.verify_only = self.verify_only.unwrap_or(body.verify_only);
        body.repository = word(self.elsewhere.as_ref(), body.repository);
        let settings = &mut body.settings;
        settings.agent = word(self.agent.as_ref(), settings.agent.take());
        settings.model = word(self.model.as_ref(), settings.model.take());
        settings.effort = self.effort.or(settings.effort);
        settings.attempts = self.attempts.or(settings.attempts);
        settings.cost = self.max_cost.or(settings.cost);
        settings.tokens = self.max_tokens.or(settings.tokens);
        settings.turns = self.max_turns.or(settings.turns);
        settings.time_ms = self.max_time.map(whole_millis).or(settings.time_ms);
        Ok(ItemBody::Task(Box::new(body)))
    }

    async fn links(&self, app: &App, store: &Store) -> Result<Links, AppError> {
        if let Some(agent) = self.agent.as_deref().filter(|agent| *agent != NONE) {
            agents::named(agent, &app.config().agent)?;
        }
        if let Some(name) = self.elsewhere.as_deref().filter(|name| *name != NONE) {
            ground::named(store, name).await?;
        }
        if self.after.is_empty() {
            return Ok(Links::default());
        }
        let keys = list(&self.after, Vec::new());
        let after = store.items_named(&keys).await.map_err(|error| refused(&error))?;
        let after = after.into_iter().map(|item| item.id).collect();
        Ok(Links { after: Some(after), members: None })
    }
}

impl About for SprintAbout {
    const KIND: ItemKind = ItemKind::Sprint;

    fn body(&self, before: Option<&ItemBody>) -> Result<ItemBody, AppError> {
        let before =
            if let Some(ItemBody::Sprint(body)) = before { body.clone() } else { SprintBody::default() };
        Ok(ItemBody::Sprint(SprintBody {
            goal: text(self.goal.as_ref(), before.goal)?,
            strategy: self.strategy.map(Into::into).or(before.strategy),
        }))
    }

    async fn links(&self, _app: &App, store: &Store) -> Result<Links, AppError> {
        if self.task.is_empty() {
            return Ok(Links::default());
        }
        let keys = list(&self.task, Vec::new());
        let members = store.tasks_named(&keys).await.map_err(|error| refused(&error))?;
        Ok(Links { after: None, members: Some(members) })
    }
}

impl About for IdeaAbout {
    const KIND: ItemKind = ItemKind::Idea;

    fn body(&self, before: Option<&ItemBody>) -> Result<ItemBody, AppError> {
        let before = if let Some(ItemBody::Idea(body)) = before { body.clone() } else { IdeaBody::default() };
        let plan = self.plan.as_ref().map(|file| {
            let text = std::fs::File::open(file).and_then(|file| wish::text_of(file, DOCUMENT_MAX));
            text.map_err(|error| {
                AppError::usage(format!("the plan in {} cannot be read", file.display()))
                    .because(&error)
                    .help("a plan is a text file in UTF-8")
            })
        });
        Ok(ItemBody::Idea(IdeaBody {
            wish: text(self.wish.as_ref(), before.wish)?,
            notes: text(self.notes.as_ref(), before.notes)?,
            plan: plan.transpose()?.or(before.plan),
            epic: before.epic,
        }))
    }
}
