//! From the text of a plan document to a [`Plan`]. The first thing that cannot be used is the answer, with its line.

use std::collections::{BTreeMap, BTreeSet};

use super::super::item::{EpicBody, InvalidItem, ItemBody, StoryBody, TaskBody};
use super::super::order::{Circle, in_order};
use super::super::settings::TaskSettings;
use super::super::words;
use super::tree::{At, Field, Node, Value, parse, parts};
use super::{Plan, PlanError, PlannedStory, PlannedTask, STORIES_MAX, TASKS_MAX};
use crate::agent::Effort;
use crate::policy::alignment::VerifyRequired;
use crate::text::{nearest, one_line};
use crate::units::{MicroDollars, duration};

const TOP: &[&str] = &["epic", "stories"];
const EPIC: &[&str] = &["title", "description", "cascade"];
const STORY: &[&str] = &["title", "description", "acceptance", "tasks"];
const TASK: &[&str] = &[
    "id",
    "title",
    "description",
    "acceptance",
    "plan",
    "after",
    "verify_required",
    "verify_only",
    "repository",
    "agent",
    "model",
    "effort",
    "attempts",
    "max_cost",
    "max_tokens",
    "max_turns",
    "max_time",
];

/// What an agent does not decide: who works, what that may cost, where, and what a failure takes with it.
const EPIC_FROM_AGENT: &[&str] = &["title", "description"];
const TASK_FROM_AGENT: &[&str] =
    &["id", "title", "description", "acceptance", "plan", "after", "verify_required", "verify_only"];

/// Which fields a document may have.
#[derive(Debug, Clone, Copy)]
struct May {
    epic: &'static [&'static str],
    task: &'static [&'static str],
}

/// Reads a plan document.
///
/// # Errors
/// The first mistake, with its line and what to do.
pub fn read(text: &str) -> Result<Plan, PlanError> {
    read_with(text, May { epic: EPIC, task: TASK })
}

/// Reads a plan document that an agent wrote: one that has something to do, and says nothing about agents, limits, other repositories
/// and the fail-cascade.
///
/// # Errors
/// As [`read`].
pub fn read_from_agent(text: &str) -> Result<Plan, PlanError> {
    let plan = read_with(text, May { epic: EPIC_FROM_AGENT, task: TASK_FROM_AGENT })?;
    if plan.tasks().next().is_none() {
        let what = "the plan has no task";
        return Err(At { line: 1, column: 1 }.error(what, "give it `stories:`, each with `tasks:`"));
    }
    Ok(plan)
}

fn read_with(text: &str, may: May) -> Result<Plan, PlanError> {
    let parts = parts(text)?;
    let root = parse(&parts.yaml, parts.before)?;
    let mut top = Fields::of(root, "a plan", TOP)?;
    let at = top.at;
    let (title, mut epic) = match top.take("epic") {
        Some(node) => epic(node, may)?,
        None => return Err(at.error("the plan has no epic", "begin with `epic:` and below it `title: …`")),
    };
    markdown(&mut epic, parts.markdown, parts.markdown_line)?;
    let mut names = Names::default();
    let mut stories = Vec::new();
    for node in top.list("stories")? {
        if stories.len() == STORIES_MAX {
            let what = format!("the plan has more than {STORIES_MAX} stories");
            return Err(node.at.error(what, "divide it into several epics"));
        }
        stories.push(story(node, &mut names, may)?);
    }
    let mut plan = Plan { title, epic, stories };
    names.resolve(&mut plan)?;
    Ok(plan)
}

/// Text behind the front matter is what there is to say about the epic.
fn markdown(epic: &mut EpicBody, markdown: &str, line: usize) -> Result<(), PlanError> {
    if markdown.trim().is_empty() {
        return Ok(());
    }
    let skipped = markdown.lines().take_while(|line| line.trim().is_empty()).count();
    let at = At { line: line + skipped, column: 1 };
    if !epic.description.is_empty() {
        let what = "the epic has a description, and there is text behind the front matter as well";
        return Err(at.error(what, "keep one of the two: the text is taken for the description"));
    }
    let text = words::text("text behind the front matter", markdown, words::TEXT_MAX);
    epic.description =
        text.map_err(|why| at.error(why.to_string(), "shorten it, or write it in plain characters"))?;
    Ok(())
}

