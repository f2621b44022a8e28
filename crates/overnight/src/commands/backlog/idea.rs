//! `overnight idea grill|plan|review|run|accept|documents`: what is done with ideas beside what can be done with every item.

use overnight_core::backlog::idea::{
    DocumentFact, DocumentOrder, DocumentPart, IdeaState, Outcome, RESULT_MAX, job_title, newest, outcome,
    reviews, state, wish as wished,
};
use overnight_core::backlog::{IdeaBody, Item, ItemBody, ItemKind, plan};
use overnight_core::choose::Layer;
use overnight_core::id::ItemId;
use overnight_core::job::{ExitCode, Queueing};
use overnight_core::text::for_terminal;
use overnight_store::{Document, NewJob, PlanView, Repository, Store};

use super::plan::{check_agents, check_repositories, shown, tell};
use super::start::{Grounded, outside};
use super::view::of_document;
use super::{of_kind, refused, store_for};
use crate::app::{App, store_error};
use crate::cli::backlog_args::{IdeaAbout, IdeaAction, IdeaStartArgs, JsonArgs, PartName, StartArgs};
use crate::cli::run_args::{OrderArgs, VerifyArgs};
use crate::commands::add;
use crate::error::{AppError, Outcome as Done};
use crate::order;
use crate::render::stage::{Mark, line};
use crate::wish::{Errand, ErrandOrder, place_of};

/// What is to be done next with an idea.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Only(DocumentPart),
    /// Everything that is not done yet.
    All,
}

/// # Errors
/// When there is no such idea, or what is wanted of it cannot be.
pub async fn run(app: &App, action: &IdeaAction) -> Done {
    match action {
        IdeaAction::Item(action) => Box::pin(super::run::<IdeaAbout>(app, action)).await,
        IdeaAction::Grill(args) => Box::pin(start(app, Wanted::Only(DocumentPart::Grill), args)).await,
        IdeaAction::Plan(args) => Box::pin(start(app, Wanted::Only(DocumentPart::Plan), args)).await,
        IdeaAction::Review(args) => Box::pin(start(app, Wanted::Only(DocumentPart::Review), args)).await,
        IdeaAction::Run(args) => Box::pin(start(app, Wanted::All, args)).await,
        IdeaAction::Accept { key, revision, output } => accept(app, key, *revision, *output).await,
        IdeaAction::Documents { key, part, revision, output } => {
            documents(app, key, part.map(DocumentPart::from), *revision, *output).await
        }
    }
}

impl From<PartName> for DocumentPart {
    fn from(name: PartName) -> Self {
        match name {
            PartName::Grill => Self::Grill,
            PartName::Plan => Self::Plan,
            PartName::Review => Self::Review,
        }
    }
}

/// An idea with everything that is known of it.
struct Known {
    idea: Item,
    body: IdeaBody,
    facts: Vec<DocumentFact>,
    state: IdeaState,
    repository: Repository,
}

impl Known {
    async fn look(store: &Store, key: &str) -> Result<Self, AppError> {
        let idea = of_kind(store, key, ItemKind::Idea).await?;
        let ItemBody::Idea(body) = idea.body.clone() else {
            return Err(AppError::unexpected(format!("{key} is an idea and has the body of another kind")));
        };
        let facts = store.documents(&idea.id).await.map_err(|error| store_error(&error))?;
        let runs = store.item_runs(&idea.id).await.map_err(|error| store_error(&error))?;
        let state = state(&body, &facts, runs.last());
        let all = store.repositories().await.map_err(|error| store_error(&error))?;
        let repository = all.into_iter().find(|repository| repository.id == idea.repository);
        let repository = repository
            .ok_or_else(|| AppError::unexpected(format!("the repository of {key} is not registered")))?;
        Ok(Self { idea, body, facts, state, repository })
    }

    fn plan(&self) -> Option<&DocumentFact> {
        newest(&self.facts, DocumentPart::Plan)
    }

