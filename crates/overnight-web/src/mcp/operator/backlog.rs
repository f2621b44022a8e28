//! Tools about the backlog: what is wanted, before and beside the jobs that do it. The same functions as behind the API.

use overnight_core::backlog::{ItemKind, Mark};
use overnight_store::{BacklogError, ItemView, StoreError};
use serde_json::{Map, Value, json};

use super::super::tool::{Arguments, Tool, ToolError};
use super::{MOST, Operator, Page, USUAL, failed};
use crate::api::{NewStart, Started};
use crate::backlog::{Cursor, Reach, Refused, Wanted, request};

fn item_argument() -> Value {
    json!({"type": "string", "description": "key of an item (app-12) or its id"})
}

fn keys(about: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": about})
}

fn kind() -> Value {
    json!({"type": "string", "enum": ItemKind::ALL.map(ItemKind::as_str)})
}

fn request_argument() -> Value {
    json!({"type": "string", "description": "a name of yours for this request: sent again it does nothing a second time"})
}

/// One object for all kinds: many arguments would be paid for in every conversation.
fn body() -> Value {
    json!({
        "type": "object",
        "description": "By kind. epic: description, cascade (whether a failed task takes the epic's other jobs with it). story: description, acceptance \
            (list of lines). task: description, acceptance, plan (how it is to be done, with the paths of files), verify_required (aligned, \
            aligned_or_partial, any), verify_only (no change is a good result), repository (done there instead), settings {agent, model, effort, attempts, \
            cost in millionths of a dollar, tokens, turns, time_ms}. sprint: goal, strategy (task, story, sprint). idea: wish, notes, plan.",
    })
}

pub(super) fn reading() -> Vec<Tool> {
    let mut listing = Page::properties();
    listing["kind"] = kind();
    listing["repository"] = json!({"type": "string", "description": "name, as of list_repositories"});
    listing["of"] = json!({"type": "string", "description": "only what belongs to this epic or story, or stands in this sprint"});
    listing["state"] = keys(
        "only these states. task: todo, in_progress, review, done, failed, excluded; others: open, in_sprint, blocked, done, failed; \
         idea: draft, grilled, plan_ready, planned",
    );
    vec![
        Tool::reading(
            "list_items",
            "The backlog in pages: epics, the stories of epics, the tasks of stories, sprints (ordered choices of tasks) and ideas, each with \
             its state, which follows from its jobs.",
            &listing,
            &[],
        ),
        Tool::reading(
            "get_item",
            "One item of the backlog: what it says, its version, its jobs, and what belongs to it.",
            &json!({
                "item": item_argument(),
                "as_plan": {"type": "boolean", "description": "an epic as the document that import_plan takes"},
            }),
            &["item"],
        ),
    ]
}

pub(super) fn moving() -> Vec<Tool> {
    let request = request_argument();
    vec![
        Tool::reading(
            "create_item",
            "Add an item to the backlog. No job is made of it: start_items does that.",
            &json!({
                "kind": kind(),
                "title": {"type": "string", "description": "one line, at most 200 characters"},
                "repository": {"type": "string", "description": "name; that of the parent unless said"},
                "parent": {"type": "string", "description": "key: of a story its epic, of a task its story"},
                "after": keys("keys of tasks that a task waits for"),
                "members": keys("keys of the tasks of a sprint, in order; a story or an epic stands for its tasks"),
                "body": body(),
                "request": request,
            }),
            &["kind", "title"],
        )
        .writing(),
        Tool::reading(
            "update_item",
            "Change an item. What is not named stays; null takes a value away; lists are replaced.",
            &json!({
                "item": item_argument(),
                "version": {"type": "integer", "description": "of the item as you looked at it: refused if somebody has changed it since"},
                "title": {"type": "string"},
                "parent": {"type": ["string", "null"]},
                "place": {"type": "integer", "minimum": 1, "description": "among those that belong to the same"},
                "after": keys("all tasks that this task waits for"),
                "members": keys("all tasks of this sprint, in order"),
                "body": body(),
            }),
            &["item"],
        )
        .writing(),
        Tool::reading(
            "mark_item",
            "Say what no job can know. A task: done, excluded (not to be done); an epic: blocked; both: reopen.",
            &json!({"item": item_argument(), "mark": {"type": "string", "enum": Mark::WORDS}}),
            &["item", "mark"],
        )
        .writing(),
    ]
}