fn epic(node: Node, may: May) -> Result<(String, EpicBody), PlanError> {
    let mut fields = Fields::of(node, "an epic", may.epic)?;
    let title = fields.title("epic")?;
    let body = EpicBody { description: fields.text("description")?, cascade: fields.flag("cascade")? };
    match fields.checked(ItemBody::Epic(body))? {
        ItemBody::Epic(body) => Ok((title, body)),
        ItemBody::Story(_) | ItemBody::Task(_) | ItemBody::Sprint(_) | ItemBody::Idea(_) => Err(fields.odd()),
    }
}

fn story(node: Node, names: &mut Names, may: May) -> Result<PlannedStory, PlanError> {
    let mut fields = Fields::of(node, "a story", STORY)?;
    let title = fields.title("story")?;
    let body =
        StoryBody { description: fields.text("description")?, acceptance: fields.lines("acceptance")? };
    let mut tasks = Vec::new();
    for node in fields.list("tasks")? {
        tasks.push(task(node, names, may)?);
    }
    match fields.checked(ItemBody::Story(body))? {
        ItemBody::Story(story) => Ok(PlannedStory { title, story, tasks }),
        ItemBody::Epic(_) | ItemBody::Task(_) | ItemBody::Sprint(_) | ItemBody::Idea(_) => Err(fields.odd()),
    }
}

fn task(node: Node, names: &mut Names, may: May) -> Result<PlannedTask, PlanError> {
    let mut fields = Fields::of(node, "a task", may.task)?;
    let title = fields.title("task")?;
    names.add(&mut fields)?;
    let plan = fields.text("plan")?;
    let body = TaskBody {
        description: fields.text("description")?,
        acceptance: fields.lines("acceptance")?,
        plan: Some(plan).filter(|plan| !plan.trim().is_empty()),
        verify_required: fields.verify_required()?,
        verify_only: fields.flag("verify_only")?.unwrap_or(false),
        settings: settings(&mut fields)?,
        repository: fields.word("repository")?,
    };
    match fields.checked(ItemBody::Task(Box::new(body)))? {
        ItemBody::Task(task) => Ok(PlannedTask { title, task: *task, after: Vec::new() }),
        ItemBody::Epic(_) | ItemBody::Story(_) | ItemBody::Sprint(_) | ItemBody::Idea(_) => Err(fields.odd()),
    }
}

fn settings(fields: &mut Fields) -> Result<TaskSettings, PlanError> {
    let whole = "write a whole number above zero";
    let millis = |text: &str| duration(text).and_then(|span| u64::try_from(span.as_millis()).ok());
    let above = |text: &str| text.parse::<u64>().ok().filter(|number| (1..1 << 62).contains(number));
    let small = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    let effort = |text: &str| Effort::ALL.into_iter().find(|effort| effort.as_str() == text);
    Ok(TaskSettings {
        agent: fields.word("agent")?,
        model: fields.word("model")?,
        effort: fields.parsed("effort", effort, "write low, medium, high, xhigh or max")?,
        attempts: fields.parsed("attempts", small, whole)?,
        cost: fields.parsed("max_cost", MicroDollars::parse, "write US dollars, like 2.50")?,
        tokens: fields.parsed("max_tokens", above, whole)?,
        turns: fields.parsed("max_turns", small, whole)?,
        time_ms: fields.parsed("max_time", millis, "write a time like 30m or 2h")?,
    })
}

/// The names of tasks within the document, and who waits for whom.
#[derive(Default)]
struct Names {
    tasks: usize,
    places: BTreeMap<String, usize>,
    waits: Vec<(usize, Vec<(At, String)>)>,
}

