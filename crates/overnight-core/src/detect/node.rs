//! npm, pnpm, yarn, bun and deno. Pure; owns nothing.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{Found, Root};

/// What `npm init` writes for a package that has no tests.
const NO_TESTS: &str = "no test specified";

/// Names that packages give the script which only checks types.
const TYPE_SCRIPTS: [&str; 4] = ["typecheck", "type-check", "check-types", "check:types"];

/// A package manager: how it installs exactly what the lock file says, and how it runs scripts.
struct Manager {
    program: &'static str,
    install: &'static str,
    run: &'static str,
    why: String,
}

pub(super) fn node(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    if !root.has("package.json") {
        return found;
    }
    let Ok(package) = serde_json::from_str::<Value>(root.text("package.json").trim_start_matches('\u{feff}'))
    else {
        found.because("package.json cannot be read as JSON");
        return found;
    };
    let manager = manager(root, &package);
    add_scripts(&mut found, &package, &manager);
    if found.checks.is_empty() {
        found.because("package.json has no test, build or type-checking script");
        return found;
    }
    if needs_install(&package) {
        found.install = Some((manager.program, manager.install.to_owned()));
    }
    found.because(format!("package.json has scripts; {} because {}", manager.program, manager.why));
    found
}

/// Cheap checks first. `CI=true` keeps test programs from watching for changes for ever; it is kept from builds, of which
/// some treat warnings as errors under it.
fn add_scripts(found: &mut Found, package: &Value, manager: &Manager) {
    let script = |name: &str| package["scripts"][name].as_str().is_some_and(|text| !text.trim().is_empty());
    let run = |name: &str| format!("{} {name}", manager.run);
    if let Some(name) = TYPE_SCRIPTS.into_iter().find(|name| script(name)) {
        found.check(run(name));
    }
    if script("build") {
        found.check(run("build"));
    }
    let placeholder = package["scripts"]["test"].as_str().is_some_and(|text| text.contains(NO_TESTS));
    if script("test") && !placeholder {
        let run = if manager.program == "bun" { run("test") } else { format!("{} test", manager.program) };
        found.named(&run, format!("CI=true {run}"));
    }
}

fn needs_install(package: &Value) -> bool {
    let some = |key: &str| package[key].as_object().is_some_and(|entries| !entries.is_empty());
    ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"].into_iter().any(some)
        || package.get("workspaces").is_some()
}

fn manager(root: &Root<'_>, package: &Value) -> Manager {
    let declared = package["packageManager"].as_str().unwrap_or_default();
    let (declared_name, version) = declared.split_once('@').unwrap_or((declared, ""));
    let lock = root.first_of(&[
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
        "yarn.lock",
        "package-lock.json",
        "npm-shrinkwrap.json",
    ]);
    let program = match (lock, declared_name) {
        (Some("pnpm-lock.yaml"), _) | (None, "pnpm") => "pnpm",
        (Some("bun.lock" | "bun.lockb"), _) | (None, "bun") => "bun",
        (Some("yarn.lock"), _) | (None, "yarn") => "yarn",
        (Some(_) | None, _) => "npm",
    };
    let why = match (lock, declared_name) {
        (Some(lock), _) => format!("of {lock}"),
        (None, "") => "there is no lock file".to_owned(),
        (None, _) => "packageManager says so".to_owned(),
    };
    let modern_yarn = root.has(".yarnrc.yml") || (declared_name == "yarn" && !version.starts_with("1."));
    let install = match (program, lock.is_some()) {
        ("pnpm", true) => "pnpm install --frozen-lockfile",
        ("bun", true) => "bun install --frozen-lockfile",
        ("yarn", true) if modern_yarn => "yarn install --immutable",
        ("yarn", true) => "yarn install --frozen-lockfile",
        ("pnpm", false) => "pnpm install",
        ("bun", false) => "bun install",
        ("yarn", false) => "yarn install",
        (_, true) => "npm ci",
        (_, false) => "npm install --no-audit --no-fund",
    };
    let run = match program {
        "pnpm" => "pnpm run",
        "bun" => "bun run",
        "yarn" => "yarn run",
        _ => "npm run",
    };
    Manager { program, install, run, why }
}

static DENO_TEST_TASK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#""tasks"\s*:\s*\{[^}]*"test"\s*:"#).ok());

pub(super) fn deno(root: &Root<'_>) -> Found {
    let mut found = Found::default();
    let Some(file) = root.first_of(&["deno.json", "deno.jsonc"]) else { return found };
    if DENO_TEST_TASK.as_ref().is_some_and(|task| task.is_match(&root.text(file))) {
        found.check("deno task test");
        found.because(format!("{file} has a test task"));
    } else {
        found.named("deno test", "deno test --allow-all --permit-no-files");
        found.because(format!("{file} is a Deno project"));
    }
    found
}
