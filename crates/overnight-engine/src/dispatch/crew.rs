//! The jobs that a worker runs: a task for each, what they let the loop know, and how they are made to let go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use overnight_core::agent::{AgentEvent, BackendId, TurnOutcome};
use overnight_core::id::JobId;
use overnight_core::job::{Job, JobEvent, Stage};
use overnight_store::Claimed;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use crate::engine::Engine;
use crate::error::WorkError;
use crate::progress::{Progress, Watcher};
use crate::signals::Stop;

/// A job's task has ended.
pub(super) enum Done {
    /// As far as it goes for now, or with an error.
    Worked { job: Box<Job>, result: Result<(), WorkError> },
    /// It panicked. Its lease is not renewed any more and runs out.
    BrokenOff { job: Box<Job> },
}

/// What a running job lets the loop know.
pub(super) enum Note {
    Stage(JobId, Stage),
    /// Its backend's vendor answered: the login works.
    Answered(BackendId),
}

type Task = (Job, Result<(), WorkError>);

pub(super) struct Crew {
    engine: Arc<Engine>,
    tasks: JoinSet<Task>,
    /// By the id of their tasks, for those that break off.
    running: HashMap<Id, Job>,
    force: Stop,
    notes: mpsc::UnboundedSender<Note>,
}

impl Crew {
    pub(super) fn new(engine: Arc<Engine>) -> (Self, mpsc::UnboundedReceiver<Note>) {
        let (notes, heard) = mpsc::unbounded_channel();
        let crew =
            Self { engine, tasks: JoinSet::new(), running: HashMap::new(), force: Stop::default(), notes };
        (crew, heard)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn begin(&mut self, claimed: Claimed) {
        let job = claimed.job.clone();
        let watcher = self.watcher(&job);
        let (engine, stop, before) = (Arc::clone(&self.engine), self.force.clone(), job.clone());
        let task = self.tasks.spawn(async move {
            match Box::pin(engine.work_claimed(claimed, &watcher, &stop)).await {
                Ok(job) => (job, Ok(())),
                Err(error) => (before, Err(error)),
            }
        });
        self.running.insert(task.id(), job);
    }

    /// The next one that has ended; `None`: none runs.
    pub(super) async fn next(&mut self) -> Option<Done> {
        let ended = self.tasks.join_next_with_id().await?;
        self.taken(ended)
    }

    /// One that has ended already.
    pub(super) fn ended(&mut self) -> Option<Done> {
        let ended = self.tasks.try_join_next_with_id()?;
        self.taken(ended)
    }

    fn taken(&mut self, ended: Result<(Id, Task), JoinError>) -> Option<Done> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let before = self.running.remove(&id);
        match ended {
            Ok((_, (job, result))) => Some(Done::Worked { job: Box::new(job), result }),
            Err(_) => before.map(|job| Done::BrokenOff { job: Box::new(job) }),
        }
    }

    /// Makes every running job let go at once.
    pub(super) fn force(&self) {
        self.force.force.cancel();
    }

    /// Lets the loop know what it wants to know, and nothing of what agents say.
    fn watcher(&self, job: &Job) -> Watcher {
        let (notes, id) = (self.notes.clone(), job.id.clone());
        // The backup may take over in between.
        let at_work = Mutex::new(job.agent().backend);
        let answered = AtomicBool::new(false);
        Watcher::calling(move |progress| {
            let mut at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner);
            let note = match progress {
                Progress::Event { event: JobEvent::TurnAnnounced { backend, .. }, .. } => {
                    *at_work = backend;
                    answered.store(false, Ordering::Relaxed);
                    return;
                }
                Progress::Event { event: JobEvent::StageStarted { stage }, .. } => {
                    Note::Stage(id.clone(), stage)
                }
                Progress::Event {
                    event: JobEvent::TurnEnded { result: TurnOutcome::Completed, .. }, ..
                } => Note::Answered(*at_work),
                Progress::Agent(AgentEvent::UsageSoFar { .. }) if !answered.swap(true, Ordering::Relaxed) => {
                    Note::Answered(*at_work)
                }
                Progress::Event { .. }
                | Progress::Agent(_)
                | Progress::Used(_)
                | Progress::CheckStarted { .. }
                | Progress::CheckFinished { .. }
                | Progress::Waiting { .. } => return,
            };
            // The loop has ended: nobody wants to know any more.
            let _ = notes.send(note);
        })
    }
}