impl Names {
    fn add(&mut self, fields: &mut Fields) -> Result<(), PlanError> {
        let (at, place) = (fields.at, self.tasks);
        if place == TASKS_MAX {
            return Err(
                at.error(format!("the plan has more than {TASKS_MAX} tasks"), "divide it into several epics")
            );
        }
        self.tasks += 1;
        if let Some(name) = fields.word("id")?
            && self.places.insert(name.clone(), place).is_some()
        {
            let what = format!("{:?} is the id of an earlier task as well", one_line(&name, 60));
            return Err(at.error(what, "give each task an id of its own, or none"));
        }
        let waits = fields.texts("after")?;
        if !waits.is_empty() {
            self.waits.push((place, waits));
        }
        Ok(())
    }

    /// Puts places for names; a task may wait for one that stands later.
    fn resolve(&self, plan: &mut Plan) -> Result<(), PlanError> {
        let mut all: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (place, waits) in &self.waits {
            for (at, name) in waits {
                let found = self.places.get(name).ok_or_else(|| self.unknown(*at, name))?;
                all.entry(*place).or_default().insert(*found);
            }
        }
        let nodes: Vec<usize> = (0..self.tasks).collect();
        if let Err(Circle(circle)) = in_order(&nodes, &all) {
            return Err(self.circle(&circle));
        }
        for (place, task) in plan.stories.iter_mut().flat_map(|story| &mut story.tasks).enumerate() {
            task.after = all.remove(&place).into_iter().flatten().collect();
        }
        Ok(())
    }

    fn unknown(&self, at: At, name: &str) -> PlanError {
        let what = format!("no task of this plan has the id {:?}", one_line(name, 60));
        let help = match nearest(name, self.places.keys().map(String::as_str)) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "give the task that is waited for an `id:`".to_owned(),
        };
        at.error(what, help)
    }

    fn circle(&self, circle: &[usize]) -> PlanError {
        let name = |place: &usize| {
            let found = self.places.iter().find(|(_, at)| *at == place);
            found.map_or_else(|| "?".to_owned(), |(name, _)| one_line(name, 60))
        };
        let names: Vec<String> = circle.iter().chain(circle.first()).map(name).collect();
        let waits = circle.first().and_then(|first| self.waits.iter().find(|(place, _)| place == first));
        let at = waits.and_then(|(_, waits)| waits.first()).map_or(At { line: 1, column: 1 }, |(at, _)| *at);
        let what = format!("tasks wait for each other in a circle: {}", names.join(" after "));
        at.error(what, "take one of them out of an `after`")
    }
}

/// The fields of a mapping, each taken once.
pub(in crate::backlog) struct Fields {
    pub(in crate::backlog) at: At,
    fields: Vec<(Field, Node)>,
    /// Where fields stood.
    places: BTreeMap<&'static str, At>,
}

impl Fields {
    pub(in crate::backlog) fn of(node: Node, what: &str, known: &[&'static str]) -> Result<Self, PlanError> {
        let Node { at, value } = node;
        let Value::Map(fields) = value else {
            let found = value.word();
            return Err(at.error(
                format!("{what} was expected here, and {found} was found"),
                format!("write its fields: {}", known.join(", ")),
            ));
        };
        let mut places = BTreeMap::new();
        for (field, node) in &fields {
            let Some(name) = known.iter().find(|name| **name == field.name) else {
                let shown = one_line(&field.name, 60);
                let help = match nearest(&field.name, known.iter().copied()) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => format!("it has these: {}", known.join(", ")),
                };
                return Err(field.at.error(format!("{what} has no field {shown:?}"), help));
            };
            places.insert(*name, node.at);
        }
        Ok(Self { at, fields, places })
    }

