//! `overnight task start`: tasks become jobs, all of them or none, in the order in which they can be done.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use overnight_core::backlog::{
    Circle, Context, EpicState, Item, ItemBody, ItemKind, ItemState, PullStrategy, RepositorySettings,
    TaskBody, TaskState, in_order, prompt,
};
use overnight_core::id::{ItemId, JobId, RepositoryId};
use overnight_core::job::{AfterRule, ExitCode, Label, Publication, Queueing, TaskOrder};
use overnight_core::text::for_terminal;
use overnight_core::units::Timestamp;
use overnight_store::{After, Backlog, NewJob, Parent, Repository, Store};

use super::begin::{Begun, begin, named};
use super::branch::{Known, Lines};
use super::{find, ground, store_for};
use crate::app::{App, find_error, store_error};
use crate::cli::backlog_args::StartArgs;
use crate::cli::run_args::{PublishArgs, WishArgs};
use crate::commands::add;
use crate::error::{AppError, Outcome};
use crate::render::stage::{Mark, line};
use crate::wish::{self, Errand, ErrandOrder, Ground, Site};
use crate::{agents, order, repository};

/// The tasks that are to be started, with what they need from around them.
#[derive(Default)]
struct Chosen {
    /// By repository.
    backlogs: HashMap<RepositoryId, Backlog>,
    states: HashMap<ItemId, ItemState>,
    /// In the order in which they can be done.
    tasks: Vec<Item>,
    /// Where each of them stands in that order.
    places: HashMap<ItemId, usize>,
    /// Keys of tasks of a group that were left out, with their states.
    left: Vec<String>,
    /// The sprint that was started, of a task that was named by it.
    sprints: HashMap<ItemId, ItemId>,
}

/// # Errors
/// When one of the tasks cannot be started; no job was made then.
pub(super) async fn run(app: &App, args: &StartArgs) -> Outcome {
    let store = store_for(app, args.keys.first().map_or("", String::as_str)).await?;
    let Begun { jobs, asked, left, notes } = begin(app, &store, args, None).await?;
    for note in &notes {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(note)));
    }
    if !left.is_empty() {
        app.out.say(&format!("left out: {}", left.join(", ")));
    }
    add::show(app, &store, &jobs, asked, args.output.json).await?;
    Ok(ExitCode::Done)
}

/// Makes all of the jobs at once.
pub(super) async fn make(
    app: &App,
    store: &Store,
    args: &StartArgs,
    request: Option<&str>,
    asked: Timestamp,
) -> Result<Begun, AppError> {
    let chosen = chosen(store, &args.keys).await?;
    let queueing = add::queueing(&args.queue, asked)?;
    let outside = outside(store, args).await?;
    let mut grounds: HashMap<RepositoryId, Grounded> = HashMap::new();
    // By what tasks say of where they are to be done: thousands of them ask once.
    let mut repositories: HashMap<(RepositoryId, Option<String>), Repository> = HashMap::new();
    let mut new = Vec::with_capacity(chosen.tasks.len());
    let mut lines = Lines::default();
    let mut notes = BTreeSet::new();
    for task in &chosen.tasks {
        let ItemBody::Task(body) = &task.body else { continue };
        let said = (task.repository.clone(), body.repository.clone());
        if !repositories.contains_key(&said) {
            repositories.insert(said.clone(), repository_of(store, task, body).await?);
        }
        let Some(repository) = repositories.get(&said) else { continue };
        if !grounds.contains_key(&repository.id) {
            grounds.insert(repository.id.clone(), Grounded::look(app, store, args, repository).await?);
        }
        let Some(grounded) = grounds.get(&repository.id) else { continue };
        let mut ordered = grounded.spec(app, &chosen, task, body)?;
        ordered.spec.budget.first = first_job(store, &chosen, task).await?;
        notes.extend(ordered.notes);
        let place = wish::place_of(app, &ordered.spec)?;
        let after = chosen.after(task, &new)?.into_iter().chain(outside.iter().cloned()).collect();
        let queueing = Queueing { place, ..queueing.clone() };
        chosen.onto(&mut lines, task, grounded, repository, new.len())?;
        let request = request.map(|request| named(request, &task.id));
        new.push(NewJob { queueing, request, after, ..NewJob::new(repository.id.clone(), ordered.spec) });
    }
    lines.place(store, &mut new).await?;
    let jobs = store.jobs_enqueue(&new).await.map_err(|error| add::refused(&error))?;
    let ground_notes = grounds.values().flat_map(|grounded| grounded.ground.target.notes.clone());
    Ok(Begun { jobs, asked, left: chosen.left, notes: notes.into_iter().chain(ground_notes).collect() })
}

