//! `overnight import` and `overnight export`: plan documents in and out.

use std::path::Path;

use overnight_core::backlog::plan::{self, DOCUMENT_MAX, Plan, PlanError};
use overnight_core::job::ExitCode;
use overnight_core::text::{for_terminal, one_line};
use overnight_store::{ExportedPlan, PlanView, Store};

use super::{find, ground, refused, table};
use crate::app::{App, store_error};
use crate::cli::backlog_args::{ExportArgs, ImportArgs};
use crate::error::{AppError, Outcome, Place};
use crate::render::words::plural;
use crate::{agents, wish};

/// # Errors
/// When the document is no plan, with the line; nothing was imported then.
pub async fn import(app: &App, args: &ImportArgs) -> Outcome {
    let (name, text) = load(app, &args.file)?;
    let plan = plan::read(&text).map_err(|error| shown(&name, &text, error))?;
    check_agents(app, &plan)?;
    let store = app.store().await?;
    let repository = match &args.repo {
        Some(name) => ground::named(&store, name).await?,
        None => ground::here(app, &store).await?,
    };
    check_repositories(&store, &plan).await?;
    let mut imported = PlanView::of(&plan, &repository.name, args.dry_run);
    if !args.dry_run {
        let made = store.plan_import(&repository.id, &plan, args.key.as_deref()).await;
        let made = made.map_err(|error| refused(&error))?;
        let backlog = store.backlog(&repository.id).await.map_err(|error| store_error(&error))?;
        imported = imported.made(&backlog, &made);
    }
    tell(app, &plan, &imported, args.output.json)
}

pub(super) fn tell(app: &App, plan: &Plan, imported: &PlanView, json: bool) -> Outcome {
    let counted = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let size = format!(
        "{}, {}",
        counted(imported.stories, "story", "stories"),
        counted(imported.tasks, "task", "tasks")
    );
    if json {
        app.out.json("imported", imported)?;
        return Ok(ExitCode::Done);
    }
    match &imported.epic {
        None => {
            let title = one_line(&plan.title, 80);
            app.out.say(&format!("it can be imported into {}: {title} ({size})", imported.repository));
        }
        Some(epic) => {
            app.out.data(&format!("{}\n", epic.key))?;
            let word = if imported.new { "imported" } else { "imported before, and not again" };
            app.out.say(&format!("{word}: {} ({size})", one_line(&epic.title, 80)));
            app.out.say(table(&imported.items).trim_end());
            app.out.say(&format!("start it: overnight epic start {}", epic.key));
        }
    }
    Ok(ExitCode::Done)
}

/// The name of the document for messages, and its text.
fn load(app: &App, file: &Path) -> Result<(String, String), AppError> {
    let (name, text) = if file == Path::new("-") {
        ("standard input".to_owned(), wish::text_of(std::io::stdin().lock(), DOCUMENT_MAX))
    } else {
        let path = app.env.absolute(file);
        let text = std::fs::File::open(&path).and_then(|file| wish::text_of(file, DOCUMENT_MAX));
        (path.display().to_string(), text)
    };
    let text = text.map_err(|error| {
        AppError::usage(format!("the plan in {name} cannot be read"))
            .because(&error)
            .help("a plan is a text file in UTF-8")
    })?;
    if text.len() > DOCUMENT_MAX {
        return Err(AppError::usage(format!("the plan in {name} is longer than {} MiB", DOCUMENT_MAX >> 20))
            .help("divide it into several epics"));
    }
    Ok((name, text))
}

pub(super) fn shown(name: &str, text: &str, error: PlanError) -> AppError {
    let PlanError { line, column, what, help } = error;
    let whole = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let column = column.min(whole.chars().count() + 1);
    // A long line is of no use, and a mark below its end of none either.
    let place = (whole.chars().count() <= 200).then(|| Place {
        file: name.to_owned(),
        line,
        column,
        text: for_terminal(whole),
        length: 1,
        label: String::new(),
    });
    let error = AppError::usage(format!("the plan cannot be used: line {line}: {what}")).help(help);
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

/// Agents are known by the configuration, not by the document.
pub(super) fn check_agents(app: &App, plan: &Plan) -> Result<(), AppError> {
    let names = plan.tasks().filter_map(|task| task.task.settings.agent.as_deref());
    for name in names {
        agents::named(name, &app.config().agent)?;
    }
    Ok(())
}

/// A task never falls back on another repository than the one that it names.
pub(super) async fn check_repositories(store: &Store, plan: &Plan) -> Result<(), AppError> {
    for name in plan.tasks().filter_map(|task| task.task.repository.as_deref()) {
        ground::named(store, name).await?;
    }
    Ok(())
}

/// # Errors
/// When there is no such epic.
pub async fn export(app: &App, args: &ExportArgs) -> Outcome {
    let store = super::store_for(app, &args.epic).await?;
    let epic = find(&store, &args.epic).await?;
    let backlog = store.backlog(&epic.repository).await.map_err(|error| store_error(&error))?;
    let Some(ExportedPlan { text, left }) = backlog.export(&epic) else {
        let what = format!("{} is no epic: it is one of kind {}", epic.key, epic.kind());
        return Err(AppError::usage(what).help("overnight epic ls lists epics"));
    };
    app.out.data(&text)?;
    if left > 0 {
        let count = plural(u64::try_from(left).unwrap_or(u64::MAX), "dependency");
        app.out.say(&format!("{count} on tasks of other epics is not part of the plan"));
    }
    Ok(ExitCode::Done)
}
