//! A repository's backlog as a whole, with what its states are derived from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use overnight_core::backlog::idea::DocumentPart;
use overnight_core::backlog::{
    Count, Facts, Item, ItemKind, ItemState, Mark, MarkFact, PullState, Run, RunEnd, states,
};
use overnight_core::id::{ItemId, JobId, RepositoryId, TaskKey};
use overnight_core::job::EndReason;
use overnight_core::units::Timestamp;

use super::rows::{SELECT, item, item_id};
use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{Row, sql};
use crate::store::Store;

/// The backlog of a repository.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    /// In the order of their parents' and their own positions, each kind by itself.
    pub items: Vec<Item>,
    pub facts: Facts,
    /// What tasks wait for.
    pub waits: BTreeMap<ItemId, BTreeSet<ItemId>>,
    /// Where each item stands, and where what belongs to it does: a command asks once for each of thousands.
    places: HashMap<ItemId, usize>,
    parts: HashMap<ItemId, Vec<usize>>,
}

impl Backlog {
    /// How far each item has come.
    #[must_use]
    pub fn states(&self) -> HashMap<ItemId, (ItemState, Count)> {
        states(&self.items, &self.facts)
    }

    #[must_use]
    pub fn item(&self, id: &ItemId) -> Option<&Item> {
        self.items.get(*self.places.get(id)?)
    }

    /// What belongs to an item, in order.
    pub fn parts<'a>(&'a self, of: &ItemId) -> impl Iterator<Item = &'a Item> + use<'a> {
        self.parts.get(of).into_iter().flatten().filter_map(|at| self.items.get(*at))
    }

    fn add(&mut self, item: Item) {
        let at = self.items.len();
        self.places.insert(item.id.clone(), at);
        if let Some(parent) = &item.parent {
            self.parts.entry(parent.clone()).or_default().push(at);
        }
        self.items.push(item);
    }

    /// The tasks of an item in order: its own, those that belong to it, or those that stand in it.
    #[must_use]
    pub fn tasks_of<'a>(&'a self, item: &'a Item) -> Vec<&'a Item> {
        match item.kind() {
            ItemKind::Task => self.item(&item.id).into_iter().collect(),
            ItemKind::Story => self.parts(&item.id).collect(),
            ItemKind::Epic => self.parts(&item.id).flat_map(|story| self.parts(&story.id)).collect(),
            ItemKind::Sprint => {
                let members = self.facts.members.get(&item.id).into_iter().flatten();
                members.filter_map(|id| self.item(id)).collect()
            }
            ItemKind::Idea => Vec::new(),
        }
    }

    /// The items that belong to this one, directly or not, or stand in it.
    #[must_use]
    pub fn below<'a>(&'a self, of: &'a ItemId) -> HashSet<&'a ItemId> {
        let mut below: HashSet<&ItemId> = self.facts.members.get(of).into_iter().flatten().collect();
        let parts: HashSet<&ItemId> = self.parts(of).map(|item| &item.id).collect();
        let deeper = |item: &&Item| item.parent.as_ref().is_some_and(|parent| parts.contains(parent));
        below.extend(self.items.iter().filter(deeper).map(|item| &item.id));
        below.extend(parts);
        below
    }
}

/// A run of an item; the conditions follow.
const RUNS: &str = "SELECT l.item_id, l.run, l.job_id, l.job_key AS key, l.end_reason AS kept_reason, l.ended_at, l.part, l.goes_on, p.state AS pull, p.url AS pull_url, \
     j.end_reason, j.updated_at AS job_at, \
     CAST(CASE WHEN j.id IS NULL THEN 2 WHEN j.ended THEN 1 ELSE 0 END AS BIGINT) AS ended \
     FROM items i JOIN item_jobs l ON l.item_id = i.id LEFT JOIN jobs j ON j.id = l.job_id \
     LEFT JOIN pull_requests p ON p.repository_id = l.pull_repository_id AND p.number = l.pull_number ";

/// All items of a repository.
const WHOLE: &str = "i.repository_id = $1";
/// A sprint and its tasks.
const SPRINT: &str = "i.id IN (SELECT s.task_id FROM sprint_members s WHERE s.sprint_id = $1 UNION ALL SELECT CAST($1 AS TEXT))";