async fn chosen(store: &Store, keys: &[String]) -> Result<Chosen, AppError> {
    let mut chosen = Chosen::default();
    let mut tasks: Vec<Item> = Vec::new();
    let mut taken: HashSet<ItemId> = HashSet::new();
    for key in keys {
        let item = find(store, key).await?;
        if !chosen.backlogs.contains_key(&item.repository) {
            let backlog = store.backlog(&item.repository).await.map_err(|error| store_error(&error))?;
            chosen.states.extend(backlog.states().into_iter().map(|(id, (state, _))| (id, state)));
            chosen.backlogs.insert(item.repository.clone(), backlog);
        }
        for task in chosen.open(&item)? {
            if item.kind() == ItemKind::Sprint {
                chosen.sprints.entry(task.id.clone()).or_insert_with(|| item.id.clone());
            }
            if taken.insert(task.id.clone()) {
                tasks.push(task);
            }
        }
    }
    if tasks.is_empty() {
        let left =
            if chosen.left.is_empty() { "there is no task".to_owned() } else { chosen.left.join(", ") };
        return Err(AppError::usage(format!("nothing is to be started: {left}"))
            .help("a task is started again by its own key; overnight task mark KEY reopen opens one again"));
    }
    chosen.tasks = chosen.sorted(tasks)?;
    chosen.places = chosen.tasks.iter().enumerate().map(|(at, task)| (task.id.clone(), at)).collect();
    Ok(chosen)
}

impl Chosen {
    /// The tasks of an item that can be started. One that was named by itself has to be among them.
    fn open(&mut self, item: &Item) -> Result<Vec<Item>, AppError> {
        if item.kind() == ItemKind::Idea {
            return Err(AppError::usage(format!("{} is an idea: it has no tasks yet", item.key)).help(
                format!(
                    "make a plan of it: overnight idea run {0}; then an epic: overnight idea accept {0}",
                    item.key
                ),
            ));
        }
        let Some(backlog) = self.backlogs.get(&item.repository) else { return Ok(Vec::new()) };
        let mut open = Vec::new();
        for task in backlog.tasks_of(item) {
            self.not_blocked(backlog, task)?;
            let state = self.states.get(&task.id).copied();
            let alone = item.kind() == ItemKind::Task;
            // What failed in a sprint has to be done before what stands behind it.
            let again = alone || item.kind() == ItemKind::Sprint;
            match state {
                Some(ItemState::Task(TaskState::Todo)) => open.push(task.clone()),
                Some(ItemState::Task(TaskState::Failed)) if again => open.push(task.clone()),
                Some(state) if alone => return Err(not_open(backlog, task, state)),
                Some(state) => self.left.push(format!("{} ({})", task.key, state.code())),
                None => {}
            }
        }
        Ok(open)
    }

    fn not_blocked(&self, backlog: &Backlog, task: &Item) -> Result<(), AppError> {
        let (_, epic) = around(backlog, task);
        let Some(epic) = epic else { return Ok(()) };
        if self.states.get(&epic.id) == Some(&ItemState::Epic(EpicState::Blocked)) {
            return Err(AppError::usage(format!("{} is blocked, and {} belongs to it", epic.key, task.key))
                .help(format!("overnight epic mark {} reopen", epic.key)));
        }
        Ok(())
    }

    fn sorted(&self, tasks: Vec<Item>) -> Result<Vec<Item>, AppError> {
        let ids: Vec<ItemId> = tasks.iter().map(|task| task.id.clone()).collect();
        let mut waits: BTreeMap<ItemId, BTreeSet<ItemId>> = BTreeMap::new();
        for backlog in self.backlogs.values() {
            waits.extend(backlog.waits.clone());
        }
        let order = in_order(&ids, &waits).map_err(|Circle(circle)| {
            let names: Vec<&str> = circle.iter().map(ItemId::as_str).collect();
            AppError::usage(format!("tasks wait for each other in a circle: {}", names.join(", ")))
                .help("take one of them out: overnight task edit KEY --after …")
        })?;
        let mut tasks: HashMap<ItemId, Item> =
            tasks.into_iter().map(|task| (task.id.clone(), task)).collect();
        Ok(order.iter().filter_map(|id| tasks.remove(id)).collect())
    }

