//! `overnight db copy`, `backup` and `restore`: everything that a database holds, carried elsewhere.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::for_terminal;
use overnight_store::{
    BackupError, BackupReport, CopyError, CopyReport, Database, OpenError, SCHEMA_VERSION, Schema, TableCount,
};
use serde::Serialize;

use crate::app::App;
use crate::cli::db_args::{BackupArgs, CopyArgs, RestoreArgs};
use crate::error::{AppError, Outcome};
use crate::output::{DIM, styled};
use crate::render::words::plural;

use super::migrate::schema_of;
use super::progress::Progress;

/// What was carried over.
#[derive(Debug, Serialize)]
struct CopyView {
    from: String,
    to: String,
    /// Of both sides.
    tables: Vec<TableView>,
    /// Rows that this run wrote; the others were there from an earlier one.
    written: u64,
    /// Jobs that were held, and that anybody can claim on the copy.
    freed: u64,
}

/// What a backup holds.
#[derive(Debug, Serialize)]
struct BackupView {
    file: String,
    schema: i64,
    /// It carries hashes from when it was made, and its rows have them.
    sealed: bool,
    tables: Vec<TableView>,
}

#[derive(Debug, Serialize)]
struct TableView {
    table: &'static str,
    rows: u64,
    /// Sum of the SHA-256 of each row, in hexadecimal; `null` for a backup of an older schema.
    hash: Option<String>,
}

impl From<TableCount> for TableView {
    fn from(count: TableCount) -> Self {
        Self { table: count.table, rows: count.rows, hash: count.hash.map(|hash| hash.to_string()) }
    }
}

impl CopyView {
    fn new(from: String, to: &Database, report: CopyReport) -> Self {
        let CopyReport { tables, written, freed } = report;
        let tables = tables.into_iter().map(|sum| TableCount::from(sum).into()).collect();
        Self { from, to: to.to_string(), tables, written, freed }
    }
}

/// # Errors
/// When one of the databases cannot be used, or the copy is not a copy.
pub(super) async fn copy(app: &App, args: &CopyArgs) -> Outcome {
    source_is_there(&args.from).await?;
    let from = app.connect(&args.from).await?;
    let to = app.connect(&args.to).await?;
    let mut progress = Progress::new(app.out);
    let done = overnight_store::copy(&from, &to, args.force, &mut |told| progress.tell(told)).await;
    drop(progress);
    let report = done.map_err(|error| copy_error("the database was not copied", &error))?;
    let view = CopyView::new(args.from.to_string(), &args.to, report);
    tell_copy(app, args.json, "db-copy", &view)?;
    app.out.say("to go on there: --database, OVERNIGHT_DATABASE_URL, or database.url in the configuration");
    Ok(ExitCode::Done)
}

/// A source that is not there would be made, and one of an older schema would be changed: neither is what was asked for.
async fn source_is_there(from: &Database) -> Result<(), AppError> {
    match schema_of(from).await? {
        Schema::Version(SCHEMA_VERSION) => Ok(()),
        Schema::Empty | Schema::Foreign => {
            Err(AppError::usage(format!("there is no database of overnight at {from}"))
                .help("name an existing one: overnight db copy FROM TO"))
        }
        Schema::Version(old) => {
            let what = format!("{from} has schema {old}, and copying needs schema {SCHEMA_VERSION}");
            Err(AppError::usage(what).help("bring it forward first: overnight --database FROM db migrate"))
        }
    }
}

/// # Errors
/// When the database cannot be read, or the file cannot be written.
pub(super) async fn backup(app: &App, args: &BackupArgs) -> Outcome {
    let file = app.env.absolute(&args.file);
    let mut progress = Progress::new(app.out);
    let done = overnight_store::backup(app.database(), &file, &mut |told| progress.tell(told)).await;
    drop(progress);
    let report = done.map_err(|error| backup_error("no backup was written", &error))?;
    tell_backup(app, args.json, &file.display().to_string(), report)
}

