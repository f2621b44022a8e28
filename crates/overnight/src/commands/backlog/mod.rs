//! `overnight epic|story|task|sprint|idea`: one set of commands for every kind of item.

mod about;
pub mod begin;
mod branch;
mod ground;
pub mod idea;
mod listing;
pub mod plan;
pub mod repo;
mod start;
pub mod view;

use overnight_core::backlog::{Item, ItemKind, Mark, by_family};
use overnight_core::job::ExitCode;
use overnight_core::text::one_line;
use overnight_store::{Backlog, BacklogError, ItemChange, NewItem, Repository, Store};

use self::about::About;
use self::listing::{family, grouped, table};
use self::view::ItemView;
use crate::app::{App, store_error};
use crate::cli::backlog_args::{ItemAction, JsonArgs, MarkName};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, styled};
use crate::render::words::plural;

/// Characters of a title in a list.
const TITLE: usize = 60;

/// # Errors
/// When there is no such item, or what is wanted of it cannot be.
pub async fn run<A: About + clap::Args>(app: &App, action: &ItemAction<A>) -> Outcome {
    match action {
        ItemAction::Add { title, repo, about, output } => {
            add(app, title, repo.as_deref(), about.as_ref(), *output).await
        }
        ItemAction::Ls { repo, of, state, output } => {
            ls(app, A::KIND, repo.as_deref(), of.as_deref(), state, *output).await
        }
        ItemAction::Show { key, output } => {
            let store = store_for(app, key).await?;
            let item = of_kind(&store, key, A::KIND).await?;
            show(app, &store, &item, *output).await
        }
        ItemAction::Edit { key, title, place, about, output } => {
            edit(app, key, title.as_ref(), *place, about.as_ref(), *output).await
        }
        ItemAction::Rm { key, all } => rm(app, key, A::KIND, *all).await,
        ItemAction::Start(args) => Box::pin(start::run(app, args)).await,
        ItemAction::Mark { key, mark } => mark_item(app, key, A::KIND, *mark).await,
    }
}

async fn add<A: About>(app: &App, title: &str, repo: Option<&str>, about: &A, output: JsonArgs) -> Outcome {
    let store = app.store().await?;
    let parent = match about.parent() {
        Some(Some(key)) => Some(find(&store, key).await?),
        Some(None) | None => None,
    };
    let repository = match (repo, &parent) {
        (None, Some(parent)) => parent.repository.clone(),
        (Some(name), _) => ground::named(&store, name).await?.id,
        (None, None) => ground::here(app, &store).await?.id,
    };
    let body = about.body(None)?;
    let new = NewItem { repository, title: title.to_owned(), body, parent: parent.map(|parent| parent.id) };
    let links = about.links(app, &store).await?.into_new();
    let added = store.item_add_linked(&new, &links, None).await.map_err(|error| refused(&error))?;
    let item = added.item;
    told(app, &store, &item, output, "added").await
}

async fn edit<A: About>(
    app: &App,
    key: &str,
    title: Option<&String>,
    place: Option<u32>,
    about: &A,
    output: JsonArgs,
) -> Outcome {
    let store = store_for(app, key).await?;
    let item = of_kind(&store, key, A::KIND).await?;
    let parent = match about.parent() {
        Some(Some(key)) => Some(Some(find(&store, key).await?.id)),
        Some(None) => Some(None),
        None => None,
    };
    let body = about.body(Some(&item.body))?;
    let change = about.links(app, &store).await?.into_change(&item);
    let change = ItemChange {
        title: title.cloned(),
        body: (body != item.body).then_some(body),
        parent,
        place: place.and_then(|place| usize::try_from(place).ok()),
        ..change
    };
    if change == ItemChange::of(&item) {
        let kind = A::KIND;
        return Err(AppError::usage(format!("nothing is to be changed in {}", item.key))
            .help(format!("say what: overnight {kind} edit --help")));
    }
    let item = store.item_change(&change).await.map_err(|error| refused(&error))?;
    told(app, &store, &item, output, "changed").await
}

