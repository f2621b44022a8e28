//! `overnight config`: what holds, where it comes from, and which files are read.

use std::collections::BTreeMap;
use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::text::{for_terminal, nearest};
use serde::Serialize;

use crate::app::App;
use crate::cli::args::{ConfigAction, ConfigArgs};
use crate::config::settings::{HOST_SETTINGS, SETTINGS, Setting};
use crate::error::{AppError, Outcome};
use crate::output::{DIM, styled};

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
        Some(ConfigAction::Show { origin, json }) => show(app, *origin, *json)?,
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

/// Documentation's order first, adapters and hosts last.
fn order(all: &BTreeMap<String, Shown>) -> impl Iterator<Item = (&str, &Shown)> {
    let known = SETTINGS.iter().filter_map(|setting| all.get(setting.key).map(|shown| (setting.key, shown)));
    let hosts = all
        .iter()
        .filter(|(key, _)| key.starts_with("forge.hosts.") || key.starts_with("agent.adapters."))
        .map(|(key, shown)| (key.as_str(), shown));
    known.chain(hosts)
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

fn get(app: &App, key: &str) -> Result<(), AppError> {
    match all(app).get(key) {
        Some(Shown { value: Some(value), .. }) => app.out.data(&format!("{}\n", for_terminal(value))),
        Some(Shown { value: None, .. }) => Ok(()),
        None => {
            let error = AppError::usage(format!("unknown setting `{key}`"));
            Err(match nearest(key, SETTINGS.iter().map(|setting: &Setting| setting.key)) {
                Some(nearest) => error.help(format!("did you mean `{nearest}`?")),
                None => error.help("overnight help config lists every setting"),
            })
        }
    }
}