    /// The part that is begun with.
    fn first(&self, wanted: Wanted) -> Result<DocumentPart, AppError> {
        let key = &self.idea.key;
        if let Some(epic) = &self.body.epic {
            return Err(AppError::usage(format!("{key} became {epic} already"))
                .help(format!("see it: overnight show {epic}; or add another idea")));
        }
        let planned = self.plan().is_some() || self.body.plan.is_some();
        match wanted {
            Wanted::Only(DocumentPart::Review) if !planned => {
                Err(AppError::usage(format!("{key} has no plan that could be reviewed"))
                    .help(format!("make one: overnight idea plan {key}")))
            }
            Wanted::Only(part) => Ok(part),
            Wanted::All if self.state == IdeaState::PlanReviewed => {
                Err(AppError::usage(format!("nothing is left to be done: the plan of {key} is reviewed"))
                    .help(format!("read it: overnight idea show {key}; then: overnight idea accept {key}")))
            }
            Wanted::All if planned => Ok(DocumentPart::Review),
            Wanted::All if newest(&self.facts, DocumentPart::Grill).is_some() => Ok(DocumentPart::Plan),
            Wanted::All => Ok(DocumentPart::Grill),
        }
    }
}

async fn text(store: &Store, idea: &ItemId, part: DocumentPart) -> Result<Option<String>, AppError> {
    let found = store.document(idea, part, None).await.map_err(|error| store_error(&error))?;
    Ok(found.map(|document| document.text))
}

