//! `overnight exception`: rules of the inspection that do not hold for some files, for a while. Each use stands in the job's events.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::{for_terminal, nearest, one_line};
use overnight_core::units::Timestamp;
use overnight_store::{ListedException, NewException, Store};
use serde::Serialize;

use crate::app::{App, store_error};
use crate::cli::gate_args::{ExceptionAction, ExceptionArgs};
use crate::error::{AppError, Outcome};
use crate::render::words::moment;

#[derive(Debug, Serialize)]
struct ExceptionView<'a> {
    id: &'a str,
    repository: &'a str,
    rule: &'a str,
    path: Option<&'a str>,
    message: &'a str,
    by: &'a str,
    made_at_ms: Timestamp,
    until_ms: Timestamp,
}

/// # Errors
/// When the store fails, or there is no such repository or exception.
pub async fn run(app: &App, args: &ExceptionArgs) -> Outcome {
    match &args.action {
        ExceptionAction::Add { repository, rule, path, length, message } => {
            if message.trim().is_empty() {
                return Err(AppError::usage("the message is empty").help("say why the rule does not hold"));
            }
            let store = app.store().await?;
            let found = named(&store, repository).await?;
            let new = NewException {
                repository: found,
                rule: *rule,
                path: path.clone(),
                message: message.trim().to_owned(),
                by: app.person(),
                length: *length,
            };
            let id = store.exception_add(&new).await.map_err(|error| store_error(&error))?;
            let until = store.now().await.map_err(|error| store_error(&error))?.plus(*length);
            let files = path.as_ref().map_or_else(|| "all files".to_owned(), |path| path.to_string());
            app.out.say(&format!(
                "{} does not hold for {files} of {repository} until {} ({id})",
                rule.code(),
                moment(until)
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
        Some(store) => store.exceptions(all).await.map_err(|error| store_error(&error))?,
        None => Vec::new(),
    };
    if json {
        let views: Vec<ExceptionView<'_>> = listed.iter().map(view).collect();
        app.out.json("exceptions", &views)?;
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

fn view(one: &ListedException) -> ExceptionView<'_> {
    ExceptionView {
        id: &one.id,
        repository: &one.repository,
        rule: &one.rule,
        path: one.path.as_deref(),
        message: &one.message,
        by: &one.by,
        made_at_ms: one.made_at,
        until_ms: one.until,
    }
}