    /// The job of this task is made at place `at`: on the line that it belongs to, if any.
    fn onto(
        &self,
        lines: &mut Lines,
        task: &Item,
        grounded: &Grounded,
        repository: &Repository,
        at: usize,
    ) -> Result<(), AppError> {
        let Some(backlog) = self.backlogs.get(&task.repository) else { return Ok(()) };
        let known = Known { backlog, states: &self.states };
        let Some(shared) = known.shared(task, grounded.strategy, self.sprints.get(&task.id)) else {
            return Ok(());
        };
        if let Some(group) = &grounded.group {
            let what =
                format!("{} shares the branch of {}, which is a group of its own", task.key, shared.1.key);
            return Err(AppError::usage(what).help(format!("leave --group {group} out")));
        }
        lines.add(&known, shared, repository, at);
        Ok(())
    }

    /// The jobs that the job of this task waits for; `earlier`: those that were made of tasks before it.
    fn after(&self, task: &Item, earlier: &[NewJob]) -> Result<Vec<After>, AppError> {
        let Some(backlog) = self.backlogs.get(&task.repository) else { return Ok(Vec::new()) };
        let mut after = Vec::new();
        for need in backlog.waits.get(&task.id).into_iter().flatten() {
            let made = self.places.get(need).copied().filter(|at| *at < earlier.len());
            let running = backlog.facts.runs.get(need).filter(|run| run.end.is_none());
            let on = match (made, running, self.states.get(need)) {
                (Some(at), _, _) => Parent::Earlier(at),
                (None, Some(run), _) => Parent::Job(run.job.clone()),
                (None, None, Some(ItemState::Task(TaskState::Todo | TaskState::Failed))) => {
                    let need = backlog
                        .item(need)
                        .map_or_else(|| "another task".to_owned(), |item| item.key.to_string());
                    return Err(AppError::usage(format!("{} waits for {need}, which is not done", task.key))
                        .help(format!(
                            "start both: overnight task start {need} {}; or: overnight task mark {need} done",
                            task.key
                        )));
                }
                (None, None, Some(_) | None) => continue,
            };
            after.push(After { on, rule: AfterRule::Done });
        }
        Ok(after)
    }
}

fn not_open(backlog: &Backlog, task: &Item, state: ItemState) -> AppError {
    let error = AppError::usage(format!("{} cannot be started: it is {}", task.key, state.code()));
    match backlog.facts.runs.get(&task.id).filter(|run| run.end.is_none()) {
        Some(run) => error.help(format!("its job {0} has not ended: overnight show {0}", run.key)),
        None => error.help(format!("to do it once more: overnight task mark {} reopen", task.key)),
    }
}

/// The story and the epic of a task.
fn around<'a>(backlog: &'a Backlog, task: &Item) -> (Option<&'a Item>, Option<&'a Item>) {
    let story = task.parent.as_ref().and_then(|id| backlog.item(id));
    let epic = story.and_then(|story| story.parent.as_ref()).and_then(|id| backlog.item(id));
    (story, epic)
}

/// Where the task is to be done: in the repository that it names, and never in another instead.
async fn repository_of(store: &Store, task: &Item, body: &TaskBody) -> Result<Repository, AppError> {
    if let Some(name) = &body.repository {
        return ground::named(store, name).await.map_err(|error| AppError {
            what: format!("{} cannot be started where it is to be done: {}", task.key, error.what),
            help: Some(format!(
                "register it under that name: overnight repo add; or say where else: overnight task edit {} --elsewhere NAME",
                task.key
            )),
            ..error
        });
    }
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    let found = all.into_iter().find(|repository| repository.id == task.repository);
    found.ok_or_else(|| AppError::unexpected(format!("the repository of {} is not registered", task.key)))
}

