//! The settings of the inspection: what follows from which rule, how large a change may be, and which paths are guarded.

use overnight_core::policy::preflight::{Glob, Level, Rule};
use overnight_core::text::nearest;

use super::{Config, Input, Setting, Wrong, assign, shown_list};
use crate::cli::values;

/// The rules that have this consequence.
macro_rules! rules_of {
    ($key:literal, $level:ident, $default:literal, $about:literal) => {
        Setting {
            key: $key,
            kind: "list of rules",
            default: $default,
            about: $about,
            set: |config, input| rules(config, input, Level::$level),
            get: |config| shown(config, Level::$level),
        }
    };
}

macro_rules! paths {
    ($key:literal, $field:ident, $about:literal) => {
        Setting {
            key: $key,
            kind: "list of patterns",
            default: "none",
            about: $about,
            set: |config, input| assign(&mut config.preflight.$field, globs(input)?),
            get: |config| shown_list(&texts(&config.preflight.$field)),
        }
    };
}

/// In the order of the documentation.
pub(super) const PREFLIGHT: &[Setting] = &[
    rules_of!("preflight.off", Off, "none", "rules that are not looked for; all rules: overnight help gate"),
    rules_of!("preflight.warn", Warn, "those of overnight help gate", "rules whose findings are only told"),
    rules_of!(
        "preflight.approve",
        Approve,
        "those of overnight help gate",
        "rules whose findings need a person's approval"
    ),
    rules_of!(
        "preflight.block",
        Block,
        "those of overnight help gate",
        "rules whose findings the agent has to mend"
    ),
    Setting {
        key: "preflight.max_file_size",
        kind: "number of bytes",
        default: "1000000",
        about: "largest file that a change may bring",
        set: |config, input| {
            assign(&mut config.preflight.max_file_size, values::count(input.text()?)?.into())
        },
        get: |config| Some(config.preflight.max_file_size.to_string()),
    },
    Setting {
        key: "preflight.max_files",
        kind: "number",
        default: "500",
        about: "most files of a change that nobody has to approve",
        set: |config, input| assign(&mut config.preflight.max_files, values::count(input.text()?)?),
        get: |config| Some(config.preflight.max_files.to_string()),
    },
    paths!(
        "preflight.protect",
        protect,
        "paths whose change a person has to approve, as in [\"infra/\", \"*.sql\"]"
    ),
    paths!("preflight.unprotect", unprotect, "paths that the built-in rules guard and that need no approval"),
    paths!(
        "preflight.beside_plan",
        beside_plan,
        "paths that a task may change though its plan does not name them (rule outside-plan), as in [\"*.lock\"]"
    ),
];

fn rules(config: &mut Config, input: &Input<'_>, level: Level) -> Result<(), Wrong> {
    let names = input.list();
    let mut found = Vec::new();
    for name in &names {
        let rule = Rule::parse(name).ok_or_else(|| {
            let near = nearest(name, Rule::ALL.iter().map(|rule| rule.code()));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            format!("there is no rule {name:?}{near}")
        })?;
        found.push(rule);
    }
    config.preflight.levels.retain(|_, known| *known != level);
    config.preflight.levels.extend(found.into_iter().map(|rule| (rule, level)));
    Ok(())
}

fn shown(config: &Config, level: Level) -> Option<String> {
    let of_level = config.preflight.levels.iter().filter(|(_, known)| **known == level);
    shown_list(&of_level.map(|(rule, _)| rule.code().to_owned()).collect::<Vec<_>>())
}

fn globs(input: &Input<'_>) -> Result<Vec<Glob>, Wrong> {
    input.list().iter().map(|text| Glob::parse(text).map_err(|error| error.to_string())).collect()
}

fn texts(globs: &[Glob]) -> Vec<String> {
    globs.iter().map(ToString::to_string).collect()
}
