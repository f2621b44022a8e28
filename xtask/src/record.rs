//! `cargo xtask record`: runs the real agent CLIs again and rewrites what they print, which the decoders are tested with.
//!
//! Owns the command line and nothing of the recording: that is a part of the testkit's tests, ignored by default because
//! it rewrites files under version control.

use crate::{tools, workspace};
use std::process::{Command, ExitCode};

/// The line shown by `cargo xtask --help`.
pub const HELP: &str = "rewrite the recordings of the agent CLIs, of all or of those named";

/// The vendors, by the names of their folders in the recordings.
const VENDORS: [&str; 5] = ["claude", "codex", "gemini", "qwen", "opencode"];

/// Records all vendors, or those named. The exit code is cargo's.
pub fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let Some(tests) = tests(arguments) else {
        eprintln!("Usage: cargo xtask record [{}]...", VENDORS.join("|"));
        return Ok(ExitCode::from(2));
    };
    tools::install_missing()?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace::root())
        .args(["test", "--package", "overnight-testkit", "--lib", "--"])
        .args(["--ignored", "--exact", "--nocapture"])
        .args(tests)
        .status()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of the tests that record, or `None` for a vendor that there is not.
fn tests(vendors: &[String]) -> Option<Vec<String>> {
    if !vendors.iter().all(|vendor| VENDORS.contains(&vendor.as_str())) {
        return None;
    }
    let chosen =
        VENDORS.iter().filter(|name| vendors.is_empty() || vendors.iter().any(|vendor| vendor == *name));
    Some(chosen.map(|vendor| format!("model::recorder::{vendor}::record_{vendor}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_vendors_are_recorded_or_those_named() {
        assert_eq!(tests(&[]).unwrap().len(), VENDORS.len());
        let named = tests(&["qwen".to_owned()]).unwrap();
        assert_eq!(named, ["model::recorder::qwen::record_qwen"]);
        assert_eq!(tests(&["qwen".to_owned(), "other".to_owned()]), None);
    }

    /// The names of tests are an interface here.
    #[test]
    fn the_tests_that_are_run_are_there() {
        for vendor in VENDORS {
            let file = format!("crates/overnight-testkit/src/model/recorder/{vendor}.rs");
            let source = std::fs::read_to_string(workspace::root().join(file)).unwrap();
            assert!(source.contains(&format!("async fn record_{vendor}()")), "{vendor}");
        }
    }
}