/// The job that the limits of the whole task count from: all of its jobs draw on the same amounts.
async fn first_job(store: &Store, chosen: &Chosen, task: &Item) -> Result<Option<JobId>, AppError> {
    let backlog = chosen.backlogs.get(&task.repository);
    if !backlog.is_some_and(|backlog| backlog.facts.runs.contains_key(&task.id)) {
        return Ok(None);
    }
    let runs = store.item_runs(&task.id).await.map_err(|error| store_error(&error))?;
    Ok(runs.into_iter().next().map(|run| run.job))
}

/// The jobs that the arguments name to be waited for.
pub(super) async fn outside(store: &Store, args: &StartArgs) -> Result<Vec<After>, AppError> {
    let mut after = Vec::new();
    let done = args.queue.after.iter().map(|name| (name, AfterRule::Done));
    let ended = args.queue.after_any.iter().map(|name| (name, AfterRule::Ended));
    for (name, rule) in done.chain(ended) {
        let job = store.job_find(name).await.map_err(|error| find_error(&error))?;
        after.push(After { on: Parent::Job(job.id), rule });
    }
    Ok(after)
}

/// A repository that was looked at, and what is asked for there.
pub(super) struct Grounded {
    pub(super) ground: Ground,
    pub(super) args: WishArgs,
    strategy: PullStrategy,
    /// The group that was asked for.
    group: Option<Label>,
}

impl Grounded {
    pub(super) async fn look(
        app: &App,
        store: &Store,
        args: &StartArgs,
        repository: &Repository,
    ) -> Result<Self, AppError> {
        let settings = store.repository_settings(&repository.id).await;
        let settings = settings.map_err(|error| store_error(&error))?;
        let mut wish = wished(args, &settings);
        let ground = if Path::new(&repository.remote).is_absolute() {
            let of = Publication::LocalBranch { repository: repository.remote.clone() };
            wish.repo = repository::place_of(&of).unwrap_or_default();
            Ground::look(app, &wish, Site::Anywhere).await?
        } else if let Some(clone) = &args.repo {
            wish.repo.clone_from(clone);
            wish.publish.pr = true;
            let ground = Ground::look(app, &wish, Site::Anywhere).await?;
            if ground.target.source != repository.remote {
                let what = format!(
                    "the clone's remote is {}, and {} is {}",
                    ground.target.source, repository.name, repository.remote
                );
                return Err(AppError::usage(what).help("name a clone of that remote with -C, or none"));
            }
            ground
        } else {
            Ground::afar(app, &wish, repository)?
        };
        Ok(Self { ground, args: wish, strategy: settings.strategy, group: args.queue.group.clone() })
    }

    fn spec(
        &self,
        app: &App,
        chosen: &Chosen,
        task: &Item,
        body: &TaskBody,
    ) -> Result<wish::Ordered, AppError> {
        let none = Backlog::default();
        let backlog = chosen.backlogs.get(&task.repository).unwrap_or(&none);
        let (story, epic) = around(backlog, task);
        let agent = body.settings.agent.as_deref();
        let agent = agent.map(|name| agents::named(name, &app.config().agent)).transpose()?;
        let order = TaskOrder {
            item: task.id.clone(),
            key: task.key.clone(),
            story: story.map(|story| story.key.clone()),
            epic: epic.map(|epic| epic.key.clone()),
            plan: body.plan.clone(),
            verify_required: body.verify_required,
            verify_only: body.verify_only,
        };
        let errand = Errand {
            title: task.title.clone(),
            layer: body.settings.layer(agent),
            order: ErrandOrder::Task(order),
        };
        let wish = prompt(task, body, Context { story, epic });
        order::check_prompt(&wish)?;
        let ordered = self.ground.spec_for(app, &self.args, wish, Some(errand))?;
        self.ground.missing(&ordered.spec)?;
        Ok(ordered)
    }
}

fn wished(args: &StartArgs, settings: &RepositorySettings) -> WishArgs {
    let mut order = args.order.clone();
    if order.verify.verify.is_empty() && !order.verify.no_verify {
        order.verify.verify.clone_from(&settings.verify);
    }
    WishArgs {
        base: settings.base.clone(),
        publish: PublishArgs { draft: settings.draft, ..PublishArgs::default() },
        order,
        ..WishArgs::default()
    }
}
