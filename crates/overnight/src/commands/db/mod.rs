//! `overnight db`: looking after the database that holds the jobs.

mod migrate;
mod progress;
mod status;
mod transfer;

use crate::app::App;
use crate::cli::db_args::{DbAction, DbArgs};
use crate::error::Outcome;

/// # Errors
/// When a database cannot be opened, or what was asked for cannot be done.
pub async fn run(app: &App, args: &DbArgs) -> Outcome {
    match &args.action {
        DbAction::Status { json } => status::run(app, *json).await,
        DbAction::Migrate { plan } => migrate::run(app, *plan).await,
        DbAction::Copy(args) => transfer::copy(app, args).await,
        DbAction::Backup(args) => transfer::backup(app, args).await,
        DbAction::Restore(args) => transfer::restore(app, args).await,
    }
}
