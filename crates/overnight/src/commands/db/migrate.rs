//! `overnight db migrate`: the way to this version's schema, planned or taken.

use overnight_core::job::ExitCode;
use overnight_core::text::for_terminal;
use overnight_store::{Database, OpenError, SCHEMA_VERSION, Schema, Store};

use crate::app::{App, open_error};
use crate::error::{AppError, Outcome};

/// # Errors
/// When the database cannot be opened, or its schema is newer than this version's.
pub(super) async fn run(app: &App, plan: bool) -> Outcome {
    let found = schema_of(app.database()).await?;
    let steps = found.steps();
    let place = for_terminal(&app.database().to_string());
    let text = match (found, steps.len()) {
        (Schema::Version(_), 0) => format!("{place} has schema {SCHEMA_VERSION}: nothing is to be done\n"),
        (Schema::Empty | Schema::Foreign | Schema::Version(_), _) => {
            let first = SCHEMA_VERSION - i64::try_from(steps.len()).unwrap_or(0) + 1;
            let will = if plan { "would be" } else { "was" };
            let named = (first..).zip(&steps).map(|(number, name)| format!("  {number}  {name}\n"));
            format!("{place} {will} brought to schema {SCHEMA_VERSION}:\n{}", named.collect::<String>())
        }
    };
    if !plan {
        app.store().await?;
    }
    app.out.data(&text)?;
    Ok(ExitCode::Done)
}

/// What the database holds; a file that is not there is an empty one.
pub(super) async fn schema_of(database: &Database) -> Result<Schema, AppError> {
    let place = || database.to_string();
    match Store::schema_of(database).await {
        Err(OpenError::Missing { .. }) => Ok(Schema::Empty),
        Err(error) => Err(open_error(&error)),
        Ok(Schema::Foreign) => Err(open_error(&OpenError::Foreign { place: place() })),
        Ok(Schema::Version(found)) if found > SCHEMA_VERSION => {
            Err(open_error(&OpenError::Newer { place: place(), found, supported: SCHEMA_VERSION }))
        }
        Ok(found @ (Schema::Empty | Schema::Version(_))) => Ok(found),
    }
}