/// One document, or the key on standard output.
async fn told(app: &App, store: &Store, item: &Item, output: JsonArgs, word: &str) -> Outcome {
    if output.json {
        let backlog = backlog(store, item).await?;
        app.out.json(item.kind().as_str(), &ItemView::all(&backlog).of(item))?;
    } else {
        app.out.data(&format!("{}\n", item.key))?;
        app.out.say(&format!("{word}: {} {}", styled(BOLD, item.key.as_str()), one_line(&item.title, TITLE)));
    }
    Ok(ExitCode::Done)
}

async fn ls(
    app: &App,
    kind: ItemKind,
    repo: Option<&str>,
    of: Option<&str>,
    states: &[String],
    output: JsonArgs,
) -> Outcome {
    let mut rows: Vec<(ItemView, Option<String>)> = Vec::new();
    if let Some(store) = app.store_if_any().await? {
        let within = match of {
            Some(key) => Some(find(&store, key).await?),
            None => None,
        };
        for repository in repositories(&store, repo).await? {
            if within.as_ref().is_some_and(|item| item.repository != repository.id) {
                continue;
            }
            let backlog = store.backlog(&repository.id).await.map_err(|error| store_error(&error))?;
            let views = ItemView::all(&backlog);
            let below = within.as_ref().map(|of| backlog.below(&of.id));
            // The document's order is public; people are shown what belongs together.
            let all = if output.json { backlog.items.iter().collect() } else { by_family(&backlog.items) };
            let wanted = all.into_iter().filter(|item| item.kind() == kind);
            let wanted = wanted.filter(|item| below.as_ref().is_none_or(|below| below.contains(&item.id)));
            rows.extend(wanted.map(|item| (views.of(item), family(&backlog, item))));
        }
        rows.retain(|(row, _)| states.is_empty() || states.iter().any(|state| state == row.state));
    }
    if output.json {
        let rows: Vec<&ItemView> = rows.iter().map(|(row, _)| row).collect();
        app.out.json("items", &rows)?;
    } else if rows.is_empty() {
        app.out.say(&format!("there is no such {kind}; add one: overnight {kind} add TITLE"));
    } else {
        app.out.data(&grouped(&rows))?;
    }
    Ok(ExitCode::Done)
}

async fn repositories(store: &Store, name: Option<&str>) -> Result<Vec<Repository>, AppError> {
    match name {
        Some(name) => Ok(vec![ground::named(store, name).await?]),
        None => store.repositories().await.map_err(|error| store_error(&error)),
    }
}

/// An item on one page, with what belongs to it.
///
/// # Errors
/// When the store fails.
pub async fn show(app: &App, store: &Store, item: &Item, output: JsonArgs) -> Outcome {
    let backlog = backlog(store, item).await?;
    let runs = store.item_runs(&item.id).await.map_err(|error| store_error(&error))?;
    let mut shown = view::ShownItem::of(&backlog, item, &runs);
    if item.kind() == ItemKind::Idea {
        shown.documents = idea::newest_texts(store, &item.id).await?;
    }
    if output.json {
        app.out.json(item.kind().as_str(), &shown)?;
    } else {
        app.out.data(&view::page(&shown, &item.body))?;
        if !shown.parts.is_empty() {
            app.out.data(&format!("\n{}", table(&shown.parts)))?;
        }
    }
    Ok(ExitCode::Done)
}

async fn rm(app: &App, key: &str, kind: ItemKind, all: bool) -> Outcome {
    let store = store_for(app, key).await?;
    let item = of_kind(&store, key, kind).await?;
    let gone = store.item_remove(&item.id, all).await.map_err(|error| refused(&error))?;
    app.out.say(&format!("removed: {}", plural(u64::try_from(gone).unwrap_or(u64::MAX), "item")));
    Ok(ExitCode::Done)
}