    pub(in crate::backlog) fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.fields.iter().position(|(field, _)| field.name == name)?;
        let (_, node) = self.fields.swap_remove(at);
        Some(node).filter(|node| !matches!(node.value, Value::Nothing))
    }

    fn title(&mut self, of: &str) -> Result<String, PlanError> {
        let at = self.at;
        let Some(node) = self.take("title") else {
            return Err(at.error(format!("this {of} has no title"), "write `title: …`"));
        };
        let at = node.at;
        let text = one_text("title", node)?;
        words::title(&text).map_err(|why| {
            at.error(why.to_string(), "a title is one short line; the rest belongs into `description`")
        })
    }

    pub(in crate::backlog) fn text(&mut self, name: &str) -> Result<String, PlanError> {
        self.take(name).map_or_else(|| Ok(String::new()), |node| one_text(name, node))
    }

    pub(in crate::backlog) fn word(&mut self, name: &'static str) -> Result<Option<String>, PlanError> {
        let Some(node) = self.take(name) else { return Ok(None) };
        let at = node.at;
        let text = one_text(name, node)?;
        let line = words::line(name, &text, words::LINE_MAX);
        line.map(Some).map_err(|why| at.error(why.to_string(), "write one word or line"))
    }

    fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        help: &str,
    ) -> Result<Option<T>, PlanError> {
        let Some(at) = self.places.get(name).copied() else { return Ok(None) };
        let Some(text) = self.word(name)? else { return Ok(None) };
        let wrong = || at.error(format!("{:?} is no {name}", one_line(&text, 60)), help);
        parse(&text).map(Some).ok_or_else(wrong)
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>, PlanError> {
        let Some(node) = self.take(name) else { return Ok(None) };
        match &node.value {
            Value::Text { text, plain: true } if text == "true" => Ok(Some(true)),
            Value::Text { text, plain: true } if text == "false" => Ok(Some(false)),
            Value::Text { .. } | Value::List(_) | Value::Map(_) | Value::Nothing => Err(node.at.error(
                format!("{name} is neither true nor false"),
                "write `true` or `false`, without quotes",
            )),
        }
    }

    fn verify_required(&mut self) -> Result<VerifyRequired, PlanError> {
        let parse = |text: &str| match text {
            "aligned" => Some(VerifyRequired::Aligned),
            "aligned_or_partial" => Some(VerifyRequired::AlignedOrPartial),
            "any" => Some(VerifyRequired::Any),
            _ => None,
        };
        Ok(self
            .parsed("verify_required", parse, "write aligned, aligned_or_partial or any")?
            .unwrap_or_default())
    }

    pub(in crate::backlog) fn list(&mut self, name: &str) -> Result<Vec<Node>, PlanError> {
        let Some(node) = self.take(name) else { return Ok(Vec::new()) };
        match node.value {
            Value::List(nodes) => Ok(nodes),
            Value::Text { .. } | Value::Map(_) | Value::Nothing => {
                let found = node.value.word();
                Err(node.at.error(
                    format!("{name} is a list, and {found} was found"),
                    "write each entry on a line of its own behind `- `",
                ))
            }
        }
    }

    /// A list of texts, or a single one.
    fn texts(&mut self, name: &str) -> Result<Vec<(At, String)>, PlanError> {
        let nodes = match self.take(name) {
            None => Vec::new(),
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(node) => vec![node],
        };
        nodes.into_iter().map(|node| Ok((node.at, one_text(name, node)?))).collect()
    }

    fn lines(&mut self, name: &str) -> Result<Vec<String>, PlanError> {
        Ok(self.texts(name)?.into_iter().map(|(_, text)| text).collect())
    }

    fn checked(&self, body: ItemBody) -> Result<ItemBody, PlanError> {
        body.checked().map_err(|why| {
            let field = match &why {
                InvalidItem::Text(
                    words::InvalidText::Empty { what }
                    | words::InvalidText::TooLong { what, .. }
                    | words::InvalidText::TooMany { what, .. }
                    | words::InvalidText::Hidden { what, .. }
                    | words::InvalidText::Lines { what },
                ) => what,
                InvalidItem::IdeaPlan { .. } => "plan",
            };
            let at = self.places.get(field).copied().unwrap_or(self.at);
            at.error(why.to_string(), "shorten it, or write it in plain characters")
        })
    }

    fn odd(&self) -> PlanError {
        self.at
            .error("this is of another kind than expected", "please report this: it is a fault of overnight")
    }
}

fn one_text(name: &str, node: Node) -> Result<String, PlanError> {
    match node.value {
        Value::Text { text, .. } => Ok(text),
        Value::List(_) | Value::Map(_) | Value::Nothing => {
            let found = node.value.word();
            let help = "put a text that holds `: ` into quotes, or write it below `|`";
            Err(node.at.error(format!("{name} is a text, and {found} was found"), help))
        }
    }
}
