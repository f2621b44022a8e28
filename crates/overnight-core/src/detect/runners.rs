//! make and just: used where no ecosystem says how to test. Pure; owns nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Root};

/// In the order in which GNU make looks for them.
const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
const JUSTFILES: [&str; 3] = ["justfile", "Justfile", ".justfile"];

/// A rule, possibly for several targets at once; not an assignment (`test := x`).
static MAKE_RULE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^([A-Za-z0-9_./-]+(?:[ \t]+[A-Za-z0-9_./-]+)*)[ \t]*::?(?:[^=:]|$)").ok()
});

/// A recipe without parameters.
static JUST_RECIPE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^@?([A-Za-z_][A-Za-z0-9_-]*)[ \t]*:(?:[^=]|$)").ok());

pub(super) fn runner(root: &Root<'_>, found_others: bool) -> Found {
    let mut found = Found::default();
    let just = root
        .first_of(&JUSTFILES)
        .and_then(|file| target(root, file, &JUST_RECIPE).map(|name| ("just", file, name)));
    let make = root
        .first_of(&MAKEFILES)
        .and_then(|file| target(root, file, &MAKE_RULE).map(|name| ("make", file, name)));
    for (program, file, name) in just.into_iter().chain(make) {
        if found_others || !found.checks.is_empty() {
            found.because(format!("{file} has {name} too; left out, as it most likely runs the same tests"));
        } else {
            found.check(format!("{program} {name}"));
            found.because(format!("{file} has {name}"));
        }
    }
    found
}

fn target(root: &Root<'_>, file: &str, rule: &LazyLock<Option<Regex>>) -> Option<&'static str> {
    let text = root.text(file);
    let rule = rule.as_ref()?;
    let has = |wanted: &&str| {
        let mut rules = rule.captures_iter(&text).filter_map(|captures| captures.get(1));
        rules.any(|names| names.as_str().split_whitespace().any(|name| name == *wanted))
    };
    ["test", "check"].into_iter().find(has)
}
