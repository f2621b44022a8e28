//! `overnight status`: what runs, what waits and for what, what failed, who works, and what to do.

mod facts;
mod page;

use overnight_core::job::ExitCode;

use crate::app::App;
use crate::cli::work_args::StatusArgs;
use crate::error::Outcome;
use facts::Facts;
use overnight_store::Store;
use serde_json::Value;

use crate::commands::as_value;
use crate::error::AppError;

/// How everything stands, as JSON.
///
/// # Errors
/// When the store fails.
pub async fn document(store: &Store) -> Result<Value, AppError> {
    as_value(&Facts::of(store).await?)
}

/// # Errors
/// When the store fails.
pub async fn run(app: &App, args: StatusArgs) -> Outcome {
    let facts = match app.store_if_any().await? {
        Some(store) => Facts::of(&store).await?,
        None => Facts::nothing(),
    };
    if args.json {
        app.out.json("status", &facts)?;
    } else {
        app.out.data(&page::page(&facts))?;
    }
    Ok(if args.check && !facts.healthy { ExitCode::Unexpected } else { ExitCode::Done })
}
