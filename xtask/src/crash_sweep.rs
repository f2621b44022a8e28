//! `cargo xtask crash-sweep`: kills a worker hundreds of times, at every place that matters, and looks whether every job
//! ends as if nothing had happened.
//!
//! Owns the command line and nothing of the sweep: that is a part of the integration tests of `overnight`, which run a short
//! version of it every time. This command runs them with other numbers.

use crate::{tools, workspace};
use std::process::{Command, ExitCode};

/// The line shown by `cargo xtask --help`.
pub const HELP: &str =
    "kill workers everywhere and check that no job notices: --kills N, --database, --seed, --case";

const USAGE: &str = "\
Usage: cargo xtask crash-sweep [--kills NUMBER] [--database sqlite|postgres|both] [--seed NUMBER] [--case TEXT]

  --kills     kills over all databases [default: 600]
  --database  where the queue is [default: both]
  --seed      another one strikes at other places [default: 1]
  --case      only this case, as a violation prints it; needs --database sqlite or postgres

The last lines are the figures. Ends with 1 when something did not hold.";

/// Where the tests of the sweep are, by the database that they use.
const TESTS: &str = "faults::sweep::killed_anywhere";

#[derive(Debug, PartialEq, Eq)]
struct Sweep {
    kills: u32,
    seed: u64,
    /// `None`: both.
    database: Option<Database>,
    case: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
}

/// Runs the sweep. The exit code says whether everything held.
pub fn run(arguments: &[String]) -> Result<ExitCode, String> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(sweep) = parse(arguments) else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    tools::install_missing()?;
    let status = command(&sweep).status().map_err(|error| format!("failed to start cargo: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `None` for arguments that are not understood.
fn parse(arguments: &[String]) -> Option<Sweep> {
    let mut sweep = Sweep { kills: 600, seed: 1, database: None, case: None };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next()?;
        match name.as_str() {
            "--kills" => sweep.kills = value.parse().ok().filter(|kills| *kills > 0)?,
            "--seed" => sweep.seed = value.parse().ok()?,
            "--database" => {
                sweep.database = match value.as_str() {
                    "sqlite" => Some(Database::Sqlite),
                    "postgres" => Some(Database::Postgres),
                    "both" => None,
                    _ => return None,
                };
            }
            "--case" => sweep.case = Some(value.clone()),
            _ => return None,
        }
    }
    (sweep.case.is_none() || sweep.database.is_some()).then_some(sweep)
}

/// Two cases run at a time: one on each database, or two on the one.
fn command(sweep: &Sweep) -> Command {
    let (tests, databases) = match sweep.database {
        Some(Database::Sqlite) => (format!("{TESTS}_jobs_end_as_if_nothing_had_happened_on_sqlite"), 1),
        Some(Database::Postgres) => (format!("{TESTS}_jobs_end_as_if_nothing_had_happened_on_postgres"), 1),
        None => (TESTS.to_owned(), 2),
    };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command.args(["test", "--package", "overnight", "--test", "it", "--", &tests, "--nocapture"]);
    command.args(["--test-threads", "2"]);
    command.env("OVERNIGHT_SWEEP_KILLS", sweep.kills.div_ceil(databases).to_string());
    command.env("OVERNIGHT_SWEEP_SEED", sweep.seed.to_string());
    command.env("OVERNIGHT_SWEEP_THREADS", (2 / databases).to_string());
    if let Some(case) = &sweep.case {
        command.env("OVERNIGHT_SWEEP_CASE", case);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Sweep> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        let usual = Sweep { kills: 600, seed: 1, database: None, case: None };
        assert_eq!(parsed(""), Some(usual));
        let asked = parsed("--kills 7 --seed 9 --database sqlite").unwrap();
        assert_eq!((asked.kills, asked.seed, asked.database), (7, 9, Some(Database::Sqlite)));
        for line in ["--kills", "--kills 0", "--database mysql", "--speed 9", "--case x"] {
            assert_eq!(parsed(line), None, "{line}");
        }
        assert!(parsed("--case x --database postgres").is_some());
    }

    /// The names of tests are an interface here.
    #[test]
    fn the_tests_that_are_run_are_there() {
        let source = workspace::root().join("crates/overnight/tests/it/faults/sweep.rs");
        let source = std::fs::read_to_string(source).unwrap();
        let test = TESTS.rsplit("::").next().unwrap();
        for database in ["sqlite", "postgres"] {
            let name = format!("fn {test}_jobs_end_as_if_nothing_had_happened_on_{database}()");
            assert!(source.contains(&name), "{name}");
        }
    }
}
