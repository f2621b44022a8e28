//! Lanes: jobs that are alike in everything that decides whether one of them may be claimed, apart from time and priority.
//! A lane waits as a whole, so a claim looks at one job of each and never passes over thousands that cannot run.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use overnight_core::agent::BackendId;
use overnight_core::id::RepositoryId;
use overnight_core::job::{JobSpec, Label, Queueing};

use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{Row, places, sql};
use crate::store::Store;

/// What a worker brings to a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Those whose vendor may be asked now.
    pub backends: Vec<BackendId>,
    /// Those that are there at all: a job with a backup wants its first agent there, and one of the two to be asked.
    pub installed: Vec<BackendId>,
    pub labels: Vec<Label>,
}

impl Offer {
    /// These backends, all of which may be asked.
    #[must_use]
    pub fn of(backends: Vec<BackendId>, labels: Vec<Label>) -> Self {
        Self { installed: backends.clone(), backends, labels }
    }

    /// Every backend, and no labels.
    #[must_use]
    pub fn any_backend() -> Self {
        Self::of(BackendId::ALL.to_vec(), Vec::new())
    }

    fn meets(&self, need: &str) -> bool {
        let within = |list: &[BackendId], word: &str| list.iter().any(|backend| backend.as_str() == word);
        match need.strip_prefix(BACKEND) {
            Some(words) => match words.split_once('|') {
                Some((first, backup)) => {
                    within(&self.installed, first)
                        && [first, backup].into_iter().any(|word| within(&self.backends, word))
                }
                None => within(&self.backends, words),
            },
            None => self.labels.iter().any(|label| required_word(label) == need),
        }
    }
}

const BACKEND: &str = "backend:";

/// What a job needs of a worker's backends: its own, and, where it has a backup, either of the two.
fn backend_word(backend: BackendId, backup: Option<BackendId>) -> String {
    match backup.filter(|backup| *backup != backend) {
        Some(backup) => format!("{BACKEND}{backend}|{backup}"),
        None => format!("{BACKEND}{backend}"),
    }
}

fn required_word(label: &Label) -> String {
    format!("requires:{label}")
}

/// A lane. Never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) id: String,
    pub(crate) repository: String,
    /// Sorted.
    pub(crate) limit_keys: Vec<String>,
    pub(crate) needs: Vec<String>,
}

impl Lane {
    /// The lane of a job of this repository.
    pub(crate) fn of(repository: &RepositoryId, name: &str, spec: &JobSpec, queueing: &Queueing) -> Self {
        let mut limit_keys = vec![LimitKey::repository(name).0];
        limit_keys.extend(queueing.group.iter().map(|group| LimitKey::group(name, group).0));
        limit_keys.extend(queueing.labels.iter().map(|label| LimitKey::label(label).0));
        limit_keys.sort();
        let backup = spec.choice.backup.as_ref().map(|backup| backup.agent.backend);
        let mut needs = vec![backend_word(spec.agent.backend, backup)];
        needs.extend(queueing.requires.iter().map(required_word));
        let repository = repository.as_str().to_owned();
        let id = digest(&repository, &limit_keys, &needs);
        Self { id, repository, limit_keys, needs }
    }

    pub(crate) fn suits(&self, offer: &Offer) -> bool {
        self.needs.iter().all(|need| offer.meets(need))
    }

    /// Whether any limit can apply without one having been set.
    pub(crate) fn has_group(&self) -> bool {
        self.limit_keys.iter().any(|key| LimitKey::is_group(key))
    }
}

