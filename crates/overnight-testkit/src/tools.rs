//! Finds the third-party programs and data that tests use and cargo cannot fetch.
//!
//! Owns no state: each call looks at the environment and the disk again. Must not install anything (`cargo xtask tools`
//! does), and starts nothing but `node --version`. An `Err` is the reason that a test prints after `skipped: `.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The oldest Node that runs the pinned CLIs written in JavaScript: what their packages ask for.
const OLDEST_NODE: u32 = 20;

/// What to start, and the arguments that come before all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// The script and its interpreter's own flags; empty for a native program.
    pub arguments: Vec<OsString>,
}

impl From<PathBuf> for Program {
    fn from(path: PathBuf) -> Self {
        Self { path, arguments: Vec::new() }
    }
}

/// The native binary of the pinned Claude Code CLI: `OVERNIGHT_TEST_CLAUDE`, else the one below `.tools/`.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn claude() -> Result<PathBuf, String> {
    let package = format!("@anthropic-ai/claude-code-linux-{}", npm_architecture()?);
    find("OVERNIGHT_TEST_CLAUDE", &Path::new("claude/node_modules").join(package).join("claude"))
}

/// The native binary of the pinned Codex CLI: `OVERNIGHT_TEST_CODEX`, else the one below `.tools/`. Not the package's own
/// script: on some versions of Node it stays as a parent, and a signal to it leaves the CLI running.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn codex() -> Result<PathBuf, String> {
    let architecture = npm_architecture()?;
    let target = format!("vendor/{}-unknown-linux-musl/bin/codex", std::env::consts::ARCH);
    let package = Path::new("codex/node_modules/@openai").join(format!("codex-linux-{architecture}"));
    find("OVERNIGHT_TEST_CODEX", &package.join(target))
}

/// The pinned Gemini CLI: the script `OVERNIGHT_TEST_GEMINI`, else the one below `.tools/`, run by [`node`].
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn gemini() -> Result<Program, String> {
    let script = Path::new("gemini/node_modules/@google/gemini-cli/bundle/gemini.js");
    let script = find("OVERNIGHT_TEST_GEMINI", script)?;
    Ok(Program { path: node()?, arguments: vec![script.into()] })
}

/// The pinned Qwen Code CLI: the script `OVERNIGHT_TEST_QWEN`, else the one below `.tools/`, run by [`node`]. Not the
/// package's own entry: it starts a second Node, and a signal to the first leaves the CLI running.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn qwen() -> Result<Program, String> {
    let script = find("OVERNIGHT_TEST_QWEN", Path::new("qwen/node_modules/@qwen-code/qwen-code/cli.js"))?;
    Ok(Program { path: node()?, arguments: vec!["--expose-gc".into(), script.into()] })
}

/// The native binary of the pinned opencode CLI: `OVERNIGHT_TEST_OPENCODE`, else the one below `.tools/`.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn opencode() -> Result<PathBuf, String> {
    let package = format!("opencode-linux-{}", npm_architecture()?);
    find("OVERNIGHT_TEST_OPENCODE", &Path::new("opencode/node_modules").join(package).join("bin/opencode"))
}

/// Node.js: `OVERNIGHT_TEST_NODE`, else the `node` in `PATH`.
///
/// # Errors
/// If there is none, or it is too old for the pinned CLIs.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by the environment, and the testkit does not depend on overnight-proc"
)]
pub fn node() -> Result<PathBuf, String> {
    let asked = std::env::var_os("OVERNIGHT_TEST_NODE").filter(|value| !value.is_empty());
    let path = asked.map_or_else(|| PathBuf::from("node"), PathBuf::from);
    let output = std::process::Command::new(&path).arg("--version").output();
    let output = output.map_err(|error| format!("{} cannot be started: {error}", path.display()))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if node_major(&version).is_some_and(|major| major >= OLDEST_NODE) {
        return Ok(path);
    }
    Err(format!("{} is {version:?}, and the CLI needs Node.js {OLDEST_NODE} or newer", path.display()))
}

/// From what `node --version` prints, as `v20.1.0`.
fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The folder of GitHub's published API description: `OVERNIGHT_TEST_OPENAPI`, else the one below `.tools/`.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn github_openapi() -> Result<PathBuf, String> {
    find("OVERNIGHT_TEST_OPENAPI", Path::new("openapi/node_modules/@octokit/openapi"))
}

/// The pinned API fuzzer Schemathesis: `OVERNIGHT_TEST_SCHEMATHESIS`, else the one below `.tools/`.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn schemathesis() -> Result<PathBuf, String> {
    find("OVERNIGHT_TEST_SCHEMATHESIS", Path::new("schemathesis/bin/schemathesis"))
}

/// The official conformance tests of the Model Context Protocol, run by the Node that they need: `OVERNIGHT_TEST_MCP_CONFORMANCE`
/// and `OVERNIGHT_TEST_MCP_NODE`, else those below `.tools/`.
///
/// # Errors
/// The reason why they cannot be used here, for the `skipped:` line of a test.
pub fn mcp_conformance() -> Result<Program, String> {
    let script = "mcp-conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js";
    let script = find("OVERNIGHT_TEST_MCP_CONFORMANCE", Path::new(script))?;
    let node = format!("node/node_modules/node-linux-{}/bin/node", npm_architecture()?);
    let node = find("OVERNIGHT_TEST_MCP_NODE", Path::new(&node))?;
    Ok(Program { path: node, arguments: vec![script.into()] })
}

/// npm's name for this machine's processor, as used in the names of packages that hold native binaries.
fn npm_architecture() -> Result<&'static str, String> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("x64"),
        "aarch64" => Ok("arm64"),
        other => Err(format!("no native binary is published for the processor {other}")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by the environment, not by overnight::config"
)]
fn find(variable: &str, below_tools: &Path) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return existing(PathBuf::from(path), &format!("set by {variable}"));
    }
    existing(tools_dir().join(below_tools), "run `cargo xtask tools`")
}

fn existing(path: PathBuf, hint: &str) -> Result<PathBuf, String> {
    if path.exists() { Ok(path) } else { Err(format!("{} is missing ({hint})", path.display())) }
}

/// `.tools` in the workspace root, which is two levels above this crate.
fn tools_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).join(".tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_together_with_the_remedy() {
        let reason = existing(PathBuf::from("/nonexistent/claude"), "run `x`").unwrap_err();
        assert_eq!(reason, "/nonexistent/claude is missing (run `x`)");
    }

    #[test]
    fn the_age_of_node_is_read_from_its_version() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("20"), None);
    }

    #[test]
    fn the_tools_folder_is_in_the_workspace_root() {
        assert!(tools_dir().parent().is_some_and(|root| root.join("Cargo.lock").is_file()));
    }
}
