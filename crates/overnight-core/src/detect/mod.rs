//! Finds how a repository is verified, from the names in its root directory and a few small files.
//!
//! Pure: the caller lists the root of the base commit and hands in the files of [`wanted_files`]. Owns no state. It must
//! only propose what a file of the repository shows to be there; what it leaves out it says in the reasons.

mod node;
mod platforms;
mod python;
mod runners;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::verdict::Check;

/// Longest run of a detected check. Ten minutes: what the runners that this one replaces gave each command.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(600);

/// Every file whose content can matter.
const CONTENT: &[&str] = &[
    "Cargo.toml",
    "package.json",
    "deno.json",
    "deno.jsonc",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
    "requirements.txt",
    "requirements-dev.txt",
    "Rakefile",
    "composer.json",
    "GNUmakefile",
    "makefile",
    "Makefile",
    "justfile",
    "Justfile",
    ".justfile",
];

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    /// In the order in which they should run: what installs dependencies, then the cheap ones first.
    pub checks: Vec<Check>,
    /// Why these, and why not others: one sentence each, for people.
    pub reasons: Vec<String>,
}

/// What one ecosystem contributes.
#[derive(Debug, Default)]
struct Found {
    /// The program that installs dependencies and its command, where a clean checkout needs that.
    install: Option<(&'static str, String)>,
    checks: Vec<(String, String)>,
    reasons: Vec<String>,
}

impl Found {
    fn check(&mut self, command: impl Into<String>) {
        let command = command.into();
        self.checks.push((command.clone(), command));
    }

    fn named(&mut self, name: &str, command: impl Into<String>) {
        self.checks.push((name.to_owned(), command.into()));
    }

    fn because(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }
}

/// The root directory as the finders see it.
struct Root<'a> {
    names: Vec<&'a str>,
    read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl<'a> Root<'a> {
    /// Names that are not UTF-8 mean nothing to any tool here and are passed over; directories may end in `/`.
    fn new(root: &'a [Vec<u8>], read: &'a dyn Fn(&str) -> Option<Vec<u8>>) -> Self {
        let mut names: Vec<&str> = root.iter().filter_map(|name| std::str::from_utf8(name).ok()).collect();
        for name in &mut names {
            *name = name.strip_suffix('/').unwrap_or(name);
        }
        names.sort_unstable();
        Self { names, read }
    }

    fn has(&self, name: &str) -> bool {
        self.names.binary_search(&name).is_ok()
    }

    fn first_of<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.has(name))
    }

    fn ending(&self, suffixes: &[&str]) -> Vec<&'a str> {
        let wanted = |name: &&str| suffixes.iter().any(|suffix| name.ends_with(suffix));
        self.names.iter().copied().filter(wanted).collect()
    }

    /// Content of a file in the root; empty when it is not there.
    fn text(&self, name: &str) -> String {
        let bytes = if self.has(name) { (self.read)(name) } else { None };
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

/// The files whose content [`detect`] will ask for, out of the names in the root directory.
#[must_use]
pub fn wanted_files(root: &[Vec<u8>]) -> Vec<&'static str> {
    CONTENT.iter().copied().filter(|wanted| root.iter().any(|name| name == wanted.as_bytes())).collect()
}

/// The checks of a repository with these names in its root; `read` gives the content of the files of [`wanted_files`].
///
/// Several ecosystems give the union of their checks. `make` and `just` are asked only when nothing else was found: their
/// `test` is nearly always a wrapper around what was found already, and running everything twice tells nothing new.
#[must_use]
pub fn detect(root: &[Vec<u8>], read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Detected {
    let root = Root::new(root, read);
    let mut found: Vec<Found> = vec![
        platforms::cargo(&root),
        platforms::go(&root),
        node::node(&root),
        node::deno(&root),
        python::python(&root),
        platforms::ruby(&root),
        platforms::php(&root),
        platforms::elixir(&root),
        platforms::dotnet(&root),
        platforms::maven(&root),
        platforms::gradle(&root),
    ];
    let any = found.iter().any(|found| !found.checks.is_empty());
    found.push(runners::runner(&root, any));
    assemble(found)
}

/// Installs first, each in front of everything that may need it; then the checks in the order of the finders.
fn assemble(found: Vec<Found>) -> Detected {
    let mut detected = Detected::default();
    let installs = found.iter().filter(|one| one.install.is_some() && !one.checks.is_empty()).count();
    let mut rest = Vec::new();
    for one in found {
        detected.reasons.extend(one.reasons);
        if one.checks.is_empty() {
            continue;
        }
        if let Some((program, command)) = one.install {
            let name = if installs > 1 { format!("install ({program})") } else { "install".to_owned() };
            detected.checks.push(check(name, command));
        }
        rest.extend(one.checks.into_iter().map(|(name, command)| check(name, command)));
    }
    detected.checks.extend(rest);
    if detected.checks.is_empty() {
        detected.reasons.push("no file in the root directory tells how to test this repository".to_owned());
    }
    detected
}

fn check(name: String, command: String) -> Check {
    Check { name, command, timeout: CHECK_TIMEOUT }
}

/// A name from the repository as one word for the shell; never an option.
fn shell_word(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/'));
    let name = if name.starts_with('-') { format!("./{name}") } else { name.to_owned() };
    if plain { name } else { format!("'{}'", name.replace('\'', r"'\''")) }
}
