//! Puts the other queues where the bench can run them, at exact versions, when they are not there yet.
//!
//! Owns `.tools/bench` and `target/bench-peers`. Uses the package clients of the machine, without the install scripts of
//! packages, and nothing outside these two folders. Whoever cannot be installed does not take part; the reason is printed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::machine::command;

/// Another queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    GraphileWorker,
    PgBoss,
    Procrastinate,
    Apalis,
}

/// The least Node.js that both npm packages ask for.
const NODE_LEAST: (u32, u32) = (22, 18);
/// What is installed where the machine's own is older or missing.
const NODE_VERSION: &str = "22.23.3";
const GRAPHILE: &str = "graphile-worker@0.18.0";
const PG_BOSS: &str = "pg-boss@12.35.0";
const PROCRASTINATE: [&str; 3] = ["procrastinate==3.10.0", "psycopg[binary]==3.3.9", "psycopg-pool==3.3.3"];

impl Peer {
    /// Installs what is missing, and says how its program is started with a mode.
    ///
    /// # Errors
    /// Why it cannot take part, in one line.
    pub(crate) fn ready(self) -> Result<Start, String> {
        match self {
            Self::GraphileWorker => npm_program("graphile-worker", GRAPHILE, "graphile-worker.mjs"),
            Self::PgBoss => npm_program("pg-boss", PG_BOSS, "pg-boss.mjs"),
            Self::Procrastinate => python_program(),
            Self::Apalis => apalis_program(),
        }
    }
}

/// How a program is started; its mode, scenario and count follow.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
}

impl Start {
    pub(crate) fn command(&self) -> Command {
        let mut command = command(&self.program);
        command.args(&self.arguments).current_dir(&self.folder);
        command
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a crate lies in crates/")
}

pub(crate) fn target() -> PathBuf {
    workspace().join("target")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/queue/peers").join(name)
}

fn tool(name: &str) -> PathBuf {
    workspace().join(".tools/bench").join(name)
}

fn npm_program(folder: &str, package: &str, script: &str) -> Result<Start, String> {
    let node = node()?;
    npm_install(folder, package)?;
    Ok(Start { program: node, arguments: vec![source(script).into()], folder: tool(folder) })
}

/// The machine's Node.js, or one from npm: there it is a package like any other.
fn node() -> Result<PathBuf, String> {
    let own = command("node").arg("--version").output();
    let version = own.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    if version.as_deref().and_then(parse_version).is_some_and(|version| version >= NODE_LEAST) {
        return Ok("node".into());
    }
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(format!("no Node.js {}.{} for {other}", NODE_LEAST.0, NODE_LEAST.1)),
    };
    let package = format!("node-linux-{architecture}");
    npm_install("node", &format!("{package}@{NODE_VERSION}"))?;
    Ok(tool("node").join("node_modules").join(package).join("bin/node"))
}

/// `v22.18.0` as major and minor.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn npm_install(folder: &str, package: &str) -> Result<(), String> {
    installed(folder, package, |dir| {
        let mut npm = command("npm");
        npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        npm.arg("--prefix").arg(dir).arg("--cache").arg(tool("npm-cache")).arg(package);
        done(npm.env("npm_config_update_notifier", "false"))
    })
}

fn python_program() -> Result<Start, String> {
    installed("procrastinate", &PROCRASTINATE.join(" "), |dir| {
        done(command("python3").args(["-m", "venv"]).arg(dir))?;
        let mut pip = command(dir.join("bin/pip"));
        done(
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(PROCRASTINATE),
        )
    })?;
    let folder = tool("procrastinate");
    let arguments = vec![source("procrastinate.py").into()];
    Ok(Start { program: folder.join("bin/python"), arguments, folder })
}

/// Cargo itself knows whether there is anything to do.
fn apalis_program() -> Result<Start, String> {
    let (folder, target) = (source("apalis"), target().join("bench-peers"));
    let mut cargo = command("cargo");
    cargo.args(["build", "--release", "--locked", "--quiet", "--target-dir"]).arg(&target);
    done(cargo.current_dir(&folder))?;
    Ok(Start { program: target.join("release/bench-apalis"), arguments: Vec::new(), folder })
}

/// A folder is marked when it is whole, so that one cut short by a signal is made again.
fn installed(
    folder: &str,
    what: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let dir = tool(folder);
    let mark = dir.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|found| found == what) {
        return Ok(());
    }
    println!("installing {what} into {}", dir.display());
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(failed)?;
    }
    fs::create_dir_all(&dir).map_err(failed)?;
    install(&dir)?;
    fs::write(&mark, what).map_err(failed)
}

/// Runs an installer to its end; its last words are the reason when it fails.
fn done(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{name} failed ({}): {last}", output.status))
}