/// What needs the program around us.
pub(super) fn ordering() -> Vec<Tool> {
    let request = request_argument();
    vec![
        Tool::reading(
            "start_items",
            "Make jobs of tasks, for a worker to take: all of them or none. Agents will work, which costs money. Of a story, an epic or a sprint \
             all open tasks are started.",
            &json!({
                "items": keys("keys of tasks, stories, epics or sprints"),
                "agent": {"type": "string", "description": "for tasks that name none"},
                "model": {"type": "string"},
                "effort": {"type": "string"},
                "priority": {"type": "integer", "minimum": -100, "maximum": 100},
                "max_cost": {"type": "string", "description": "US dollars for each job, like 2.50"},
                "request": request,
            }),
            &["items"],
        )
        .writing(),
        Tool::reading(
            "import_plan",
            "Make an epic with its stories and tasks of a plan document (YAML: epic {title, description}, stories [{title, description, \
             acceptance, tasks [{title, id, description, acceptance, plan, after [ids]}]}]). A mistake is answered with its line, and nothing is made.",
            &json!({
                "repository": {"type": "string", "description": "name, as of list_repositories"},
                "plan": {"type": "string"},
                "dry_run": {"type": "boolean", "description": "only look whether it can be imported"},
                "request": request,
            }),
            &["repository", "plan"],
        )
        .writing(),
    ]
}

impl Operator {
    fn reach(&self) -> Reach<'_> {
        Reach { store: &self.store, desk: self.desk.as_deref() }
    }
}

/// An entry of a list: short, because every word of it is paid for.
fn short(view: &ItemView) -> Value {
    json!({
        "key": view.key,
        "kind": view.kind,
        "title": view.title,
        "state": view.state,
        "parent": view.parent,
        "position": view.position,
        "after": view.after,
        "members": view.members,
        "job": view.job,
        "tasks": view.tasks,
    })
}

/// A struct of texts and numbers is always JSON.
fn whole(view: &ItemView) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

pub(super) async fn list(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let own = |name: &str| arguments.text(name).map(|text| text.map(str::to_owned));
    let limit = arguments.number("limit", 1, MOST)?.unwrap_or(USUAL);
    let cursor = arguments
        .text("cursor")?
        .map(|text| Cursor::parse(text).ok_or_else(|| ToolError::bad("that cursor was not given out here")));
    let wanted = Wanted {
        repository: own("repository")?,
        kind: own("kind")?,
        of: own("of")?,
        states: arguments.texts("state")?,
        after: cursor.transpose()?,
        limit: usize::try_from(limit).unwrap_or(1),
    };
    let (items, next) = operator.reach().list(wanted).await?;
    let next = next.map(|next| next.to_string());
    Ok(json!({"items": items.iter().map(short).collect::<Vec<_>>(), "next_cursor": next}))
}

pub(super) async fn get(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let key = arguments.needed("item")?;
    if arguments.flag("as_plan")?.unwrap_or(false) {
        return Ok(operator.reach().export(key).await?);
    }
    let shown = operator.reach().show(key).await?;
    let mut answer = whole(&shown.item);
    answer["runs"] = serde_json::to_value(&shown.runs).unwrap_or_default();
    // Of many parts the list tells the rest.
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    answer["parts"] = shown.parts.iter().take(most).map(short).collect();
    answer["more_parts"] = json!(shown.parts.len() > most);
    Ok(answer)
}

pub(super) async fn create(operator: &Operator, arguments: Arguments) -> Result<Value, ToolError> {
    let (new, named) = arguments.without("request");
    let named = request(text(named)?)?;
    let (item, new) = operator.reach().add(read(new)?, named.as_deref()).await?;
    Ok(json!({"item": whole(&item), "new": new}))
}

