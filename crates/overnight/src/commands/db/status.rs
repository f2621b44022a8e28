//! `overnight db status`: what the database is like, without changing it.

use std::collections::BTreeMap;
use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::for_terminal;
use overnight_store::{Database, DatabaseFacts, SCHEMA_VERSION, Schema};
use serde::Serialize;

use crate::app::{App, store_error};
use crate::error::{AppError, Outcome};
use crate::output::{WARN, styled};

use super::migrate::schema_of;

#[derive(Debug, Serialize)]
struct StatusView {
    /// `sqlite` or `postgres`.
    engine: &'static str,
    /// Path, or URL without a password.
    database: String,
    /// 0: nothing is there yet.
    schema: i64,
    schema_supported: i64,
    /// Steps to this version's schema.
    migrations: Vec<&'static str>,
    /// Known once the schema is this version's.
    facts: Option<FactsView>,
}

#[derive(Debug, Serialize)]
struct FactsView {
    server: String,
    bytes: u64,
    log_bytes: Option<u64>,
    rows: BTreeMap<&'static str, u64>,
    settings: BTreeMap<&'static str, String>,
    round_trip_us: u64,
    /// What puts acknowledged jobs in danger.
    warnings: Vec<&'static str>,
}

/// # Errors
/// When the database cannot be reached or is not one of this version's or an older one.
pub(super) async fn run(app: &App, json: bool) -> Outcome {
    let found = schema_of(app.database()).await?;
    let current = found == Schema::Version(SCHEMA_VERSION);
    let facts = if current { facts(app).await? } else { None };
    let view = StatusView {
        engine: match app.database() {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        },
        database: app.database().to_string(),
        schema: match found {
            Schema::Version(version) => version,
            Schema::Empty | Schema::Foreign => 0,
        },
        schema_supported: SCHEMA_VERSION,
        migrations: found.steps(),
        facts,
    };
    if json {
        app.out.json("db-status", &view)?;
    } else {
        app.out.data(&text(&view))?;
    }
    Ok(ExitCode::Done)
}

async fn facts(app: &App) -> Result<Option<FactsView>, AppError> {
    let Some(store) = app.store_if_any().await? else { return Ok(None) };
    let facts = store.facts().await.map_err(|error| store_error(&error))?;
    let warnings = warnings(&facts);
    Ok(Some(FactsView {
        server: facts.engine,
        bytes: facts.bytes,
        log_bytes: facts.log_bytes,
        rows: facts.rows.into_iter().collect(),
        settings: facts.settings.into_iter().collect(),
        round_trip_us: u64::try_from(facts.round_trip.as_micros()).unwrap_or(u64::MAX),
        warnings,
    }))
}

/// Settings under which what was acknowledged can be lost.
fn warnings(facts: &DatabaseFacts) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    for (name, value) in &facts.settings {
        warnings.extend(match (*name, value.as_str()) {
            ("fsync", "off") => Some("fsync is off: a crash of the server's machine can destroy the database"),
            ("synchronous_commit", "off") => {
                Some("synchronous_commit is off: jobs that were acknowledged can be lost when the server crashes")
            }
            ("full_page_writes", "off") => {
                Some("full_page_writes is off: a crash of the server's machine can damage the database")
            }
            ("in_recovery", "on") => Some("this server is a standby: nothing can be written to it"),
            ("journal_mode", mode) if mode != "wal" => {
                Some("the file system has no shared memory for SQLite's log: readers and writers wait for each other")
            }
            _ => None,
        });
    }
    warnings
}

// Writing to a String cannot fail.
fn text(view: &StatusView) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "database    {}", for_terminal(&view.database));
    let steps = match (view.schema, view.migrations.as_slice()) {
        (0, _) => "; nothing is there yet".to_owned(),
        (_, []) => String::new(),
        (_, steps) => format!("; to be brought forward by {} (overnight db migrate)", steps.join(", ")),
    };
    let _ = writeln!(text, "schema      {} of {}{steps}", view.schema, view.schema_supported);
    let Some(facts) = &view.facts else { return text };
    let _ = writeln!(text, "engine      {}", for_terminal(&facts.server));
    let log = facts.log_bytes.map(|log| format!(", and {} of log", size(log)));
    let _ = writeln!(text, "size        {}{}", size(facts.bytes), log.unwrap_or_default());
    let settings: Vec<String> =
        facts.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let _ = writeln!(text, "durability  {}", for_terminal(&settings.join(", ")));
    let micros = facts.round_trip_us;
    let _ = writeln!(text, "round trip  {}.{:02} ms", micros / 1000, micros % 1000 / 10);
    let rows: Vec<String> = facts.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
    let _ = writeln!(text, "rows        {}", rows.join(", "));
    for warning in &facts.warnings {
        let _ = writeln!(text, "{} {warning}", styled(WARN, "!"));
    }
    text
}

fn size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn facts(settings: &[(&'static str, &str)]) -> DatabaseFacts {
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (engine, round_trip) = (String::new(), Duration::ZERO);
        DatabaseFacts { engine, bytes: 0, log_bytes: None, rows: Vec::new(), settings, round_trip }
    }

    #[test]
    fn a_server_that_forgets_is_warned_of_and_a_sound_one_is_not() {
        let sound = [
            ("fsync", "on"),
            ("synchronous_commit", "on"),
            ("full_page_writes", "on"),
            ("in_recovery", "off"),
        ];
        assert!(warnings(&facts(&sound)).is_empty());
        assert!(warnings(&facts(&[("journal_mode", "wal"), ("synchronous", "full")])).is_empty());
        let bad = [
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            ("in_recovery", "on"),
        ];
        assert_eq!(warnings(&facts(&bad)).len(), 4);
        assert_eq!(warnings(&facts(&[("journal_mode", "delete")])).len(), 1);
    }

    #[test]
    fn sizes_are_for_people() {
        let sizes = [0, 1023, 1024, 1536, 5 << 20, (3 << 30) + (1 << 29)].map(size);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.5 GiB"]);
    }
}
