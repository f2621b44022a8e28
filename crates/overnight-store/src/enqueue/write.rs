//! The rows of a batch of new jobs.

use std::collections::BTreeMap;

use overnight_core::id::{EventNumber, Fence, JobId, RepositoryId, TaskKey};
use overnight_core::job::{AfterRule, Job, JobEvent, JobState, ParkReason, Queueing};
use overnight_core::units::Timestamp;

use crate::apply::{EVENTS, event_row};
use crate::backlog::Links;
use crate::error::StoreError;
use crate::insert::Into;
use crate::lane::Lane;
use crate::placement::{Phase, Placement};
use crate::row::{self, to_json};
use crate::sql::{Value, sql};
use crate::store::{Store, WriteTx};

use super::parents::{Known, marked};
use super::{NewJob, Parent};

const JOBS: Into = Into {
    table: "jobs",
    columns: &[
        ("id", "TEXT"),
        ("repository_id", "TEXT"),
        ("number", "BIGINT"),
        ("key", "TEXT"),
        ("state", "TEXT"),
        ("state_name", "TEXT"),
        ("stage", "TEXT"),
        ("wake_at", "BIGINT"),
        ("park_reason", "TEXT"),
        ("ended", "BOOLEAN"),
        ("fence", "BIGINT"),
        ("last_event", "BIGINT"),
        ("created_at", "BIGINT"),
        ("updated_at", "BIGINT"),
        ("phase", "TEXT"),
        ("lane_id", "TEXT"),
        ("position", "BIGINT"),
        ("priority", "BIGINT"),
        ("queueing", "TEXT"),
        ("blocked_by", "BIGINT"),
        ("dependents", "BOOLEAN"),
        ("place", "TEXT"),
    ],
    extra: None,
    tail: "",
};
const SPECS: Into = Into {
    table: "job_specs",
    columns: &[("job_id", "TEXT"), ("key", "TEXT"), ("request", "TEXT"), ("spec", "TEXT")],
    extra: None,
    tail: "",
};
const DEPENDENCIES: Into = Into {
    table: "job_dependencies",
    columns: &[("child_id", "TEXT"), ("parent_id", "TEXT"), ("rule", "TEXT")],
    extra: None,
    tail: "ON CONFLICT DO NOTHING",
};

/// A repository's name and the number of its next job.
#[derive(Clone)]
pub(super) struct Counter {
    pub(super) name: String,
    pub(super) next: i64,
    pub(super) now: Timestamp,
}

/// What came of a batch.
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    /// Lanes that are certain to be there once it is committed.
    pub(super) lanes: Vec<Lane>,
}

#[derive(Default)]
struct Rows {
    jobs: Vec<Vec<Value>>,
    specs: Vec<Vec<Value>>,
    events: Vec<Vec<Value>>,
    dependencies: Vec<Vec<Value>>,
}

/// Writes those that are not `known` yet, and returns all of them.
pub(super) async fn batch(
    store: &Store,
    tx: &mut WriteTx,
    new: &[NewJob],
    known: Vec<Option<Job>>,
) -> Result<Batch, StoreError> {
    let mut links = Links::take(tx, new, &known).await?;
    let mut counters = counters(tx, new, &known, &links).await?;
    let parents = marked(tx, new, &known).await?;
    let mut rows = Rows::default();
    let mut jobs: Vec<Job> = Vec::with_capacity(new.len());
    let mut lanes: BTreeMap<String, Lane> = BTreeMap::new();
    let mut ready = false;
    for (place, (new, known)) in new.iter().zip(known).enumerate() {
        if let Some(job) = known {
            jobs.push(job);
            continue;
        }
        let waits = waits_for(new, &jobs, &parents, place)?;
        let Some(counter) = counters.get_mut(new.repository.as_str()) else {
            return Err(StoreError::Internal { what: "a repository was not counted" });
        };
        let lane = Lane::of(&new.repository, &counter.name, &new.spec, &new.queueing.clone().tidy());
        let (job, phase) = match links.number(new) {
            Some(number) => {
                let mut own = Counter { next: number, ..counter.clone() };
                rows.add(new, &mut own, &lane.id, &waits)?
            }
            None => rows.add(new, counter, &lane.id, &waits)?,
        };
        links.add(&job);
        lanes.insert(lane.id.clone(), lane);
        ready |= matches!(phase, Phase::Ready | Phase::Due);
        jobs.push(job);
    }
    for lane in lanes.values() {
        ensure_lane(store, tx, lane).await?;
    }
    mark_earlier(&mut rows);
    JOBS.rows(tx, &rows.jobs).await?;
    SPECS.rows(tx, &rows.specs).await?;
    EVENTS.rows(tx, &rows.events).await?;
    DEPENDENCIES.rows(tx, &rows.dependencies).await?;
    links.write(tx).await?;
    if ready {
        tx.gives_work();
    }
    Ok(Batch { jobs, lanes: lanes.into_values().collect() })
}

