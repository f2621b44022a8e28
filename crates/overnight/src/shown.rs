//! The settings of a job as people and programs see them: each with its value, as it would be written in a configuration, and
//! where it came from.

use std::fmt::Write;

use overnight_core::choose::{Layer, name};
use overnight_core::job::{Configured, Origin};
use overnight_core::text::for_terminal;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::settings::LAYER_SETTINGS;
use crate::output::{DIM, styled};

/// One setting of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    pub key: &'static str,
    /// `None`: as the vendor, or the backend, likes.
    pub value: Option<String>,
    /// `None`: the job was ordered by a version that did not keep it.
    pub origin: Option<Origin>,
}

/// All settings, in the order of the documentation.
#[must_use]
pub fn settings(of: &Configured) -> Vec<Setting> {
    let layer = Layer::of(of, |_| true);
    let no_backup = of.choice.backup.is_none();
    // Effort is shown as the level that was taken.
    let shown = LAYER_SETTINGS.iter().filter(|setting| {
        let of_backup = setting.key.starts_with("backup_") && setting.key != name::BACKUP_AGENT;
        setting.key != "thinking_budget" && !(of_backup && no_backup)
    });
    let shown = shown.map(|setting| Setting {
        key: setting.key,
        value: (setting.get)(&layer).filter(|value| !value.is_empty()),
        origin: of.choice.is_known().then(|| of.choice.origin(setting.key)),
    });
    shown.collect()
}

/// `{"model": {"value": …, "origin": …}}`.
#[must_use]
pub fn as_json(settings: &[Setting]) -> Value {
    let one = |setting: &Setting| {
        (setting.key.to_owned(), json!({"value": setting.value, "origin": setting.origin}))
    };
    Value::Object(settings.iter().map(one).collect::<Map<_, _>>())
}

/// A line for each that somebody has said something about, or that holds anyway.
#[must_use]
pub fn lines(settings: &[Setting], indent: &str) -> String {
    let mut text = String::new();
    for setting in settings {
        let said = setting.origin.is_some_and(|origin| origin != Origin::Default);
        let value = match setting.value.as_deref() {
            None if !said => continue,
            Some("none") if !said => continue,
            None => "as the vendor likes".to_owned(),
            Some(value) => for_terminal(value),
        };
        let origin = setting.origin.map(|origin| styled(DIM, &format!("  ({})", origin.as_str())));
        let origin = origin.unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{indent}{:<18} {value}{origin}", setting.key);
    }
    text
}
