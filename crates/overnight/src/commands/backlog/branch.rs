//! Which branch the jobs of started tasks go to: one of their own, or that of their story or sprint.

use std::collections::HashMap;

use overnight_core::backlog::{Item, ItemState, PullStrategy, SprintState, TaskState};
use overnight_core::id::ItemId;
use overnight_core::job::line::{places, taken};
use overnight_core::job::{AfterRule, BranchLine, Job, LineKind};
use overnight_store::{After, Backlog, NewJob, Parent, Repository, Store, put_on_line};

use crate::app::store_error;
use crate::error::AppError;

/// A backlog and how far its items have come.
pub(super) struct Known<'a> {
    pub(super) backlog: &'a Backlog,
    pub(super) states: &'a HashMap<ItemId, ItemState>,
}

impl<'a> Known<'a> {
    /// The story or sprint whose branch the job of a task goes to. `sprint`: the one that was started, which decides.
    pub(super) fn shared(
        &self,
        task: &Item,
        strategy: PullStrategy,
        sprint: Option<&ItemId>,
    ) -> Option<(LineKind, &'a Item)> {
        if let Some(sprint) = sprint {
            return Some((LineKind::Sprint, self.backlog.item(sprint)?));
        }
        match strategy {
            PullStrategy::Task => None,
            PullStrategy::Story => {
                task.parent.as_ref().and_then(|id| Some((LineKind::Story, self.backlog.item(id)?)))
            }
            PullStrategy::Sprint => Some((LineKind::Sprint, self.sprint_of(task)?)),
        }
    }

    /// The first sprint of a task that is not done.
    fn sprint_of(&self, task: &Item) -> Option<&'a Item> {
        let done = ItemState::Sprint(SprintState::Done);
        self.backlog.items.iter().find(|item| {
            let members = self.backlog.facts.members.get(&item.id);
            members.is_some_and(|members| members.contains(&task.id))
                && self.states.get(&item.id) != Some(&done)
        })
    }

    /// How many tasks of a sprint, to be done in this repository, have no job that is done or goes on.
    fn open(&self, sprint: &ItemId, repository: &Repository) -> u32 {
        let members = self.backlog.facts.members.get(sprint).into_iter().flatten();
        let open = members.filter(|id| {
            let state = self.states.get(*id);
            matches!(state, Some(ItemState::Task(TaskState::Todo | TaskState::Failed)))
                && self
                    .backlog
                    .item(id)
                    .is_some_and(|task| task.is_done_in((&repository.id, &repository.name)))
        });
        u32::try_from(open.count()).unwrap_or(u32::MAX)
    }
}

/// The lines that started tasks go on.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

#[derive(Debug)]
struct Line {
    kind: LineKind,
    item: Item,
    repository: Repository,
    /// Tasks of a sprint that are open, with those that are started.
    open: u32,
    /// The places of its jobs among all that are made, in order.
    jobs: Vec<usize>,
}

impl Lines {
    /// The job that is to be made at place `at` goes on this line of this repository.
    pub(super) fn add(
        &mut self,
        known: &Known<'_>,
        (kind, item): (LineKind, &Item),
        repository: &Repository,
        at: usize,
    ) {
        let same = |line: &&mut Line| {
            line.kind == kind && line.item.id == item.id && line.repository.id == repository.id
        };
        if let Some(line) = self.0.iter_mut().find(same) {
            line.jobs.push(at);
            return;
        }
        let open = known.open(&item.id, repository);
        let (item, repository) = (item.clone(), repository.clone());
        self.0.push(Line { kind, item, repository, open, jobs: vec![at] });
    }

    /// Gives the jobs their places.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn place(&self, store: &Store, new: &mut [NewJob]) -> Result<(), AppError> {
        for line in &self.0 {
            let any = BranchLine::of(line.kind, line.item.key.clone(), &line.item.title, (1, 1));
            let jobs = store.jobs_of_line(&line.repository.name, &any).await;
            line.put(&jobs.map_err(|error| store_error(&error))?, new);
        }
        Ok(())
    }
}

impl Line {
    /// `known`: the jobs that are on it already.
    fn put(&self, known: &[Job], new: &mut [NewJob]) {
        let numbers = match self.kind {
            LineKind::Story => {
                let tasks = self.jobs.iter().filter_map(|at| Some(&new.get(*at)?.spec.task.as_ref()?.item));
                places(known, tasks)
            }
            LineKind::Sprint => (taken(known).saturating_add(1)..).take(self.jobs.len()).collect(),
        };
        let most = numbers.iter().copied().max().unwrap_or(0);
        let count = match self.kind {
            LineKind::Story => {
                let lines = known.iter().filter_map(|job| job.spec.line.as_ref());
                lines.map(|line| line.number).max().unwrap_or(0).max(most)
            }
            LineKind::Sprint => taken(known).saturating_add(self.open).max(most),
        };
        let numbered: Vec<(usize, u32)> = self.jobs.iter().copied().zip(numbers).collect();
        // The branch is named after the title that the story or sprint had first.
        let title = known.iter().find_map(|job| job.spec.line.as_ref());
        let title = title.map_or(self.item.title.as_str(), |line| line.title.as_str());
        put_on_line(new, &numbered, (self.kind, &self.item.key, title), count);
        let first = self.jobs.first().and_then(|at| new.get_mut(*at));
        if let (LineKind::Sprint, Some(first), Some(last)) = (self.kind, first, running(known)) {
            first.after.push(After { on: Parent::Job(last.id.clone()), rule: AfterRule::Done });
        }
    }
}

/// The last job of a sprint that has not ended: what is started now comes behind it.
fn running(known: &[Job]) -> Option<&Job> {
    let number = |job: &&Job| job.spec.line.as_ref().map(|line| line.number);
    known.iter().filter(|job| job.state.end().is_none()).max_by_key(number)
}