async fn mark_item(app: &App, key: &str, kind: ItemKind, name: MarkName) -> Outcome {
    let mark = match name {
        MarkName::Done => Mark::Done,
        MarkName::Excluded => Mark::Excluded,
        MarkName::Blocked => Mark::Blocked,
        MarkName::Reopen => Mark::Reopened,
    };
    let store = store_for(app, key).await?;
    let item = of_kind(&store, key, kind).await?;
    if !mark.fits(kind) {
        let what = format!("{} is one of kind {kind}: it cannot be marked {}", item.key, mark.as_str());
        return Err(AppError::usage(what).help("tasks: done, excluded, reopen; epics: blocked, reopen"));
    }
    store.item_mark(&item.id, mark).await.map_err(|error| refused(&error))?;
    let view = ItemView::all(&backlog(&store, &item).await?).of(&item);
    app.out.say(&format!("{} is {} now", styled(BOLD, item.key.as_str()), view.state));
    Ok(ExitCode::Done)
}

async fn backlog(store: &Store, item: &Item) -> Result<Backlog, AppError> {
    store.backlog(&item.repository).await.map_err(|error| store_error(&error))
}

/// The item that a key names.
///
/// # Errors
/// When there is none.
pub async fn find(store: &Store, key: &str) -> Result<Item, AppError> {
    store.item_find(key).await.map_err(|error| refused(&error))
}

/// The store that the item of this key must be in.
async fn store_for(app: &App, key: &str) -> Result<Store, AppError> {
    let none = || {
        AppError::usage(format!("there is no {:?}: the backlog is empty", one_line(key, 60)))
            .help("add something: overnight task add TITLE; or: overnight import FILE")
    };
    app.store_if_any().await?.ok_or_else(none)
}

async fn of_kind(store: &Store, key: &str, kind: ItemKind) -> Result<Item, AppError> {
    let item = find(store, key).await?;
    if item.kind() == kind {
        return Ok(item);
    }
    let found = item.kind();
    Err(AppError::usage(format!("{} is no {kind}: it is one of kind {found}", item.key))
        .help(format!("overnight {found} show {}", item.key)))
}

/// What a person can do about it.
#[must_use]
pub fn refused(error: &BacklogError) -> AppError {
    let plain = AppError::usage(one_line(&error.to_string(), 400));
    match error {
        BacklogError::NotFound { nearest, .. } if nearest.is_empty() => {
            plain.help("overnight task ls lists tasks; overnight epic ls lists epics")
        }
        BacklogError::NotFound { nearest, .. } => {
            let names: Vec<&str> = nearest.iter().map(|key| key.as_str()).collect();
            plain.help(format!("did you mean {}?", names.join(" or ")))
        }
        BacklogError::Changed { .. } | BacklogError::SettingsChanged => {
            plain.help("look at it again, and say once more what is to be changed")
        }
        BacklogError::Parent { .. } => plain.help("tasks belong to stories, stories belong to epics"),
        BacklogError::Elsewhere { .. } => plain.help(
            "a task that is to be done in another repository: overnight task edit KEY --elsewhere NAME",
        ),
        BacklogError::WrongKind { .. } => plain.help("name one of that kind"),
        BacklogError::Circle(_) => plain.help("take one of them out: overnight task edit KEY --after …"),
        BacklogError::HasParts { key, .. } => {
            plain.help(format!("remove them too with --all, or move them; see them: overnight show {key}"))
        }
        BacklogError::Running { job, .. } => {
            plain.help(format!("wait for it, or end it: overnight cancel {job}"))
        }
        BacklogError::RequestReused { key, .. } => {
            plain.help(format!("see what it made: overnight show {key}; or give this plan a key of its own"))
        }
        BacklogError::Planned { epic, .. } => {
            plain.help(format!("see it: overnight show {epic}; remove it first where it is to be made anew"))
        }
        BacklogError::NoPlan { key, .. } => plain.help(format!(
            "overnight idea show {key} lists what there is; overnight idea plan {key} makes one"
        )),
        BacklogError::Plan { key, why } => {
            plain.help(format!("{}; give a better one: overnight idea edit {key} --plan FILE", why.help))
        }
        BacklogError::RepositoryInUse { .. } => plain.help("remove what it has first, or leave it be"),
        BacklogError::Invalid(_) => plain.help("shorten it, or write it in plain characters"),
        BacklogError::Store(error) => store_error(error),
    }
}