impl Store {
    /// A repository's backlog.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn backlog(&self, repository: &RepositoryId) -> Result<Backlog, StoreError> {
        self.backlog_of(WHOLE, repository.as_str()).await
    }

    /// A sprint with its tasks, and nothing of what else there is; `None`: there is no sprint of this key.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn sprint(&self, key: &TaskKey) -> Result<Option<(ItemId, Backlog)>, StoreError> {
        let query = sql("SELECT id FROM items WHERE key = $1 AND kind = 'sprint'").bind(key.as_str());
        let Some(found) = self.optional("look for the sprint", query).await? else { return Ok(None) };
        let id = item_id(&found, "id")?;
        let backlog = self.backlog_of(SPRINT, id.as_str()).await?;
        Ok(Some((id, backlog)))
    }

    async fn backlog_of(&self, part: &str, id: &str) -> Result<Backlog, StoreError> {
        let of = |text: String| sql(text).bind(id);
        let mut backlog = Backlog::default();
        let text = format!("{SELECT} WHERE {part} ORDER BY i.position, i.number");
        for found in self.all("read the backlog", of(text)).await? {
            backlog.add(item(&found)?);
        }
        let text = format!("{RUNS} WHERE {part} AND l.run = i.runs");
        for found in self.all("read the jobs of the backlog", of(text)).await? {
            backlog.facts.runs.insert(item_id(&found, "item_id")?, run(&found)?);
        }
        let text = format!(
            "SELECT m.item_id, m.mark, m.runs, m.at FROM item_marks m JOIN items i ON i.id = m.item_id \
             WHERE {part} AND NOT EXISTS (SELECT 1 FROM item_marks n WHERE n.item_id = m.item_id \
             AND n.number > m.number)"
        );
        for found in self.all("read what was said about the backlog", of(text)).await? {
            // A word that only a later version knows says nothing to this one.
            if let Some(fact) = mark(&found)? {
                backlog.facts.marks.insert(item_id(&found, "item_id")?, fact);
            }
        }
        let text = format!(
            "SELECT m.sprint_id, m.task_id FROM sprint_members m JOIN items i ON i.id = m.sprint_id \
             WHERE {part} ORDER BY m.sprint_id, m.position"
        );
        for found in self.all("read the sprints", of(text)).await? {
            let members = backlog.facts.members.entry(item_id(&found, "sprint_id")?).or_default();
            members.push(item_id(&found, "task_id")?);
        }
        let text = format!(
            "SELECT d.item_id, d.needs_id FROM item_dependencies d JOIN items i ON i.id = d.item_id WHERE {part}"
        );
        for found in self.all("read what tasks wait for", of(text)).await? {
            let needs = backlog.waits.entry(item_id(&found, "item_id")?).or_default();
            needs.insert(item_id(&found, "needs_id")?);
        }
        backlog.facts.documents = self.documents_in(part, id).await?;
        Ok(backlog)
    }

    /// All jobs of an item, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn item_runs(&self, item: &ItemId) -> Result<Vec<Run>, StoreError> {
        let query = sql(format!("{RUNS} WHERE i.id = $1 ORDER BY l.run")).bind(item.as_str());
        let found = self.all("read the jobs of the item", query).await?;
        Ok(found.iter().map(run).collect::<Result<_, _>>()?)
    }
}

fn run(found: &Row) -> Result<Run, CorruptRow> {
    let raw = row::text(found, "?", "job_id")?;
    let optional = |column: &'static str| {
        found.optional_number(column).map_err(|why| CorruptRow::new(&raw, column, why))
    };
    let reason = |column| -> Result<Option<EndReason>, CorruptRow> {
        let code = row::optional_text(found, &raw, column)?;
        Ok(EndReason::ALL.into_iter().find(|reason| Some(reason.code()) == code.as_deref()))
    };
    let at = |number: Option<i64>| Timestamp(number.unwrap_or(0));
    let end = match row::number(found, &raw, "ended")? {
        0 => None,
        1 => Some(RunEnd { reason: reason("end_reason")?, at: at(optional("job_at")?) }),
        // The job was forgotten.
        _ => Some(RunEnd { reason: reason("kept_reason")?, at: at(optional("ended_at")?) }),
    };
    let pull = row::optional_text(found, &raw, "pull")?;
    let number = row::number(found, &raw, "run")?;
    Ok(Run {
        number: u32::try_from(number).map_err(|why| CorruptRow::new(&raw, "run", why))?,
        job: JobId::parse(&raw).map_err(|why| CorruptRow::new(&raw, "job_id", why))?,
        key: TaskKey::parse(&row::text(found, &raw, "key")?)
            .map_err(|why| CorruptRow::new(&raw, "key", why))?,
        end,
        pull: pull.and_then(|pull| PullState::ALL.into_iter().find(|state| state.as_str() == pull)),
        pull_url: row::optional_text(found, &raw, "pull_url")?,
        part: row::optional_text(found, &raw, "part")?.as_deref().and_then(DocumentPart::find),
        goes_on: row::flag(found, &raw, "goes_on")?,
    })
}

fn mark(found: &Row) -> Result<Option<MarkFact>, CorruptRow> {
    let word = row::text(found, "?", "mark")?;
    let runs = row::number(found, "?", "runs")?;
    let runs = u32::try_from(runs).map_err(|why| CorruptRow::new("?", "runs", why))?;
    let at = Timestamp(row::number(found, "?", "at")?);
    let mark = Mark::ALL.into_iter().find(|mark| mark.as_str() == word);
    Ok(mark.map(|mark| MarkFact { mark, at, runs }))
}
