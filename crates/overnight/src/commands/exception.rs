//! `overnight exception`: rules of the inspection that do not hold for some files, for a while. Each use stands in the job's events.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::policy::preflight::ExceptionTerms;
use overnight_core::text::{for_terminal, nearest, one_line};
use overnight_store::{ExceptionFilter, NewException, Store};

use crate::app::{App, store_error};
use crate::cli::gate_args::{ExceptionAction, ExceptionArgs};
use crate::error::{AppError, Outcome};
use crate::render::words::moment;

/// # Errors
/// When the store fails, or there is no such repository or exception.
pub async fn run(app: &App, args: &ExceptionArgs) -> Outcome {
    match &args.action {
        ExceptionAction::Add { repository, rule, path, length, message } => {
            let terms = ExceptionTerms::new(*rule, path.clone(), message, *length);
            let terms = terms.map_err(|error| AppError::usage(error.to_string()))?;
            let store = app.store().await?;
            let new = NewException { repository: named(&store, repository).await?, terms, by: app.person() };
            let made = store.exception_add(&new, None).await.map_err(|error| store_error(&error))?;
            let files = made.path.as_deref().unwrap_or("all files");
            app.out.say(&format!(
                "{} does not hold for {} of {repository} until {} ({})",
                made.rule,
                for_terminal(files),
                moment(made.until),
                made.id
            ));
            Ok(ExitCode::Done)
        }
        ExceptionAction::Ls { all, json } => list(app, *all, *json).await,
        ExceptionAction::Rm { id } => {
            let store = app.store().await?;
            if store.exception_end(id).await.map_err(|error| store_error(&error))? == 0 {
                return Err(
                    AppError::usage(format!("no exception {id:?} holds")).help("see: overnight exception ls")
                );
            }
            app.out.say(&format!("{id} is over"));
            Ok(ExitCode::Done)
        }
    }
}

async fn named(store: &Store, name: &str) -> Result<overnight_core::id::RepositoryId, AppError> {
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    if let Some(found) = all.iter().find(|repository| repository.name == name) {
        return Ok(found.id.clone());
    }
    let meant = nearest(name, all.iter().map(|repository| repository.name.as_str()));
    let help = meant.map_or_else(
        || "a repository is known from its first job on".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(AppError::usage(format!("there is no repository {name:?}")).help(help))
}

async fn list(app: &App, all: bool, json: bool) -> Outcome {
    let listed = match app.store_if_any().await? {
        Some(store) => {
            let filter = ExceptionFilter { all, ..ExceptionFilter::default() };
            store.exceptions(&filter).await.map_err(|error| store_error(&error))?
        }
        None => Vec::new(),
    };
    if json {
        app.out.json("exceptions", &listed)?;
        return Ok(ExitCode::Done);
    }
    let mut text = String::new();
    for one in &listed {
        let path = one.path.as_deref().unwrap_or("all files");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {}  {}  {}  until {}  {}: {}",
            one.id,
            for_terminal(&one.repository),
            for_terminal(&one.rule),
            for_terminal(path),
            moment(one.until),
            one_line(&one.by, 60),
            one_line(&one.message, 200)
        );
    }
    app.out.data(&text)?;
    Ok(ExitCode::Done)
}
