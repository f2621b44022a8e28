//! `overnight repo`: which repositories there are, and what holds for all of their tasks.

use std::fmt::Write as _;

use overnight_core::backlog::RepositorySettings;
use overnight_core::job::ExitCode;
use overnight_core::text::one_line;
use overnight_store::{NewRepository, Repository, RepositoryView, SettledRepository};

use super::{ground, refused};
use crate::app::{App, store_error};
use crate::cli::backlog_args::{JsonArgs, RepoAction, RepoArgs, RepoSettingsArgs};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, styled};
use crate::repository;

/// # Errors
/// When there is no such repository, or the settings cannot be used.
pub async fn run(app: &App, args: &RepoArgs) -> Outcome {
    match &args.action {
        RepoAction::Add { remote, name, settings, output } => {
            let store = app.store().await?;
            let new = registration(app, remote).await?;
            let new = NewRepository { name: name.clone().unwrap_or(new.name), ..new };
            let made = ground::ensured(&store, &new).await?;
            if name.is_some() && made.name != new.clean_name() {
                app.out.say(&format!("it is called {}", styled(BOLD, &made.name)));
            }
            settle(app, &made, settings, *output).await
        }
        RepoAction::Ls { output } => ls(app, *output).await,
        RepoAction::Show { name, output } => {
            let store = app.store().await?;
            let found = ground::named(&store, name).await?;
            settle(app, &found, &RepoSettingsArgs::default(), *output).await
        }
        RepoAction::Edit { name, settings, output } => {
            let store = app.store().await?;
            settle(app, &ground::named(&store, name).await?, settings, *output).await
        }
        RepoAction::Rm { name } => {
            let store = app.store().await?;
            let found = ground::named(&store, name).await?;
            store.repository_remove(&found).await.map_err(|error| refused(&error))?;
            app.out.say(&format!("{} is forgotten", found.name));
            Ok(ExitCode::Done)
        }
    }
}

/// A directory is registered by its place, anything else as a remote.
///
/// # Errors
/// When it is neither a repository nor an address.
pub async fn registration(app: &App, remote: &str) -> Result<NewRepository, AppError> {
    let path = app.env.absolute(std::path::Path::new(remote));
    if remote.contains("://") || !path.exists() {
        return repository::registration_of(remote, app.env.cwd());
    }
    let git = app.git().await?;
    repository::registration(&repository::look(app, &git, &path).await?)
}

/// Changes what the arguments say, and shows what holds then.
async fn settle(app: &App, repository: &Repository, args: &RepoSettingsArgs, output: JsonArgs) -> Outcome {
    let store = app.store().await?;
    let before = store.repository_settings(&repository.id).await.map_err(|error| store_error(&error))?;
    let after = changed(&before, args)?;
    if after != before {
        store.repository_settle(&repository.id, &before, &after).await.map_err(|error| refused(&error))?;
    }
    let settled = SettledRepository { repository: repository.clone(), settings: after };
    if output.json {
        app.out.json("repository", &RepositoryView::of(&settled))?;
    } else {
        app.out.data(&page(&settled))?;
    }
    Ok(ExitCode::Done)
}

fn changed(before: &RepositorySettings, args: &RepoSettingsArgs) -> Result<RepositorySettings, AppError> {
    let mut after = before.clone();
    if let Some(base) = &args.base {
        after.base = Some(base.clone()).filter(|base| base != "none");
    }
    after.strategy = args.strategy.map_or(after.strategy, Into::into);
    after.draft = args.draft.unwrap_or(after.draft);
    after.cascade = args.cascade.unwrap_or(after.cascade);
    if !args.verify.is_empty() {
        after.verify = args.verify.iter().filter(|command| *command != "none").cloned().collect();
    }
    after.checked().map_err(|why| AppError::usage(why.to_string()).help("none takes the setting away"))
}

async fn ls(app: &App, output: JsonArgs) -> Outcome {
    let all = match app.store_if_any().await? {
        Some(store) => store.repositories_settled().await.map_err(|error| store_error(&error))?,
        None => Vec::new(),
    };
    if output.json {
        app.out.json("repositories", &all.iter().map(RepositoryView::of).collect::<Vec<_>>())?;
    } else if all.is_empty() {
        app.out.say("no repository is registered; overnight repo add DIR registers one");
    } else {
        let names = all.iter().map(|one| one.repository.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for SettledRepository { repository, .. } in &all {
            let name = styled(BOLD, &format!("{:<names$}", repository.name));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}  {}", one_line(&repository.remote, 200));
        }
        app.out.data(&text)?;
    }
    Ok(ExitCode::Done)
}

fn page(settled: &SettledRepository) -> String {
    let SettledRepository { repository, settings } = settled;
    let RepositorySettings { base, strategy, draft, cascade, verify } = settings;
    let mut text = format!("{}\n", styled(BOLD, &repository.name));
    for (name, value) in [
        ("remote", one_line(&repository.remote, 200)),
        (
            "base",
            base.as_deref().map_or_else(|| "as the remote has it".to_owned(), |base| one_line(base, 100)),
        ),
        ("strategy", strategy.as_str().to_owned()),
        ("draft", draft.to_string()),
        ("cascade", cascade.to_string()),
        ("verify", verify.iter().map(|command| one_line(command, 100)).collect::<Vec<_>>().join("; ")),
    ] {
        let _ = writeln!(text, "  {} {value}", styled(DIM, &format!("{name:<12}")));
    }
    text
}
