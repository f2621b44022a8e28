//! Items: lists, one of them, and what can be changed.

use overnight_core::backlog::{Item, ItemBody, ItemKind, Mark, merged};
use overnight_core::id::{ItemId, RepositoryId};
use overnight_core::text::one_line;
use overnight_store::{BacklogError, ItemChange, ItemView, NewItem, NewLinks, Repository, ShownItem};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{Reach, Refused};

/// Keys that one request may name.
const KEYS_MAX: usize = 500;
/// How often a change is tried that somebody else was faster than.
const TRIES: u32 = 5;

/// Which items are to be listed.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) repository: Option<String>,
    pub(crate) kind: Option<String>,
    /// Only what belongs to this item, or stands in it.
    pub(crate) of: Option<String>,
    pub(crate) states: Vec<String>,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: usize,
}

/// The last item of a page. Pages go by what never changes, so that each item that is there all the time is on one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor(RepositoryId, ItemId);

impl Cursor {
    /// `None`: it is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (repository, item) = text.split_once('.')?;
        Some(Self(RepositoryId::parse(repository).ok()?, ItemId::parse(item).ok()?))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A new item, as it was said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewItemSaid {
    kind: String,
    title: String,
    /// By name; that of its parent unless said.
    repository: Option<String>,
    parent: Option<String>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    body: Map<String, Value>,
}

/// A change of an item, as it was said. What is not named stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemSaid {
    title: Option<String>,
    /// `Some(None)`: it belongs to nothing.
    #[serde(default, deserialize_with = "said")]
    parent: Option<Option<String>>,
    place: Option<u32>,
    after: Option<Vec<String>>,
    members: Option<Vec<String>>,
    #[serde(default)]
    body: Map<String, Value>,
}