/// Counts each repository's numbers on. That also makes enqueuers of one repository take turns.
async fn counters(
    tx: &mut WriteTx,
    new: &[NewJob],
    known: &[Option<Job>],
    links: &Links,
) -> Result<BTreeMap<String, Counter>, StoreError> {
    let mut wanted: BTreeMap<&RepositoryId, i64> = BTreeMap::new();
    for (new, _) in new.iter().zip(known).filter(|(_, known)| known.is_none()) {
        // The first job of a task has the task's number.
        *wanted.entry(&new.repository).or_default() += i64::from(links.number(new).is_none());
    }
    let mut counters = BTreeMap::new();
    for (repository, count) in wanted {
        let text = "UPDATE repositories SET last_number = last_number + $2 WHERE id = $1 \
                    RETURNING name, last_number, {now} AS now";
        let found = tx.optional(sql(text).bind(repository.as_str()).bind(count)).await?;
        let found = found.ok_or_else(|| StoreError::UnknownRepository { id: repository.clone() })?;
        let last = row::number(&found, "?", "last_number")?;
        let counter = Counter {
            name: row::text(&found, "?", "name")?,
            next: last - count + 1,
            now: Timestamp(row::number(&found, "?", "now")?),
        };
        counters.insert(repository.as_str().to_owned(), counter);
    }
    Ok(counters)
}

/// A job to wait for: its id, key and rule.
pub(super) type Wait = (JobId, TaskKey, AfterRule);

fn waits_for(
    new: &NewJob,
    earlier: &[Job],
    parents: &BTreeMap<String, Known>,
    place: usize,
) -> Result<Vec<Wait>, StoreError> {
    let mut waits = Vec::new();
    for after in &new.after {
        match &after.on {
            Parent::Earlier(at) if *at < place => {
                let job = &earlier[*at];
                let waited_for =
                    parents.get(job.id.as_str()).map_or(Ok(true), |known| known.is_waited_for(after.rule))?;
                if waited_for {
                    waits.push((job.id.clone(), job.key.clone(), after.rule));
                }
            }
            Parent::Earlier(_) => {
                return Err(StoreError::Internal { what: "a job of a batch waits for a later one" });
            }
            Parent::Job(id) => {
                if let Some(known) = parents.get(id.as_str())
                    && known.is_waited_for(after.rule)?
                {
                    waits.push((id.clone(), known.key.clone(), after.rule));
                }
            }
        }
    }
    // Of two rules for the same job the stricter one, which comes first.
    waits.sort_by(|a, b| (&a.0, a.2.as_str()).cmp(&(&b.0, b.2.as_str())));
    waits.dedup_by(|a, b| a.0 == b.0);
    Ok(waits)
}

async fn ensure_lane(store: &Store, tx: &mut WriteTx, lane: &Lane) -> Result<(), StoreError> {
    if store.lanes.get(&lane.id).is_some() {
        return Ok(());
    }
    let text = "INSERT INTO lanes (id, repository_id, limit_keys, needs) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let insert =
        sql(text).bind(&lane.id).bind(&lane.repository).bind(to_json("limit_keys", &lane.limit_keys)?);
    tx.run(insert.bind(to_json("needs", &lane.needs)?)).await?;
    Ok(())
}

