//! `overnight gc`: clears up what no job needs any more, or says what that would be.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::{for_terminal, one_line};
use overnight_engine::sweep::{Item, Report, SweepError, Sweeper, SweeperParts};
use overnight_store::Store;
use serde::Serialize;

use crate::app::{App, store_error};
use crate::cli::gc_args::GcArgs;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, DIM, GOOD, styled};
use crate::render::words::plural;

/// What came of an item, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    Planned,
    Done,
    Failed,
    /// Somebody is using it; the next time.
    Left,
}

/// One line. The field names are public.
#[derive(Debug, Serialize)]
struct Entry {
    kind: &'static str,
    what: String,
    job: Option<String>,
    why: String,
    outcome: Fate,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Document {
    dry_run: bool,
    items: Vec<Entry>,
}

/// # Errors
/// When it cannot be looked at what is there. What could not be removed is exit code 1.
pub async fn run(app: &App, args: &GcArgs) -> Outcome {
    let Some(store) = app.store_if_any().await? else {
        return tell(app, args, Vec::new());
    };
    let sweeper = sweeper(app, store.clone()).await?;
    let now = store.now().await.map_err(|error| store_error(&error))?;
    let plan = sweeper.plan(now).await.map_err(|error| sweep_error(&error))?;
    if args.dry_run {
        let entries = plan.items.iter().map(|item| entry(item, Fate::Planned, None)).collect();
        return tell(app, args, entries);
    }
    let shown = |item: &Item, done: Result<(), &str>| {
        if !args.json {
            let fate = if done.is_ok() { Fate::Done } else { Fate::Failed };
            // A reader that went away does not keep it from clearing up.
            let _ = app.out.data(&line(&entry(item, fate, done.err())));
        }
    };
    let report = sweeper.carry_out(plan, &shown).await.map_err(|error| sweep_error(&error))?;
    tell(app, args, entries(&report))
}

async fn sweeper(app: &App, store: Store) -> Result<Sweeper, AppError> {
    let parts = SweeperParts {
        store,
        dirs: app.dirs.clone(),
        git: app.git().await?,
        host: app.host()?,
        place: app.place()?,
    };
    Ok(Sweeper::new(parts, app.config().retention))
}

fn entries(report: &Report) -> Vec<Entry> {
    let done = report.done.iter().map(|item| entry(item, Fate::Done, None));
    let failed = report.failed.iter().map(|failure| entry(&failure.item, Fate::Failed, Some(&failure.why)));
    let left = report.left.iter().map(|item| entry(item, Fate::Left, None));
    done.chain(failed).chain(left).collect()
}

fn entry(item: &Item, outcome: Fate, error: Option<&str>) -> Entry {
    Entry {
        kind: item.target.kind(),
        what: item.target.to_string(),
        job: item.job.as_ref().map(ToString::to_string),
        why: item.why.clone(),
        outcome,
        error: error.map(str::to_owned),
    }
}

fn tell(app: &App, args: &GcArgs, entries: Vec<Entry>) -> Outcome {
    let count = |fate| entries.iter().filter(|entry| entry.outcome == fate).count() as u64;
    let (planned, done, failed) = (count(Fate::Planned), count(Fate::Done), count(Fate::Failed));
    let summary = match (entries.is_empty(), args.dry_run) {
        (true, _) => "there is nothing to clear up".to_owned(),
        (false, true) => format!("overnight gc would clear up {}", plural(planned, "thing")),
        (false, false) if failed > 0 => format!("cleared up {}; {failed} failed", plural(done, "thing")),
        (false, false) => format!("cleared up {}", plural(done, "thing")),
    };
    if args.json {
        app.out.json("gc", &Document { dry_run: args.dry_run, items: entries })?;
    } else if args.dry_run {
        app.out.data(&entries.iter().map(line).collect::<String>())?;
    }
    app.out.say(&summary);
    Ok(if failed > 0 { ExitCode::Unexpected } else { ExitCode::Done })
}

fn line(entry: &Entry) -> String {
    let kind = format!("{:<13}", entry.kind);
    let kind = match entry.outcome {
        Fate::Planned | Fate::Left => kind,
        Fate::Done => styled(GOOD, &kind),
        Fate::Failed => styled(BAD, &kind),
    };
    let job = entry.job.as_deref().map(|job| format!("{job}: ")).unwrap_or_default();
    let why = styled(DIM, &format!("({})", one_line(&entry.why, 200)));
    let mut text = format!("{kind} {job}{} {why}\n", for_terminal(&entry.what));
    if let Some(error) = &entry.error {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<13} {}", "", one_line(error, 400));
    }
    text
}

fn sweep_error(error: &SweepError) -> AppError {
    match error {
        SweepError::Store(error) => store_error(error),
        SweepError::Busy => AppError::new(ExitCode::Pending, error.to_string())
            .help("a worker clears up from time to time; try again when it is done"),
        SweepError::Look { .. } | SweepError::Mirror(_) | SweepError::TooLong(_) => {
            AppError::unexpected("it could not be looked at what there is to clear up")
                .because(error)
                .help("overnight doctor looks at git and the data directory")
        }
    }
}
