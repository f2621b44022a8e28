//! `overnight worker`: the workers of this queue, and telling them to end.

pub mod view;

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::for_terminal;
use overnight_core::units::Timestamp;
use overnight_store::Store;
use serde_json::Value;

use crate::app::{App, store_error};
use crate::cli::work_args::{DrainArgs, WorkerAction, WorkerArgs};
use crate::commands::as_value;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, DIM, GOOD, WARN, styled};
use crate::render::words;
use view::{Presence, WorkerView};

/// # Errors
/// When no worker is meant, or the store fails.
pub async fn run(app: &App, args: &WorkerArgs) -> Outcome {
    match &args.action {
        WorkerAction::Ls { all, json } => ls(app, *all, *json).await,
        WorkerAction::Drain(args) => drain(app, args).await,
    }
}

async fn ls(app: &App, all: bool, json: bool) -> Outcome {
    let (mut workers, now) = match app.store_if_any().await? {
        Some(store) => view::all(&store).await?,
        None => (Vec::new(), Timestamp(0)),
    };
    workers.retain(|worker| all || !worker.is_history());
    if json {
        app.out.json("workers", &workers)?;
    } else if workers.is_empty() {
        app.out.say("no worker is there; start one: overnight work");
    } else {
        app.out.data(&table(&workers, now))?;
    }
    Ok(ExitCode::Done)
}

/// The workers, as JSON.
///
/// # Errors
/// When the store fails.
pub async fn document(store: &Store, all: bool) -> Result<Value, AppError> {
    let (mut workers, _) = view::all(store).await?;
    workers.retain(|worker| all || !worker.is_history());
    as_value(&workers)
}

/// One line for each worker.
#[must_use]
pub fn table(workers: &[WorkerView], now: Timestamp) -> String {
    let ids = workers.iter().map(|worker| worker.id.as_str().len()).max().unwrap_or(0).max(6);
    let head =
        format!("{:<ids$}  {:<13}  {:>7}  {:>8}  {:<9} PLACE", "WORKER", "STATUS", "BUSY", "SEEN", "VERSION");
    let mut text = format!("{}\n", styled(DIM, &head));
    for worker in workers {
        let slots = worker.report.as_ref().map_or_else(|| "1".to_owned(), |report| report.slots.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<ids$}  {}  {:>7}  {:>8}  {:<9} {}",
            worker.id.as_str(),
            coloured(worker, &format!("{:<13}", status(worker))),
            format!("{}/{slots}", worker.held),
            words::age(now.since(worker.last_seen_ms)),
            for_terminal(&worker.version),
            worker.place,
        );
    }
    text
}

fn status(worker: &WorkerView) -> &'static str {
    // Told to, and it has not said so yet.
    if worker.drain && worker.presence == Presence::There { "draining" } else { worker.status }
}

fn coloured(worker: &WorkerView, text: &str) -> String {
    match (worker.presence, worker.health) {
        (Presence::There, Some(verdict)) => styled(if verdict.healthy { GOOD } else { BAD }, text),
        (Presence::There, None) => text.to_owned(),
        (Presence::Silent | Presence::Gone, _) => styled(WARN, text),
    }
}

async fn drain(app: &App, args: &DrainArgs) -> Outcome {
    let Some(store) = app.store_if_any().await? else { return nobody(app, args) };
    let (workers, _) = view::all(&store).await?;
    if workers.iter().all(|worker| worker.presence == Presence::Gone) {
        return nobody(app, args);
    }
    let there = workers.into_iter().filter(|worker| worker.presence != Presence::Gone);
    let meant = match &args.worker {
        Some(wanted) => vec![find(there.collect(), wanted)?],
        None => there.collect(),
    };
    for worker in &meant {
        tell(app, &store, worker, !args.undo).await?;
    }
    Ok(ExitCode::Done)
}

async fn tell(app: &App, store: &Store, worker: &WorkerView, drain: bool) -> Result<(), AppError> {
    let id = &worker.id;
    let known = store.worker_drain(id, drain).await.map_err(|error| store_error(&error))?;
    app.out.say(&match (known, drain) {
        (false, _) => format!("{id} has ended meanwhile"),
        (true, true) => {
            let jobs = words::plural(worker.held, "job");
            format!("{id} takes no more jobs and ends when it has finished what it has ({jobs} now)")
        }
        (true, false) => format!("{id} takes jobs again, unless a signal told it to end"),
    });
    Ok(())
}

/// To have drained all of none is no failure.
fn nobody(app: &App, args: &DrainArgs) -> Outcome {
    if args.all {
        app.out.say("no worker is there");
        return Ok(ExitCode::Done);
    }
    Err(AppError::usage("no worker is there").help("overnight worker ls --all lists those that were"))
}

/// The one worker whose id or host begins so.
fn find(workers: Vec<WorkerView>, wanted: &str) -> Result<WorkerView, AppError> {
    let begins =
        |worker: &WorkerView| worker.id.as_str().starts_with(wanted) || worker.host.starts_with(wanted);
    let is = |worker: &WorkerView| worker.id.as_str() == wanted;
    let exact = workers.iter().position(is);
    let mut found: Vec<WorkerView> = match exact {
        Some(at) => workers.into_iter().nth(at).into_iter().collect(),
        None => workers.into_iter().filter(begins).collect(),
    };
    match (found.pop(), found.as_slice()) {
        (Some(one), []) => Ok(one),
        (Some(last), others) => {
            let ids: Vec<&str> = others.iter().chain([&last]).map(|worker| worker.id.as_str()).collect();
            Err(AppError::usage(format!(
                "{:?} is the beginning of more than one worker",
                for_terminal(wanted)
            ))
            .help(format!("name one of these, or use --all:\n{}", ids.join("\n"))))
        }
        (None, _) => Err(AppError::usage(format!("there is no worker {:?}", for_terminal(wanted)))
            .help("overnight worker ls lists them")),
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::worker::WorkerStatus;

    use super::view::tests::{report, seen};
    use super::*;

    fn views() -> Vec<WorkerView> {
        let idle = || Some(report(WorkerStatus::Idle));
        let mut far = seen("morning:9:1", idle());
        far.worker.host = "morning".to_owned();
        let of = |seen| WorkerView::of(seen, Timestamp(1_005_000), false);
        let command =
            of(overnight_store::WorkerSeen { report: Some("null".into()), ..seen("night:9:3", None) });
        vec![of(far), of(seen("night:9:1", Some(report(WorkerStatus::LoginExpired)))), command]
    }

    #[test]
    fn a_worker_is_found_by_the_beginning_of_its_id_or_host() {
        let found = |wanted: &str| find(views(), wanted).map(|worker| worker.id.to_string());
        assert_eq!(found("mor").unwrap(), "morning:9:1");
        assert_eq!(found("morning").unwrap(), "morning:9:1");
        assert_eq!(found("night:9:3").unwrap(), "night:9:3");
        let many = found("night").unwrap_err().render();
        assert!(many.contains("night:9:1") && many.contains("night:9:3"), "{many}");
        assert!(found("noon").unwrap_err().render().contains("worker ls"));
    }

    #[test]
    fn the_list_lines_up() {
        let text = table(&views(), Timestamp(1_005_000));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