pub(super) async fn update(operator: &Operator, arguments: Arguments) -> Result<Value, ToolError> {
    let key = arguments.needed("item")?.to_owned();
    let version = arguments.number("version", 1, i64::MAX)?;
    let (mut said, _) = arguments.without("item");
    said.remove("version");
    let item = operator.reach().change(&key, read(said)?, version).await?;
    Ok(json!({"item": whole(&item)}))
}

pub(super) async fn mark(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let item = operator.reach().mark(arguments.needed("item")?, arguments.needed("mark")?).await?;
    Ok(json!({"item": item.key, "state": item.state}))
}

pub(super) async fn start(operator: &Operator, arguments: Arguments) -> Result<Value, ToolError> {
    let desk =
        operator.desk.clone().ok_or_else(|| ToolError::new("NOT_ALLOWED", "no orders are taken here"))?;
    let items = arguments.texts("items")?;
    let (mut fields, named) = arguments.without("request");
    fields.remove("items");
    let request = request(text(named)?)?;
    let started = desk.start(NewStart { items, fields, request }).await;
    let Started { jobs, left, notes } = started.map_err(Refused::from)?;
    let mut made = Vec::with_capacity(jobs.len());
    for (id, new) in jobs {
        let job = operator.store.job(&id).await.map_err(|error| failed(&error))?;
        let task = job.spec.task.as_ref().map(|order| &order.key);
        made.push(json!({"job": job.key, "task": task, "new": new}));
    }
    Ok(json!({"jobs": made, "left_out": left, "notes": notes}))
}

pub(super) async fn import(operator: &Operator, arguments: Arguments) -> Result<Value, ToolError> {
    let dry_run = arguments.flag("dry_run")?.unwrap_or(false);
    let (mut said, named) = arguments.without("request");
    said.remove("dry_run");
    let named = request(text(named)?)?;
    let view = operator.reach().import(read(said)?, dry_run, named.as_deref()).await?;
    Ok(json!({
        "new": view.new,
        "dry_run": view.dry_run,
        "repository": view.repository,
        "stories": view.stories,
        "tasks": view.tasks,
        "epic": view.epic.as_ref().map(|epic| &epic.key),
    }))
}

fn text(value: Option<Value>) -> Result<Option<String>, ToolError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ToolError::bad("request is text")),
    }
}

fn read<T: serde::de::DeserializeOwned>(said: Map<String, Value>) -> Result<T, ToolError> {
    serde_json::from_value(Value::Object(said)).map_err(|why| ToolError::bad(why.to_string()))
}

impl From<Refused> for ToolError {
    fn from(refused: Refused) -> Self {
        let (what, help) = refused.told();
        let code = match &refused {
            Refused::Missing(error) | Refused::Backlog(error) => match code(error) {
                Ok(code) => code,
                Err(error) => return failed(error),
            },
            Refused::NoRepository { .. } => "NOT_FOUND",
            Refused::Stale { .. } => "CHANGED",
            Refused::Bad { .. } => "REFUSED",
            Refused::Plan(_) => "PLAN_REFUSED",
            Refused::Desk(_) => "ORDER_REFUSED",
        };
        let help = help.map(|help| format!("; help: {help}"));
        Self::new(code, format!("{what}{}", help.unwrap_or_default()))
    }
}

fn code(error: &BacklogError) -> Result<&'static str, &StoreError> {
    Ok(match error {
        BacklogError::NotFound { .. } => "NOT_FOUND",
        BacklogError::Changed { .. } | BacklogError::SettingsChanged => "CHANGED",
        BacklogError::Running { .. } | BacklogError::Store(StoreError::TaskBusy { .. }) => "BUSY",
        BacklogError::Parent { .. }
        | BacklogError::Elsewhere { .. }
        | BacklogError::WrongKind { .. }
        | BacklogError::Circle(_)
        | BacklogError::HasParts { .. }
        | BacklogError::RequestReused { .. }
        | BacklogError::RepositoryInUse { .. }
        | BacklogError::Planned { .. }
        | BacklogError::NoPlan { .. }
        | BacklogError::Invalid(_) => "REFUSED",
        BacklogError::Plan { .. } => "PLAN_REFUSED",
        BacklogError::Store(error) => return Err(error),
    })
}