/// # Errors
/// When the file is no sound backup, or the database cannot take it.
pub(super) async fn restore(app: &App, args: &RestoreArgs) -> Outcome {
    let file = app.env.absolute(&args.file);
    let shown = file.display().to_string();
    let mut progress = Progress::new(app.out);
    if args.check {
        let done = overnight_store::check_backup(&file, &mut |told| progress.tell(told)).await;
        drop(progress);
        let report = done.map_err(|error| backup_error(&format!("{shown} cannot be restored"), &error))?;
        return tell_backup(app, args.json, &shown, report);
    }
    if !file.exists() {
        return Err(
            AppError::usage(format!("there is no backup at {shown}")).help("look at the name of the file")
        );
    }
    let to = app.store().await?;
    let done = overnight_store::restore(&file, &to, args.force, &mut |told| progress.tell(told)).await;
    drop(progress);
    let report = done.map_err(|error| backup_error(&format!("{shown} was not restored"), &error))?;
    let view = CopyView::new(shown, app.database(), report);
    tell_copy(app, args.json, "db-restore", &view)?;
    Ok(ExitCode::Done)
}

fn tell_copy(app: &App, json: bool, kind: &str, view: &CopyView) -> Result<(), AppError> {
    if json {
        return app.out.json(kind, view);
    }
    let CopyView { from, to, tables, written, freed } = view;
    let mut text = format!("{} → {}\n", for_terminal(from), for_terminal(to));
    text.push_str(&table(tables));
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} on both sides, {written} of them written now", plural(rows, "row"));
    if *freed > 0 {
        let _ = writeln!(text, "{} that somebody held can be claimed there", plural(*freed, "job"));
    }
    app.out.data(&text)
}

fn tell_backup(app: &App, json: bool, file: &str, report: BackupReport) -> Outcome {
    let BackupReport { schema, sealed, tables } = report;
    let tables = tables.into_iter().map(TableView::from).collect();
    let view = BackupView { file: file.to_owned(), schema, sealed, tables };
    if json {
        app.out.json("db-backup", &view)?;
        return Ok(ExitCode::Done);
    }
    let known = match (view.sealed, view.schema < SCHEMA_VERSION) {
        (true, _) => "as it was written",
        (false, true) => "whole; restoring brings it forward",
        (false, false) => "whole; it carries no hashes to compare with",
    };
    let head = format!("{}: schema {}, {known}\n", for_terminal(&view.file), view.schema);
    app.out.data(&(head + &table(&view.tables)))?;
    Ok(ExitCode::Done)
}

fn table(tables: &[TableView]) -> String {
    let mut text = String::new();
    for TableView { table, rows, hash } in tables {
        let hash = hash.as_deref().map(|hash| hash.get(..16).unwrap_or(hash)).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {table:<17} {rows:>9}  {}", styled(DIM, hash));
    }
    text
}

/// What a person asked for that cannot be is wrong usage; everything else is the store's.
fn copy_error(what: &str, error: &CopyError) -> AppError {
    let code = match error {
        CopyError::Same { .. } | CopyError::NotEmpty { .. } => ExitCode::Usage,
        CopyError::InUse { .. }
        | CopyError::Differs { .. }
        | CopyError::SourceChanged { .. }
        | CopyError::Store(_) => ExitCode::Store,
    };
    helped(AppError::new(code, what).because(error), error.hint())
}

fn backup_error(what: &str, error: &BackupError) -> AppError {
    let code = match error {
        BackupError::Copy(error) => return copy_error(what, error),
        BackupError::Exists { .. }
        | BackupError::NoName { .. }
        | BackupError::Open(OpenError::Missing { .. }) => ExitCode::Usage,
        BackupError::Busy { .. }
        | BackupError::File { .. }
        | BackupError::Damaged { .. }
        | BackupError::Unfolded { .. }
        | BackupError::Open(_) => ExitCode::Store,
    };
    helped(AppError::new(code, what).because(error), error.hint())
}

fn helped(error: AppError, hint: Option<&'static str>) -> AppError {
    match hint {
        Some(hint) => error.help(hint),
        None => error,
    }
}
