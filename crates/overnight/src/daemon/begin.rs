//! The beginning of a worker: a database server that is not there yet is waited for, as one that goes away later is.

use std::time::Duration;

use overnight_engine::dispatch::Mode;
use overnight_store::{Database, ErrorClass, Store};

use super::signals::{Asked, Signals};
use super::tell::Teller;
use crate::app::{App, Working};
use crate::error::AppError;

/// Between two tries: the first soon, then longer.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// An engine that acts as a new worker; `None`: somebody asked to stop before there was one.
///
/// # Errors
/// When one of its parts cannot be had, and waiting would not help or is not wanted.
pub(super) async fn begin(
    app: &App,
    mode: Mode,
    signals: &mut Signals,
    teller: Teller,
) -> Result<Option<Working>, AppError> {
    let mut pause = FIRST;
    let mut told = false;
    loop {
        let error = match app.working().await {
            Ok(working) => return Ok(Some(working)),
            Err(error) => error,
        };
        if !(stays(mode) && is_away(app.database()).await) {
            return Err(error);
        }
        if !std::mem::replace(&mut told, true) {
            teller.warn(&format!("the database {} does not answer; waiting for it", app.database()));
        }
        tracing::warn!(error = %error.render(), "the database does not answer");
        let waking = tokio::time::Instant::now() + pause;
        if stopped_before(waking, signals).await {
            return Ok(None);
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// A worker that is to stay, and not one that does a piece of work and ends.
fn stays(mode: Mode) -> bool {
    match mode {
        Mode::Forever => true,
        Mode::UntilIdle | Mode::Once { .. } => false,
    }
}

/// Whether a server is out of reach, which passes. A file that cannot be opened does not open itself later.
async fn is_away(database: &Database) -> bool {
    match database {
        Database::Sqlite(_) => false,
        Database::Postgres(_) => match Store::connect(database).await {
            Ok(store) => {
                store.close().await;
                // It came back in between.
                true
            }
            Err(error) => matches!(error.class(), ErrorClass::Io | ErrorClass::Busy),
        },
    }
}

async fn stopped_before(waking: tokio::time::Instant, signals: &mut Signals) -> bool {
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(waking) => return false,
            asked = signals.next() => match asked {
                Asked::Stop(_) => return true,
                // The configuration is read anew with the next start.
                Asked::Reload => {}
            },
        }
    }
}