/// A job of the batch that a later one waits for is marked like any other that is waited for.
fn mark_earlier(rows: &mut Rows) {
    const ID: usize = 0;
    let mark = JOBS.columns.iter().position(|(name, _)| *name == "dependents").unwrap_or_default();
    for job in &mut rows.jobs {
        if rows.dependencies.iter().any(|dependency| dependency[1] == job[ID]) {
            job[mark] = true.into();
        }
    }
}

impl Rows {
    fn add(
        &mut self,
        new: &NewJob,
        counter: &mut Counter,
        lane: &str,
        waits: &[Wait],
    ) -> Result<(Job, Phase), StoreError> {
        let job = made(new_id()?, new, counter, waits)?;
        let mut place = Placement::of(&job.state, false)?;
        if let (Phase::Ready, Some(at)) =
            (place.phase, job.queueing.not_before.filter(|at| *at > counter.now))
        {
            (place.phase, place.wake) = (Phase::Due, Some(at));
        }
        let phase = place.phase;
        let events = first_events(&job);
        let ready_at = job.queueing.not_before.map_or(job.created_at, |at| at.max(job.created_at));
        let [state, name, stage, phase_word, wake, park, ended, ..] = place.values();
        let id = job.id.as_str();
        self.jobs.push(vec![
            id.into(),
            job.repository.as_str().into(),
            counter.next.into(),
            job.key.as_str().into(),
            state,
            name,
            stage,
            wake,
            park,
            ended,
            0.into(),
            i64::try_from(events.len()).unwrap_or(i64::MAX).into(),
            job.created_at.0.into(),
            job.created_at.0.into(),
            phase_word,
            lane.into(),
            job.queueing.priority.rank(ready_at).into(),
            job.queueing.priority.number().into(),
            to_json("queueing", &job.queueing)?.into(),
            i64::try_from(waits.len()).unwrap_or(i64::MAX).into(),
            false.into(),
            job.queueing.place.as_ref().map_or("", |place| place.as_str()).into(),
        ]);
        self.specs.push(vec![
            id.into(),
            job.key.as_str().into(),
            new.request.clone().into(),
            to_json("spec", &job.spec)?.into(),
        ]);
        for (number, event) in (1..).zip(&events) {
            self.events.push(event_row(id, EventNumber(number), job.created_at, event)?);
        }
        for (parent, _, rule) in waits {
            self.dependencies.push(vec![id.into(), parent.as_str().into(), rule.as_str().into()]);
        }
        counter.next += 1;
        Ok((job, phase))
    }
}

fn unnamed(_: overnight_core::id::InvalidId) -> StoreError {
    StoreError::Internal { what: "a new job could not be named" }
}

pub(super) fn new_id() -> Result<JobId, StoreError> {
    JobId::parse(&uuid::Uuid::now_v7().to_string()).map_err(unnamed)
}

/// The job as it is after it was written.
pub(super) fn made(id: JobId, new: &NewJob, counter: &Counter, waits: &[Wait]) -> Result<Job, StoreError> {
    let keys: Vec<&str> = waits.iter().map(|(_, key, _)| key.as_str()).collect();
    let state = if waits.is_empty() {
        JobState::Queued
    } else {
        let detail = format!("waits for {}", keys.join(", "));
        JobState::Parked {
            reason: ParkReason::Dependency,
            detail,
            wake: None,
            then: Box::new(JobState::Queued),
        }
    };
    Ok(Job {
        id,
        key: TaskKey::parse(&format!("{}-{}", counter.name, counter.next)).map_err(unnamed)?,
        repository: new.repository.clone(),
        repository_name: counter.name.clone(),
        spec: new.spec.clone(),
        state,
        fence: Fence(0),
        holder: None,
        cancel: None,
        queueing: Queueing::tidy(new.queueing.clone()),
        lost: 0,
        created_at: counter.now,
        updated_at: counter.now,
    })
}

fn first_events(job: &Job) -> Vec<JobEvent> {
    let mut events = vec![JobEvent::Queued { title: job.spec.title.clone() }];
    if let JobState::Parked { reason, detail, wake, .. } = &job.state {
        events.push(JobEvent::Parked { reason: *reason, detail: detail.clone(), wake: *wake });
    }
    events
}
