//! How far items have come: derived from the jobs of tasks, their pull requests, and what people said. The one place where
//! this is decided; nothing of it is stored.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::idea::{self, DocumentFact, DocumentPart, IdeaState};
use super::item::{Item, ItemBody, ItemKind};
use crate::id::{ItemId, JobId, RepositoryId, TaskKey};
use crate::job::EndReason;
use crate::units::Timestamp;

/// What a person said about an item. It counts until a later job of the item, or the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// A task: it is done, whatever jobs came to.
    Done,
    /// A task: it is not to be done, and counts for nothing.
    Excluded,
    /// An epic: it waits for something that only people know.
    Blocked,
    /// What was said before does not count any more, nor what the last job came to.
    Reopened,
}

impl Mark {
    pub const ALL: [Self; 4] = [Self::Done, Self::Excluded, Self::Blocked, Self::Reopened];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Excluded => "excluded",
            Self::Blocked => "blocked",
            Self::Reopened => "reopened",
        }
    }

    /// The words that people say for [`Mark::ALL`], in its order.
    pub const WORDS: [&str; 4] = ["done", "excluded", "blocked", "reopen"];

    /// The mark that a person's word means.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let place = Self::WORDS.iter().position(|known| *known == word)?;
        Self::ALL.get(place).copied()
    }

    /// Whether it can be said about an item of this kind.
    #[must_use]
    pub fn fits(self, kind: ItemKind) -> bool {
        match self {
            Self::Done | Self::Excluded => kind == ItemKind::Task,
            Self::Blocked => kind == ItemKind::Epic,
            Self::Reopened => matches!(kind, ItemKind::Task | ItemKind::Epic),
        }
    }
}

/// A mark as it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkFact {
    pub mark: Mark,
    pub at: Timestamp,
    /// How many jobs the item had had by then.
    pub runs: u32,
}

/// What is known of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullState {
    Open,
    Merged,
    /// Without having been merged.
    Closed,
}

impl PullState {
    pub const ALL: [Self; 3] = [Self::Open, Self::Merged, Self::Closed];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }
}

/// A job of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// 1, 2, 3, …
    pub number: u32,
    pub job: JobId,
    pub key: TaskKey,
    /// `None`: it goes on.
    pub end: Option<RunEnd>,
    /// Of the pull request that it made or went on with, where that is known.
    pub pull: Option<PullState>,
    /// Where people see it.
    pub pull_url: Option<String>,
    /// Of an idea: what the job is to write.
    pub part: Option<DocumentPart>,
    /// Of an idea: somebody has to see whether another job follows.
    pub goes_on: bool,
}

/// How a job of a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnd {
    /// `None`: one that this version does not know.
    pub reason: Option<EndReason>,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    Todo,
    /// A job of it has not ended.
    InProgress,
    /// Published, and for people to look at.
    Review,
    Done,
    Failed,
    Excluded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoryState {
    Open,
    /// Open, and one of its tasks is in a sprint.
    InSprint,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpicState {
    Open,
    Blocked,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SprintState {
    Open,
    Done,
    Failed,
}

/// How far an item has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemState {
    Epic(EpicState),
    Story(StoryState),
    Task(TaskState),
    Sprint(SprintState),
    Idea(IdeaState),
}

impl ItemState {
    /// The public word, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Epic(EpicState::Open) | Self::Story(StoryState::Open) | Self::Sprint(SprintState::Open) => {
                "open"
            }
            Self::Epic(EpicState::Blocked) => "blocked",
            Self::Story(StoryState::InSprint) => "in_sprint",
            Self::Epic(EpicState::Done)
            | Self::Story(StoryState::Done)
            | Self::Task(TaskState::Done)
            | Self::Sprint(SprintState::Done) => "done",
            Self::Epic(EpicState::Failed)
            | Self::Story(StoryState::Failed)
            | Self::Task(TaskState::Failed)
            | Self::Sprint(SprintState::Failed) => "failed",
            Self::Task(TaskState::Todo) => "todo",
            Self::Task(TaskState::InProgress) => "in_progress",
            Self::Task(TaskState::Review) => "review",
            Self::Task(TaskState::Excluded) => "excluded",
            Self::Idea(state) => state.as_str(),
        }
    }
}

/// What states are derived from, apart from the items.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The newest job of each task that had one.
    pub runs: HashMap<ItemId, Run>,
    /// The newest word about each item of which something was said.
    pub marks: HashMap<ItemId, MarkFact>,
    /// The tasks of each sprint, in order.
    pub members: HashMap<ItemId, Vec<ItemId>>,
    /// What was written about each idea, without its texts.
    pub documents: HashMap<ItemId, Vec<DocumentFact>>,
}