async fn start(app: &App, wanted: Wanted, args: &IdeaStartArgs) -> Done {
    if args.queue.line.is_some() {
        return Err(AppError::usage("--line means nothing here: a document goes on no branch")
            .help("leave --line out"));
    }
    let store = store_for(app, &args.idea).await?;
    let known = Known::look(&store, &args.idea).await?;
    let part = known.first(wanted)?;
    let now = store.now().await.map_err(|error| store_error(&error))?;
    let as_task = as_start(args);
    let grounded = Grounded::look(app, &store, &as_task, &known.repository).await?;
    let plan = text(&store, &known.idea.id, DocumentPart::Plan).await?.or_else(|| known.body.plan.clone());
    let document = DocumentOrder {
        item: known.idea.id.clone(),
        key: known.idea.key.clone(),
        part,
        round: 1,
        rounds: args.rounds.unwrap_or(app.config().review_rounds),
        through: wanted == Wanted::All,
        plan: plan.filter(|_| part == DocumentPart::Review),
    };
    check_length(&document)?;
    let grill = text(&store, &known.idea.id, DocumentPart::Grill).await?;
    let prompt = wished(&known.idea, &known.body, part, grill.as_deref());
    order::check_prompt(&prompt)?;
    let title = job_title(&document, &known.idea.title);
    let errand = Errand { title, layer: Layer::default(), order: ErrandOrder::Document(document) };
    let ordered = grounded.ground.spec_for(app, &grounded.args, prompt, Some(errand))?;
    grounded.ground.missing(&ordered.spec)?;
    let place = place_of(app, &ordered.spec)?;
    let after = outside(&store, &as_task).await?;
    let queueing = Queueing { place, ..add::queueing(&args.queue, now)? };
    let request = args.queue.key.clone();
    let new = NewJob { queueing, after, request, ..NewJob::new(known.repository.id.clone(), ordered.spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| add::refused(&error))?;
    for note in ordered.notes.iter().chain(&grounded.ground.target.notes) {
        app.out.say(&line(Mark::Note, "note", None, &for_terminal(note)));
    }
    add::show(app, &store, &[job], now, args.output.json).await?;
    Ok(ExitCode::Done)
}

/// Arguments as for a task: nothing is checked, because no code comes of it.
fn as_start(args: &IdeaStartArgs) -> StartArgs {
    let verify = VerifyArgs { no_verify: true, ..VerifyArgs::default() };
    StartArgs {
        keys: vec![args.idea.clone()],
        repo: args.repo.clone(),
        order: OrderArgs {
            agent: args.agent.clone(),
            verify,
            limits: args.limits.clone(),
            budget: args.budget.clone(),
        },
        queue: args.queue.clone(),
        output: args.output,
    }
}

fn check_length(document: &DocumentOrder) -> Result<(), AppError> {
    let found = document.plan.as_deref().map_or(0, |plan| plan.chars().count());
    if found <= RESULT_MAX {
        return Ok(());
    }
    let what =
        format!("the plan of {} has {found} characters; at most {RESULT_MAX} are reviewed", document.key);
    Err(AppError::usage(what).help(format!(
        "divide it into several ideas; or take it as it is: overnight idea accept {}",
        document.key
    )))
}

async fn accept(app: &App, key: &str, revision: Option<u32>, output: JsonArgs) -> Done {
    let store = store_for(app, key).await?;
    let known = Known::look(&store, key).await?;
    // A revision never changes: what was looked at here is what is made.
    let revision = revision.or(known.plan().map(|plan| plan.revision));
    let found = store.document(&known.idea.id, DocumentPart::Plan, revision).await;
    let found = found.map_err(|error| store_error(&error))?.map(|document| document.text);
    let text = found.or_else(|| known.body.plan.clone().filter(|_| revision.is_none()));
    let Some(text) = text else {
        let key = known.idea.key.clone();
        return Err(refused(&overnight_store::BacklogError::NoPlan { key, revision }));
    };
    let name = format!("{}, plan {}", known.idea.key, revision.unwrap_or_default());
    let plan = plan::read(&text).map_err(|error| shown(&name, &text, error))?;
    check_agents(app, &plan)?;
    check_repositories(&store, &plan).await?;
    let made = store.idea_accept(&known.idea.id, revision).await.map_err(|error| refused(&error))?;
    let backlog = store.backlog(&known.repository.id).await.map_err(|error| store_error(&error))?;
    let imported = PlanView::of(&plan, &known.repository.name, false).made(&backlog, &made);
    if made.new && !is_reviewed(&known, revision) {
        let note = "this plan did not come out of a review that approved it";
        app.out.say(&line(Mark::Note, "note", None, note));
    }
    tell(app, &plan, &imported, output.json)
}

fn is_reviewed(known: &Known, revision: Option<u32>) -> bool {
    let newest = known.plan().is_some_and(|plan| Some(plan.revision) == revision);
    newest && outcome(&reviews(&known.facts)) == Outcome::Approved
}

async fn documents(
    app: &App,
    key: &str,
    part: Option<DocumentPart>,
    revision: Option<u32>,
    output: JsonArgs,
) -> Done {
    let store = store_for(app, key).await?;
    let known = Known::look(&store, key).await?;
    let Some(part) = part else {
        if output.json {
            app.out.json("documents", &known.facts)?;
        } else if known.facts.is_empty() {
            app.out.say(&format!("nothing was written yet: overnight idea run {}", known.idea.key));
        } else {
            let lines: String = known.facts.iter().map(|fact| format!("{}\n", of_document(fact))).collect();
            app.out.data(&lines)?;
        }
        return Ok(ExitCode::Done);
    };
    let found = store.document(&known.idea.id, part, revision).await.map_err(|error| store_error(&error))?;
    let Some(found) = found else {
        let number = revision.map(|number| format!(" {number}")).unwrap_or_default();
        return Err(AppError::usage(format!("{} has no {part}{number}", known.idea.key))
            .help(format!("overnight idea documents {} lists them", known.idea.key)));
    };
    if output.json {
        app.out.json("document", &found)?;
    } else {
        // As it was written: it may be edited and given back. What rearranges text was refused when it was taken.
        app.out.data(&format!("{}\n", found.text.trim_end()))?;
    }
    Ok(ExitCode::Done)
}

/// The newest document of each part, with its text.
///
/// # Errors
/// When the store fails.
pub(super) async fn newest_texts(store: &Store, idea: &ItemId) -> Result<Vec<Document>, AppError> {
    let mut all = Vec::new();
    for part in DocumentPart::ALL {
        let found = store.document(idea, part, None).await;
        all.extend(found.map_err(|error| store_error(&error))?);
    }
    Ok(all)
}
