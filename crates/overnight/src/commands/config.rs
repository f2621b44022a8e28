//! `overnight config`: what holds, where it comes from, and which files are read.

use std::collections::BTreeMap;
use std::fmt::Write;

use overnight_core::choose::{Layer, Resolved};
use overnight_core::job::{ExitCode, JobKind};
use overnight_core::text::{for_terminal, nearest};
use serde::Serialize;
use serde_json::json;

use crate::agents;
use crate::app::App;
use crate::choose::{About, Advice};
use crate::cli::args::{ConfigAction, ConfigArgs, JobAskedArgs};
use crate::config::settings::{HOST_SETTINGS, LAYER_SETTINGS, SETTINGS, Section, Setting};
use crate::error::{AppError, Outcome};
use crate::output::{DIM, styled};
use crate::shown;

#[derive(Debug, Serialize)]
struct Shown {
    value: Option<String>,
    /// `built-in`, a file with its line, or an environment variable.
    origin: String,
}

/// # Errors
/// When there is no such setting.
pub fn run(app: &App, args: &ConfigArgs) -> Outcome {
    match &args.action {
        None => show(app, false, false)?,
        Some(ConfigAction::Show { origin, job, json }) => match job.kind {
            Some(kind) => of_job(app, kind, job, *json)?,
            None => show(app, *origin, *json)?,
        },
        Some(ConfigAction::Path) => path(app)?,
        Some(ConfigAction::Get { key }) => get(app, key)?,
    }
    Ok(ExitCode::Done)
}

fn show(app: &App, origin: bool, json: bool) -> Result<(), AppError> {
    let all = all(app);
    if json {
        return app.out.json("config", &all);
    }
    let mut text = String::new();
    for (key, shown) in order(&all) {
        let value = shown.value.as_deref().map_or_else(|| styled(DIM, "not set"), for_terminal);
        let origin =
            if origin { styled(DIM, &format!("  # {}", for_terminal(&shown.origin))) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key:<26} {value}{origin}");
    }
    app.out.data(&text)
}

/// What a job would get that was ordered now.
fn of_job(app: &App, kind: JobKind, asked: &JobAskedArgs, json: bool) -> Result<(), AppError> {
    let advice = Advice::of(app.config(), &app.host()?);
    let named = asked.agent.as_deref().map(|name| agents::named(name, &app.config().agent)).transpose()?;
    let job = Layer { agent: named, ..Layer::default() };
    let repository = asked.repository.as_deref().unwrap_or_default();
    let task = Layer::default();
    let sources = advice.sources(&task, &job, About { repository, kind });
    let agent = sources.agent().ok_or_else(|| {
        AppError::usage("nobody names an agent, and none is installed").help("name one with --agent")
    })?;
    let Resolved { settings, notes } = advice.resolve(&sources, &agent);
    let settings = shown::settings(&settings);
    if json {
        let document = json!({"kind": kind, "settings": shown::as_json(&settings), "notes": notes});
        return app.out.json("settings", &document);
    }
    for note in &notes {
        app.out.say(&for_terminal(note));
    }
    app.out.data(&shown::lines(&settings, ""))
}

/// Documentation's order first, then adapters, and what is said of some jobs or hosts.
fn order(all: &BTreeMap<String, Shown>) -> impl Iterator<Item = (&str, &Shown)> {
    let known = SETTINGS.iter().filter_map(|setting| all.get(setting.key).map(|shown| (setting.key, shown)));
    let others =
        all.iter().filter(|(key, _)| Setting::find(key).is_none()).map(|(key, shown)| (key.as_str(), shown));
    known.chain(others)
}

fn all(app: &App) -> BTreeMap<String, Shown> {
    let origin =
        |key: &str| app.loaded.origins.get(key).map_or_else(|| "built-in".to_owned(), ToString::to_string);
    let mut all = BTreeMap::new();
    for setting in SETTINGS {
        let shown = Shown { value: (setting.get)(app.config()), origin: origin(setting.key) };
        all.insert(setting.key.to_owned(), shown);
    }
    for (name, adapter) in &app.config().agent.adapters {
        let key = format!("agent.adapters.{name}");
        let value = Vec::from(adapter.argv.clone()).join(" ");
        let shown = Shown { value: Some(value), origin: origin(&key) };
        all.insert(key, shown);
    }
    for (key, value) in app.config().of_sections() {
        let shown = Shown { value: Some(value), origin: origin(&key) };
        all.insert(key, shown);
    }
    for (host, config) in &app.config().hosts {
        for setting in HOST_SETTINGS {
            let key = format!("forge.hosts.{host}.{}", setting.key);
            if let Some(value) = (setting.get)(config) {
                let shown = Shown { value: Some(value), origin: origin(&key) };
                all.insert(key, shown);
            }
        }
    }
    all
}

fn path(app: &App) -> Result<(), AppError> {
    if app.loaded.files.is_empty() {
        app.out.say("no configuration file is read");
    }
    let mut text = String::new();
    for (path, there) in app.loaded.files.iter().rev() {
        let note = if *there { "" } else { "  (not there)" };
        let _ = writeln!(text, "{}{}", for_terminal(&path.display().to_string()), styled(DIM, note));
    }
    app.out.data(&text)
}

/// A setting that may stand in some section, and does not.
fn is_of_section(key: &str) -> bool {
    let ends = |section: &str, key: &str| {
        LAYER_SETTINGS.iter().any(|setting| key == format!("{section}.{}", setting.key))
    };
    let of_repository = LAYER_SETTINGS.iter().any(|setting| {
        let name = key.strip_prefix("repository.").and_then(|rest| rest.strip_suffix(setting.key));
        name.is_some_and(|name| name.len() > 1 && name.ends_with('.'))
    });
    of_repository || Section::of_variables().any(|section| ends(&section.key(), key))
}

fn get(app: &App, key: &str) -> Result<(), AppError> {
    match all(app).get(key) {
        Some(Shown { value: Some(value), .. }) => app.out.data(&format!("{}\n", for_terminal(value))),
        Some(Shown { value: None, .. }) => Ok(()),
        None if is_of_section(key) => Ok(()),
        None => {
            let error = AppError::usage(format!("unknown setting `{key}`"));
            Err(match nearest(key, SETTINGS.iter().map(|setting: &Setting| setting.key)) {
                Some(nearest) => error.help(format!("did you mean `{nearest}`?")),
                None => error.help("overnight help config lists every setting"),
            })
        }
    }
}
