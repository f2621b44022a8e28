//! Finds the third-party programs and data that tests use and cargo cannot fetch.
//!
//! Owns no state: each call looks at the environment and the disk again. Must not install or start anything;
//! `cargo xtask tools` installs. An `Err` is the reason that a test prints after `skipped: `.

use std::path::{Path, PathBuf};

/// The native binary of the pinned Claude Code CLI: `OVERNIGHT_TEST_CLAUDE`, else the one below `.tools/`.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn claude() -> Result<PathBuf, String> {
    let package = format!("@anthropic-ai/claude-code-linux-{}", npm_architecture()?);
    find("OVERNIGHT_TEST_CLAUDE", &Path::new("claude/node_modules").join(package).join("claude"))
}

/// The folder of GitHub's published API description: `OVERNIGHT_TEST_OPENAPI`, else the one below `.tools/`.
///
/// # Errors
/// The reason why it cannot be used here, for the `skipped:` line of a test.
pub fn github_openapi() -> Result<PathBuf, String> {
    find("OVERNIGHT_TEST_OPENAPI", Path::new("openapi/node_modules/@octokit/openapi"))
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
    fn the_tools_folder_is_in_the_workspace_root() {
        assert!(tools_dir().parent().is_some_and(|root| root.join("Cargo.lock").is_file()));
    }
}
