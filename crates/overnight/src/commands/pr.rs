//! `overnight pr`: our pull requests, what was seen of them, what was done about them, and which of them need a person.

use std::fmt::Write;

use overnight_core::backlog::PullState;
use overnight_core::job::ExitCode;
use overnight_core::text::{for_terminal, one_line};
use overnight_core::units::Timestamp;
use overnight_core::watch::{Cause, Memory};
use overnight_store::{Hint, Store, Watched};
use serde::Serialize;

use crate::app::{App, find_error, store_error};
use crate::cli::pull_args::{PullAction, PullArgs};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, styled};
use crate::render::stage::Mark;
use crate::render::words::moment;

/// Lines of a list: newer ones are what people look for.
const MOST: u32 = 200;

/// A pull request. The field names are public.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PullView {
    pub repository: String,
    pub number: u64,
    pub url: String,
    pub branch: String,
    pub state: PullState,
    /// The job that published last.
    pub job: String,
    #[serde(flatten)]
    pub memory: Memory,
    #[serde(rename = "next_look_ms")]
    pub next_look: Option<Timestamp>,
}

impl PullView {
    #[must_use]
    pub fn of(watched: Watched) -> Self {
        Self {
            repository: watched.repository_name,
            number: watched.number,
            url: watched.url,
            branch: watched.branch,
            state: watched.state,
            job: watched.job.to_string(),
            memory: watched.memory,
            next_look: watched.next_look,
        }
    }
}

/// # Errors
/// When the store fails, or there is no such pull request.
pub async fn run(app: &App, args: &PullArgs) -> Outcome {
    match &args.action {
        PullAction::Ls { all, json } => list(app, *all, *json).await,
        PullAction::Show { pull, json } => {
            let store = app.store_for(pull).await?;
            let view = PullView::of(find(&store, pull).await?);
            if *json {
                app.out.json("pull_request", &view)?;
            } else {
                app.out.data(&page(&view))?;
            }
            Ok(ExitCode::Done)
        }
        PullAction::Look { pull } => {
            let store = app.store_for(pull).await?;
            let found = find(&store, pull).await?;
            let hint = Hint::Number(found.number);
            if store.watch_hint(&found.repository, &hint).await.map_err(|error| store_error(&error))? == 0 {
                return Err(AppError::usage(format!("{} is merged: there is nothing to look at", found.url)));
            }
            app.out
                .say(&format!("{} is looked at by the next worker that has time", for_terminal(&found.url)));
            Ok(ExitCode::Done)
        }
    }
}

/// By `repository#number`, the number alone where only one has it, its address, or the job that published last or any before it on the
/// same branch.
async fn find(store: &Store, wanted: &str) -> Result<Watched, AppError> {
    let all = store.watches(true, u32::MAX).await.map_err(|error| store_error(&error))?;
    let (name, number) = wanted.rsplit_once('#').unwrap_or(("", wanted));
    let number: Option<u64> = number.parse().ok();
    let is = |one: &&Watched| {
        one.url == wanted || (Some(one.number) == number && (name.is_empty() || name == one.repository_name))
    };
    let found: Vec<&Watched> = all.iter().filter(is).collect();
    match found.as_slice() {
        [one] => return Ok((*one).clone()),
        [] => {}
        several => {
            let names: Vec<String> =
                several.iter().map(|one| format!("{}#{}", one.repository_name, one.number)).collect();
            let what = format!("{wanted:?} may be more than one pull request");
            return Err(AppError::usage(what).help(format!("name one of these: {}", names.join(", "))));
        }
    }
    let none = || {
        AppError::usage(format!("there is no pull request of ours {wanted:?}"))
            .help("see: overnight pr ls --all")
    };
    if number.is_some() || !name.is_empty() {
        return Err(none());
    }
    let job = store.job_find(wanted).await.map_err(|error| find_error(&error))?;
    let opened = job.state.end().and_then(|end| end.published.as_ref());
    let opened = opened.and_then(|published| published.pull_request.as_ref()).ok_or_else(|| {
        AppError::usage(format!("{} has opened no pull request", job.key)).help("see: overnight pr ls --all")
    })?;
    all.into_iter()
        .find(|one| one.number == opened.number && one.repository == job.repository)
        .ok_or_else(none)
}

async fn list(app: &App, all: bool, json: bool) -> Outcome {
    let found = match app.store_if_any().await? {
        Some(store) => store.watches(all, MOST).await.map_err(|error| store_error(&error))?,
        None => Vec::new(),
    };
    let views: Vec<PullView> = found.into_iter().map(PullView::of).collect();
    if json {
        app.out.json("pull_requests", &views)?;
        return Ok(ExitCode::Done);
    }
    let mut text = String::new();
    for view in &views {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line(view));
    }
    app.out.data(&text)?;
    Ok(ExitCode::Done)
}

fn line(view: &PullView) -> String {
    let name = format!("{}#{}", one_line(&view.repository, 60), view.number);
    let mut facts = vec![standing(view)];
    facts.extend(rounds(&view.memory));
    let needs = view
        .memory
        .person
        .as_ref()
        .map(|person| format!("  {} {}", Mark::Note.show(), one_line(&person.why, 200)));
    let url = styled(DIM, &for_terminal(&view.url)).to_string();
    format!("{}  {}  {url}{}", styled(BOLD, &name), facts.join(" · "), needs.unwrap_or_default())
}

/// How it stands, in a few words.
fn standing(view: &PullView) -> String {
    let memory = &view.memory;
    if view.state != PullState::Open {
        return view.state.as_str().to_owned();
    }
    let mut words = vec![if memory.draft { "draft" } else { "open" }.to_owned()];
    words.push(
        memory
            .checks
            .map_or_else(|| "not looked at yet".to_owned(), |checks| format!("checks {}", checks.as_str())),
    );
    if memory.conflict {
        words.push("conflict".to_owned());
    }
    if let Some(running) = &memory.running {
        words.push(format!("{} works on it ({})", running.key, running.cause.as_str()));
    }
    words.join(", ")
}

fn rounds(memory: &Memory) -> Option<String> {
    let used: Vec<String> = [Cause::Ci, Cause::Review, Cause::Conflict]
        .into_iter()
        .filter(|cause| memory.rounds.of(*cause) > 0)
        .map(|cause| format!("{} {}", cause.as_str(), memory.rounds.of(cause)))
        .collect();
    (!used.is_empty()).then(|| format!("rounds: {}", used.join(", ")))
}

fn page(view: &PullView) -> String {
    let mut text = String::new();
    let mut put = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    put("pull", &format!("{}#{}", one_line(&view.repository, 60), view.number));
    put("url", &for_terminal(&view.url));
    put("branch", &for_terminal(&view.branch));
    put("state", &standing(view));
    if let Some(head) = &view.memory.head {
        put("head", head.short());
    }
    if let Some(rounds) = rounds(&view.memory) {
        put("rounds", rounds.trim_start_matches("rounds: "));
    }
    if let Some(person) = &view.memory.person {
        put("needs you", &format!("{} (since {})", one_line(&person.why, 300), moment(person.since)));
    }
    if let Some(trouble) = &view.memory.trouble {
        put("trouble", &one_line(trouble, 300));
    }
    put("next look", &view.next_look.map_or_else(|| "none: it is over".to_owned(), moment));
    text
}