/// Tells `null` from what is not there.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Reach<'_> {
    /// A page of items, and where the next one begins.
    pub(crate) async fn list(self, wanted: Wanted) -> Result<(Vec<ItemView>, Option<Cursor>), Refused> {
        let kind = wanted.kind.as_deref().map(kind).transpose()?;
        let within = match &wanted.of {
            Some(key) => Some(self.store.item_find(key).await?),
            None => None,
        };
        let mut page: Vec<(RepositoryId, ItemView)> = Vec::new();
        for repository in self.looked_at(&wanted, within.as_ref()).await? {
            let backlog = self.store.backlog(&repository).await?;
            let below = within.as_ref().map(|item| backlog.below(&item.id));
            let views = ItemView::all(&backlog);
            let mut items: Vec<&Item> = backlog.items.iter().collect();
            items.sort_by(|one, other| one.id.cmp(&other.id));
            let behind = wanted.after.as_ref().filter(|Cursor(of, _)| *of == repository);
            let left = wanted.limit.saturating_add(1).saturating_sub(page.len());
            let fitting = items.into_iter().filter(|item| {
                behind.is_none_or(|Cursor(_, last)| item.id > *last)
                    && kind.is_none_or(|kind| item.kind() == kind)
                    && below.as_ref().is_none_or(|below| below.contains(&item.id))
                    && (wanted.states.is_empty()
                        || wanted.states.iter().any(|state| *state == views.state(item)))
            });
            page.extend(fitting.take(left).map(|item| (repository.clone(), views.of(item))));
            if page.len() > wanted.limit {
                break;
            }
        }
        let more = page.len() > wanted.limit;
        page.truncate(wanted.limit);
        let last = page.last().filter(|_| more);
        let next = last.map(|(repository, view)| Cursor(repository.clone(), view.id.clone()));
        Ok((page.into_iter().map(|(_, view)| view).collect(), next))
    }

    /// The repositories that a list still has to look at, in the order of pages.
    async fn looked_at(self, wanted: &Wanted, within: Option<&Item>) -> Result<Vec<RepositoryId>, Refused> {
        let mut ids: Vec<RepositoryId> = match &wanted.repository {
            Some(name) => vec![self.repository(name).await.map_err(Refused::in_words)?.id],
            None => self.store.repositories().await?.into_iter().map(|repository| repository.id).collect(),
        };
        ids.sort();
        ids.retain(|id| {
            within.is_none_or(|item| item.repository == *id)
                && wanted.after.as_ref().is_none_or(|Cursor(of, _)| id >= of)
        });
        Ok(ids)
    }

    /// The item that a request is about.
    pub(crate) async fn item(self, key: &str) -> Result<Item, Refused> {
        self.store.item_find(key).await.map_err(Refused::Missing)
    }

    pub(crate) async fn show(self, key: &str) -> Result<ShownItem, Refused> {
        let item = self.item(key).await?;
        let backlog = self.store.backlog(&item.repository).await?;
        let runs = self.store.item_runs(&item.id).await?;
        Ok(ShownItem::of(&backlog, &item, &runs))
    }

    async fn view(self, item: &Item) -> Result<ItemView, Refused> {
        let backlog = self.store.backlog(&item.repository).await?;
        Ok(ItemView::all(&backlog).of(item))
    }

    /// The item, and whether it was made now and not by the same request before.
    pub(crate) async fn add(
        self,
        new: NewItemSaid,
        request: Option<&str>,
    ) -> Result<(ItemView, bool), Refused> {
        let kind = kind(&new.kind)?;
        let parent = match &new.parent {
            Some(key) => Some(self.store.item_find(key).await?),
            None => None,
        };
        let repository = match (&new.repository, &parent) {
            (Some(name), _) => self.repository(name).await.map_err(Refused::in_words)?.id,
            (None, Some(parent)) => parent.repository.clone(),
            (None, None) => {
                let what = "neither a repository nor a parent is named";
                return Err(Refused::bad(what, "say where it belongs: repository, by name"));
            }
        };
        let body = merged(kind, None, &new.body)?;
        self.known(None, &body).await?;
        let links =
            NewLinks { after: self.needs(&new.after).await?, members: self.tasks(&new.members).await? };
        let parent = parent.map(|parent| parent.id);
        let item = NewItem { repository, title: new.title, body, parent };
        let added = self.store.item_add_linked(&item, &links, request).await?;
        Ok((self.view(&added.item).await?, added.new))
    }

    /// `version`: of the item as it was looked at, where that counts. Where it does not, what is named is put into the item as it is by
    /// then, whoever changes it at the same time.
    pub(crate) async fn change(
        self,
        key: &str,
        said: ItemSaid,
        version: Option<i64>,
    ) -> Result<ItemView, Refused> {
        let mut tried = 1;
        loop {
            match self.change_once(key, &said, version).await {
                Err(Refused::Backlog(BacklogError::Changed { .. })) if version.is_none() && tried < TRIES => {
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    async fn change_once(
        self,
        key: &str,
        said: &ItemSaid,
        version: Option<i64>,
    ) -> Result<ItemView, Refused> {
        let item = self.item(key).await?;
        as_looked_at(&item, version)?;
        let body = merged(item.kind(), Some(&item.body), &said.body)?;
        self.known(Some(&item.body), &body).await?;
        let parent = match &said.parent {
            Some(Some(key)) => Some(Some(self.store.item_find(key).await?.id)),
            Some(None) => Some(None),
            None => None,
        };
        let after = match &said.after {
            Some(keys) => Some(self.needs(keys).await?),
            None => None,
        };
        let members = match &said.members {
            Some(keys) => Some(self.tasks(keys).await?),
            None => None,
        };
        let place = match said.place {
            Some(0) => return Err(Refused::bad("place is counted from 1", "say 1 for the first")),
            place => place.and_then(|place| usize::try_from(place).ok()),
        };
        let body = (body != item.body).then_some(body);
        let change = ItemChange {
            title: said.title.clone(),
            body,
            parent,
            place,
            after,
            members,
            ..ItemChange::of(&item)
        };
        let item =
            if change == ItemChange::of(&item) { item } else { self.store.item_change(&change).await? };
        self.view(&item).await
    }

    /// How many items were removed.
    pub(crate) async fn remove(self, key: &str, all: bool, version: Option<i64>) -> Result<usize, Refused> {
        let item = self.item(key).await?;
        as_looked_at(&item, version)?;
        Ok(self.store.item_remove(&item.id, all).await?)
    }

    pub(crate) async fn mark(self, key: &str, word: &str) -> Result<ItemView, Refused> {
        let item = self.item(key).await?;
        let mark = Mark::named(word).ok_or_else(|| {
            let what = format!("{:?} is no mark", one_line(word, 60));
            Refused::bad(what, format!("marks are {}", Mark::WORDS.join(", ")))
        })?;
        if !mark.fits(item.kind()) {
            let what = format!("{} is one of kind {}: it cannot be marked {word}", item.key, item.kind());
            return Err(Refused::bad(what, "tasks: done, excluded, reopen; epics: blocked, reopen"));
        }
        self.store.item_mark(&item.id, mark).await?;
        self.view(&item).await
    }

    async fn needs(self, keys: &[String]) -> Result<Vec<ItemId>, Refused> {
        few(keys)?;
        Ok(self.store.items_named(keys).await?.into_iter().map(|item| item.id).collect())
    }

    async fn tasks(self, keys: &[String]) -> Result<Vec<ItemId>, Refused> {
        few(keys)?;
        Ok(self.store.tasks_named(keys).await?)
    }

    /// Refuses an agent and a repository that a task names anew and that there are not.
    async fn known(self, before: Option<&ItemBody>, body: &ItemBody) -> Result<(), Refused> {
        let task = |body: &ItemBody| match body {
            ItemBody::Task(task) => (task.settings.agent.clone(), task.repository.clone()),
            ItemBody::Epic(_) | ItemBody::Story(_) | ItemBody::Sprint(_) | ItemBody::Idea(_) => (None, None),
        };
        let (was, now) = (before.map(task).unwrap_or_default(), task(body));
        if let Some(agent) = now.0.filter(|agent| was.0.as_ref() != Some(agent)) {
            self.desk()?.agents(vec![agent]).await?;
        }
        if let Some(name) = now.1.filter(|name| was.1.as_ref() != Some(name)) {
            self.repository(&name).await.map_err(Refused::in_words)?;
        }
        Ok(())
    }

    /// The repository of this name.
    pub(super) async fn repository(self, name: &str) -> Result<Repository, Refused> {
        let all = self.store.repositories().await?;
        match all.iter().find(|repository| repository.name == name) {
            Some(found) => Ok(found.clone()),
            None => Err(Refused::no_repository(name, &all)),
        }
    }
}

fn kind(name: &str) -> Result<ItemKind, Refused> {
    ItemKind::find(name).ok_or_else(|| {
        let kinds = ItemKind::ALL.map(ItemKind::as_str).join(", ");
        Refused::bad(format!("{:?} is no kind of item", one_line(name, 60)), format!("kinds are {kinds}"))
    })
}

fn few(keys: &[String]) -> Result<(), Refused> {
    if keys.len() <= KEYS_MAX {
        return Ok(());
    }
    let what = format!("{} keys are named; at most {KEYS_MAX} are taken", keys.len());
    Err(Refused::bad(what, "name stories or epics instead of all of their tasks"))
}

fn as_looked_at(item: &Item, version: Option<i64>) -> Result<(), Refused> {
    match version {
        Some(version) if version != item.version => {
            Err(Refused::Stale { what: format!("{} was changed by somebody else in the meantime", item.key) })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_was_given_out_or_nothing() {
        let id = "0199d0c4-9d3e-7c11-8000-000000000001";
        let cursor = Cursor::parse(&format!("{id}.{id}")).unwrap();
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for bad in ["", ".", "7", id, &format!("{id}."), &format!(".{id}")] {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }
}