/// The same content has the same id, so that two processes that meet a new kind of job make one lane.
fn digest(repository: &str, limit_keys: &[String], needs: &[String]) -> String {
    let mut hash = Sha256::new();
    // None of the words holds a line end.
    for word in [repository].into_iter().chain(limit_keys.iter().chain(needs).map(String::as_str)) {
        hash.update(word.as_bytes());
        hash.update(b"\n");
    }
    let mut id = String::new();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// What a concurrency limit counts: the jobs of a repository, of one of its groups, or with a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey(String);

impl LimitKey {
    #[must_use]
    pub fn repository(name: &str) -> Self {
        Self(format!("repository:{name}"))
    }

    #[must_use]
    pub fn group(repository: &str, group: &Label) -> Self {
        Self(format!("group:{repository}/{group}"))
    }

    #[must_use]
    pub fn label(label: &Label) -> Self {
        Self(format!("label:{label}"))
    }

    /// `repository:NAME`, `group:REPOSITORY/GROUP` or `label:NAME`.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not a limit: expected repository:NAME, group:REPOSITORY/GROUP or label:NAME")
        };
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        let named = |name: &str| Label::parse(name).is_ok();
        let valid = match kind {
            "repository" | "label" => named(name),
            "group" => {
                name.split_once('/').is_some_and(|(repository, group)| named(repository) && named(group))
            }
            _ => false,
        };
        if valid { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The repository whose jobs it counts; `None`: those of all.
    #[must_use]
    pub fn repository_name(&self) -> Option<&str> {
        match self.0.split_once(':') {
            Some(("repository", name)) => Some(name),
            Some(("group", name)) => name.split_once('/').map(|(repository, _)| repository),
            Some(_) | None => None,
        }
    }

    pub(crate) fn is_group(key: &str) -> bool {
        key.starts_with("group:")
    }
}

impl std::fmt::Display for LimitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lanes that this process has met. They never change, so what is here needs no second look.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneCache(Arc<Mutex<HashMap<String, Arc<Lane>>>>);

impl LaneCache {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Lane>> {
        self.lock().get(id).cloned()
    }

    /// The name of a repository of which some lane is known.
    pub(crate) fn name_of(&self, repository: &RepositoryId) -> Option<String> {
        let all = self.lock();
        let lane = all.values().find(|lane| lane.repository == repository.as_str())?;
        let name = lane.limit_keys.iter().find_map(|key| key.strip_prefix("repository:"))?;
        Some(name.to_owned())
    }

    pub(crate) fn put(&self, lane: Lane) {
        self.lock().insert(lane.id.clone(), Arc::new(lane));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Lane>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Reads those of these lanes that are not known yet.
    pub(crate) async fn learn_lanes(&self, ids: &[String]) -> Result<(), StoreError> {
        let unknown: Vec<&String> = ids.iter().filter(|id| self.lanes.get(id).is_none()).collect();
        for some in unknown.chunks(64) {
            let text = format!(
                "SELECT id, repository_id, limit_keys, needs FROM lanes WHERE id IN ({})",
                places(1, some.len())
            );
            for found in
                self.all("read the lanes", sql(text).bind_all(some.iter().map(|id| id.as_str()))).await?
            {
                match lane(&found) {
                    Ok(lane) => self.lanes.put(lane),
                    // Its jobs wait for a worker of the version that made it.
                    Err(error) => tracing::warn!(%error, "a lane cannot be read by this version"),
                }
            }
        }
        Ok(())
    }

    /// Ids of the lanes whose jobs count for this key. There are few lanes, however many jobs there are.
    pub(crate) async fn lanes_with(&self, key: &LimitKey) -> Result<Vec<String>, StoreError> {
        let mut lanes = Vec::new();
        for found in self.all("read the lanes", sql("SELECT id, limit_keys FROM lanes")).await? {
            let keys: Vec<String> = row::json("?", "limit_keys", &row::text(&found, "?", "limit_keys")?)?;
            if keys.contains(&key.0) {
                lanes.push(row::text(&found, "?", "id")?);
            }
        }
        Ok(lanes)
    }
}

fn lane(found: &Row) -> Result<Lane, CorruptRow> {
    Ok(Lane {
        id: row::text(found, "?", "id")?,
        repository: row::text(found, "?", "repository_id")?,
        limit_keys: row::json("?", "limit_keys", &row::text(found, "?", "limit_keys")?)?,
        needs: row::json("?", "needs", &row::text(found, "?", "needs")?)?,
    })
}

#[cfg(test)]
mod tests {
    use overnight_core::agent::AgentSettings;
    use overnight_core::job::Backup;

    use super::*;

    fn labels(words: &[&str]) -> Vec<Label> {
        words.iter().map(|word| Label::parse(word).unwrap()).collect()
    }

    fn claude() -> JobSpec {
        let mut spec = crate::tests::spec("x");
        spec.agent = AgentSettings::new(BackendId::Claude);
        spec
    }

    #[test]
    fn a_job_with_a_backup_is_for_workers_that_have_its_agent_and_may_ask_either() {
        let repository = RepositoryId::parse("r-1").unwrap();
        let mut spec = claude();
        let patience = std::time::Duration::ZERO;
        spec.choice.backup = Some(Box::new(Backup { agent: AgentSettings::new(BackendId::Codex), patience }));
        let lane = Lane::of(&repository, "app", &spec, &Queueing::default());
        let both = vec![BackendId::Claude, BackendId::Codex];
        let offer = |open: &[BackendId], installed: &[BackendId]| Offer {
            backends: open.to_vec(),
            installed: installed.to_vec(),
            labels: Vec::new(),
        };
        assert!(lane.suits(&offer(&both, &both)));
        assert!(lane.suits(&offer(&[BackendId::Codex], &both)));
        assert!(lane.suits(&offer(&[BackendId::Claude], &[BackendId::Claude])));
        assert!(!lane.suits(&offer(&[BackendId::Codex], &[BackendId::Codex])));
        assert!(!lane.suits(&offer(&[BackendId::Gemini], &both)));
    }

    #[test]
    fn jobs_share_a_lane_when_they_are_alike_to_a_claim() {
        let repository = RepositoryId::parse("r-1").unwrap();
        let spec = claude();
        let lane = |queueing: &Queueing| Lane::of(&repository, "app", &spec, &queueing.clone().tidy());
        let plain = Queueing::default();
        let labelled = Queueing { labels: labels(&["b", "a"]), ..Queueing::default() };
        let same = Queueing { labels: labels(&["a", "b", "a"]), ..Queueing::default() };
        assert_eq!(lane(&labelled), lane(&same));
        assert_ne!(lane(&labelled).id, lane(&plain).id);
        let grouped = Queueing { group: labels(&["story"]).pop(), ..Queueing::default() };
        assert_eq!(lane(&grouped).limit_keys, ["group:app/story", "repository:app"]);
        assert!(lane(&grouped).has_group() && !lane(&labelled).has_group());
    }

    #[test]
    fn a_worker_suits_a_lane_when_it_offers_all_that_is_needed() {
        let repository = RepositoryId::parse("r-1").unwrap();
        let queueing = Queueing { requires: labels(&["gpu"]), ..Queueing::default() };
        let lane = Lane::of(&repository, "app", &claude(), &queueing);
        assert!(!lane.suits(&Offer::any_backend()));
        assert!(lane.suits(&Offer { labels: labels(&["gpu", "big"]), ..Offer::any_backend() }));
        assert!(!lane.suits(&Offer::of(vec![BackendId::Command], labels(&["gpu"]))));
    }

    #[test]
    fn limits_are_named_by_what_they_count() {
        for good in ["repository:app", "label:gpu", "group:app/story-1"] {
            assert_eq!(LimitKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["app", "host:x", "group:app", "label:a b", "repository:"] {
            assert!(LimitKey::parse(bad).is_err(), "{bad}");
        }
    }
}
