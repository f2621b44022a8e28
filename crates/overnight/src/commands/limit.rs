//! `overnight limit`: how many jobs of a repository, a label or a group may run at a time.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::nearest;
use overnight_store::{Limit, LimitKey, Store};
use serde::Serialize;

use crate::app::{App, store_error};
use crate::cli::queue_args::{LimitAction, LimitCommandArgs};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, styled};
use crate::render::words::plural;

#[derive(Debug, Serialize)]
struct LimitView<'a> {
    key: &'a str,
    /// How many may run at a time.
    slots: u32,
    /// How many do.
    held: u32,
}

/// # Errors
/// When the store fails, or a limit that is not there is taken away.
pub async fn run(app: &App, args: &LimitCommandArgs) -> Outcome {
    match &args.action {
        LimitAction::Ls { json } => ls(app, *json).await,
        LimitAction::Set { key, number, ahead } => set(app, key, *number, *ahead).await,
        LimitAction::Rm { key } => rm(app, key).await,
    }
}

async fn all(store: &Store) -> Result<Vec<Limit>, AppError> {
    store.limits().await.map_err(|error| store_error(&error))
}

async fn ls(app: &App, json: bool) -> Outcome {
    let limits = match app.store_if_any().await? {
        Some(store) => all(&store).await?,
        None => Vec::new(),
    };
    if json {
        let views = limits.iter().map(|Limit { key, slots, held }| LimitView {
            key: key.as_str(),
            slots: *slots,
            held: *held,
        });
        app.out.json("limits", &views.collect::<Vec<_>>())?;
    } else if !limits.is_empty() {
        app.out.data(&table(&limits))?;
    }
    if limits.is_empty() {
        app.out.say(
            "no limits are set: groups run one job at a time, everything else as many as there are slots",
        );
    }
    Ok(ExitCode::Done)
}

fn table(limits: &[Limit]) -> String {
    let wide = limits.iter().map(|limit| limit.key.as_str().len()).max().unwrap_or(0).max("LIMIT".len());
    let head = format!("{:<wide$}  {:>5}  {:>7}", "LIMIT", "JOBS", "RUNNING");
    let mut text = format!("{}\n", styled(DIM, &head));
    for limit in limits {
        let key = styled(BOLD, &format!("{:<wide$}", limit.key.as_str()));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key}  {:>5}  {:>7}", limit.slots, limit.held);
    }
    text
}

async fn set(app: &App, key: &LimitKey, number: u32, ahead: bool) -> Outcome {
    let store = app.store().await?;
    if let Some(name) = key.repository_name().filter(|_| !ahead) {
        known(&store, name).await?;
    }
    store.limit_set(key, Some(number)).await.map_err(|error| store_error(&error))?;
    app.out.say(&match number {
        0 => format!("no job of {key} is started any more; those that run go on"),
        _ => format!("at most {} of {key} at a time", plural(u64::from(number), "job")),
    });
    Ok(ExitCode::Done)
}

/// A limit of a mistyped repository would count nothing, and nobody would notice.
async fn known(store: &Store, name: &str) -> Result<(), AppError> {
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    let names = || all.iter().map(|repository| repository.name.as_str());
    if names().any(|known| known == name) {
        return Ok(());
    }
    let meant = nearest(name, names()).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    let there = match names().collect::<Vec<_>>() {
        names if names.is_empty() => "none is known yet".to_owned(),
        names => format!("those known are: {}", names.join(", ")),
    };
    Err(AppError::usage(format!("there is no repository {name:?}")).help(format!(
        "{meant}{there}\na repository is known from its first job on; to set the limit before: --ahead"
    )))
}

async fn rm(app: &App, key: &LimitKey) -> Outcome {
    let store = app.store().await?;
    if !all(&store).await?.iter().any(|limit| limit.key == *key) {
        return Err(AppError::usage(format!("there is no limit {key}"))
            .help("overnight limit ls shows those there are"));
    }
    store.limit_set(key, None).await.map_err(|error| store_error(&error))?;
    app.out.say(&format!("the limit {key} is gone"));
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_limits_lines_up() {
        let limit = |key, slots, held| Limit { key: LimitKey::parse(key).unwrap(), slots, held };
        let text = table(&[limit("label:gpu", 2, 1), limit("repository:app", 10, 10)]);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r"
        LIMIT            JOBS  RUNNING
        label:gpu           2        1
        repository:app     10       10
        ");
    }
}