impl Facts {
    /// The word that still counts.
    fn mark(&self, item: &ItemId) -> Option<Mark> {
        let runs = self.runs.get(item).map_or(0, |run| run.number);
        self.marks.get(item).filter(|fact| fact.runs >= runs).map(|fact| fact.mark)
    }
}

/// How many there are, and how many of them are done. What is excluded does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub done: usize,
    pub of: usize,
}

/// A group of things, each in one of the few ways that matter to what they are grouped in.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    all: usize,
    failed: usize,
    done: usize,
    excluded: usize,
}

enum Whole {
    Open,
    Done,
    Failed,
}

impl Group {
    fn add_task(&mut self, state: TaskState) {
        self.all += 1;
        match state {
            TaskState::Failed => self.failed += 1,
            TaskState::Done => self.done += 1,
            TaskState::Excluded => self.excluded += 1,
            TaskState::Todo | TaskState::InProgress | TaskState::Review => {}
        }
    }

    fn add_story(&mut self, state: StoryState) {
        self.all += 1;
        match state {
            StoryState::Failed => self.failed += 1,
            StoryState::Done => self.done += 1,
            StoryState::Open | StoryState::InSprint => {}
        }
    }

    /// Nothing in it is not done: it is only begun. Nothing but excluded tasks is: there is nothing left to do.
    fn whole(self) -> Whole {
        if self.failed > 0 {
            Whole::Failed
        } else if self.all > 0 && self.done + self.excluded == self.all {
            Whole::Done
        } else {
            Whole::Open
        }
    }
}

/// A task by itself.
fn task(verify_only: bool, run: Option<&Run>, mark: Option<Mark>) -> TaskState {
    let Some(run) = run else { return marked(mark).unwrap_or(TaskState::Todo) };
    let Some(end) = run.end else { return TaskState::InProgress };
    marked(mark).unwrap_or_else(|| ended(verify_only, end.reason, run.pull))
}

fn marked(mark: Option<Mark>) -> Option<TaskState> {
    match mark? {
        Mark::Done => Some(TaskState::Done),
        Mark::Excluded => Some(TaskState::Excluded),
        Mark::Reopened => Some(TaskState::Todo),
        Mark::Blocked => None,
    }
}

fn ended(verify_only: bool, reason: Option<EndReason>, pull: Option<PullState>) -> TaskState {
    match reason {
        Some(EndReason::Published) => match pull {
            Some(PullState::Merged) => TaskState::Done,
            // Somebody did not want it: it is to be done in another way, or to be excluded.
            Some(PullState::Closed) => TaskState::Todo,
            Some(PullState::Open) | None => TaskState::Review,
        },
        // The work was there before.
        Some(EndReason::AlreadyDone | EndReason::Delivered) => TaskState::Done,
        // Somebody did not want it, as with a pull request that was closed.
        Some(EndReason::Rejected) => TaskState::Todo,
        Some(EndReason::NoChanges) if verify_only => TaskState::Done,
        // Nothing was tried that failed.
        Some(EndReason::Cancelled | EndReason::Interrupted | EndReason::DependencyFailed) => TaskState::Todo,
        Some(
            EndReason::NoChanges
            | EndReason::ConfigInvalid
            | EndReason::RepositoryUnusable
            | EndReason::NoChecks
            | EndReason::AgentMissing
            | EndReason::VerificationFailed
            | EndReason::ChecksCouldNotRun
            | EndReason::GateRefused
            | EndReason::DocumentRefused
            | EndReason::AgentFailed
            | EndReason::AgentRefused
            | EndReason::NeedsInput
            | EndReason::AgentTimedOut
            | EndReason::BudgetCost
            | EndReason::BudgetTokens
            | EndReason::BudgetTurns
            | EndReason::BudgetTime
            | EndReason::BudgetSessions
            | EndReason::BranchConflict
            | EndReason::WorkerLost
            | EndReason::InternalError,
        )
        | None => TaskState::Failed,
    }
}

