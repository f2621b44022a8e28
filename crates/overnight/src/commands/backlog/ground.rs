//! Which registered repository is meant.

use std::path::Path;

use overnight_core::text::{nearest, one_line};
use overnight_store::{NewRepository, Repository, Store};

use crate::app::{App, store_error};
use crate::error::AppError;
use crate::repository;

/// The repository of this name.
///
/// # Errors
/// When there is none.
pub(super) async fn named(store: &Store, name: &str) -> Result<Repository, AppError> {
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    if let Some(found) = all.iter().find(|repository| repository.name == name) {
        return Ok(found.clone());
    }
    let names = || all.iter().map(|repository| repository.name.as_str());
    let error = AppError::usage(format!("there is no repository {:?}", one_line(name, 60)));
    Err(match nearest(name, names()) {
        Some(nearest) => error.help(format!("did you mean {nearest}?")),
        None => error.help("overnight repo ls lists those there are; overnight repo add registers one"),
    })
}

/// The repository of this directory: as it is registered, by its place or by one of its remotes, or now by its place.
///
/// # Errors
/// When this is no repository.
pub(super) async fn here(app: &App, store: &Store) -> Result<Repository, AppError> {
    let git = app.git().await?;
    let source = repository::look(app, &git, Path::new(".")).await.map_err(|error| AppError {
        help: Some("name a registered one with --repo, or go to a repository".to_owned()),
        ..error
    })?;
    let new = repository::registration(&source)?;
    let known = store.repositories().await.map_err(|error| store_error(&error))?;
    let urls = repository::remotes(&source);
    let found = known.iter().find(|repository| repository.remote == new.remote);
    let found = found.or_else(|| known.iter().find(|repository| urls.contains(&repository.remote)));
    match found {
        Some(found) => Ok(found.clone()),
        None => ensured(store, &new).await,
    }
}

/// # Errors
/// When the store fails.
pub(super) async fn ensured(store: &Store, new: &NewRepository) -> Result<Repository, AppError> {
    store.repository_ensure(new).await.map_err(|error| store_error(&error))
}