/// How far all of these items have come, and how many tasks of each are done. Items that are not given do not count: an epic
/// needs its stories and their tasks here, a sprint its members.
#[must_use]
pub fn states(items: &[Item], facts: &Facts) -> HashMap<ItemId, (ItemState, Count)> {
    let tasks = tasks(items, facts);
    let stories = stories(items, facts, &tasks);
    let mut all: HashMap<ItemId, (ItemState, Count)> = HashMap::with_capacity(items.len());
    let mut epics: BTreeMap<&ItemId, (Group, Count)> = BTreeMap::new();
    for story in items.iter().filter(|item| item.kind() == ItemKind::Story) {
        if let (Some(epic), Some((state, count))) = (&story.parent, stories.get(&story.id)) {
            let (group, sum) = epics.entry(epic).or_default();
            group.add_story(*state);
            (sum.done, sum.of) = (sum.done + count.done, sum.of + count.of);
        }
    }
    for item in items {
        let state = match &item.body {
            ItemBody::Task(_) => tasks.get(&item.id).map(|state| {
                let counts = *state != TaskState::Excluded;
                let count = Count { done: usize::from(*state == TaskState::Done), of: usize::from(counts) };
                (ItemState::Task(*state), count)
            }),
            ItemBody::Story(_) => {
                stories.get(&item.id).map(|(state, count)| (ItemState::Story(*state), *count))
            }
            ItemBody::Epic(_) => {
                let (group, count) = epics.get(&item.id).copied().unwrap_or_default();
                Some((ItemState::Epic(epic(group, facts.mark(&item.id))), count))
            }
            ItemBody::Sprint(_) => Some(sprint(facts.members.get(&item.id), &tasks)),
            ItemBody::Idea(body) => {
                let documents = facts.documents.get(&item.id).map_or(&[][..], Vec::as_slice);
                let state = idea::state(body, documents, facts.runs.get(&item.id));
                Some((ItemState::Idea(state), Count::default()))
            }
        };
        all.extend(state.map(|state| (item.id.clone(), state)));
    }
    all
}

/// The first task of a sprint, in its order, that somebody still has to start in this repository. `items` as for [`states`].
#[must_use]
pub fn still_open<'a>(
    items: &'a [Item],
    facts: &Facts,
    sprint: &ItemId,
    repository: (&RepositoryId, &str),
) -> Option<&'a Item> {
    let states = tasks(items, facts);
    let members = facts.members.get(sprint).into_iter().flatten();
    let mut tasks = members.filter_map(|id| items.iter().find(|item| item.id == *id));
    tasks.find(|task| is_startable(&states, task) && task.is_done_in(repository))
}

fn is_startable(states: &HashMap<ItemId, TaskState>, task: &Item) -> bool {
    match states.get(&task.id) {
        Some(TaskState::Todo | TaskState::Failed) => true,
        Some(TaskState::InProgress | TaskState::Review | TaskState::Done | TaskState::Excluded) | None => {
            false
        }
    }
}

fn tasks(items: &[Item], facts: &Facts) -> HashMap<ItemId, TaskState> {
    let mut tasks = HashMap::new();
    for item in items {
        if let ItemBody::Task(body) = &item.body {
            let state = task(body.verify_only, facts.runs.get(&item.id), facts.mark(&item.id));
            tasks.insert(item.id.clone(), state);
        }
    }
    tasks
}

fn stories(
    items: &[Item],
    facts: &Facts,
    tasks: &HashMap<ItemId, TaskState>,
) -> HashMap<ItemId, (StoryState, Count)> {
    let mut groups: HashMap<&ItemId, Group> = HashMap::new();
    let story_of: HashMap<&ItemId, &ItemId> =
        items.iter().filter_map(|item| Some((&item.id, item.parent.as_ref()?))).collect();
    for (task, state) in tasks {
        if let Some(story) = story_of.get(task) {
            groups.entry(story).or_default().add_task(*state);
        }
    }
    let in_sprint: std::collections::HashSet<&ItemId> =
        facts.members.values().flatten().filter_map(|task| story_of.get(task).copied()).collect();
    let mut stories = HashMap::new();
    for item in items.iter().filter(|item| item.kind() == ItemKind::Story) {
        let group = groups.get(&item.id).copied().unwrap_or_default();
        let state = match group.whole() {
            Whole::Failed => StoryState::Failed,
            Whole::Done => StoryState::Done,
            Whole::Open if in_sprint.contains(&item.id) => StoryState::InSprint,
            Whole::Open => StoryState::Open,
        };
        stories.insert(item.id.clone(), (state, group.count()));
    }
    stories
}

fn epic(group: Group, mark: Option<Mark>) -> EpicState {
    match (mark, group.whole()) {
        (Some(Mark::Blocked), _) => EpicState::Blocked,
        (_, Whole::Failed) => EpicState::Failed,
        (_, Whole::Done) => EpicState::Done,
        (_, Whole::Open) => EpicState::Open,
    }
}

/// A sprint looks at its own tasks and not at the epics that they belong to: an epic may have more than one sprint.
fn sprint(members: Option<&Vec<ItemId>>, tasks: &HashMap<ItemId, TaskState>) -> (ItemState, Count) {
    let mut group = Group::default();
    for state in members.into_iter().flatten().filter_map(|task| tasks.get(task)) {
        group.add_task(*state);
    }
    let state = match group.whole() {
        Whole::Failed => SprintState::Failed,
        Whole::Done => SprintState::Done,
        Whole::Open => SprintState::Open,
    };
    (ItemState::Sprint(state), group.count())
}

impl Group {
    fn count(self) -> Count {
        Count { done: self.done, of: self.all - self.excluded }
    }
}
