//! `cargo xtask tools`: gets what the tests use and cargo cannot fetch.
//!
//! Owns no state; each source of tools has a module. Must not fail because a machine lacks something: the tests that need
//! it say themselves that they were skipped.

mod npm;
mod postgres;
mod python;

use std::process::ExitCode;

/// The line shown by `cargo xtask --help`.
pub const HELP: &str = "get what tests use: agent CLIs and data into .tools/ (needs npm), an API fuzzer (needs python3), PostgreSQL (root, apt)";

/// Installs what is missing and can be installed here.
pub fn run(_arguments: &[String]) -> Result<ExitCode, String> {
    install_missing()?;
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing, or says which tests will be skipped.
///
/// # Errors
/// When npm is there and a pinned package cannot be installed.
pub fn install_missing() -> Result<(), String> {
    postgres::install_missing();
    python::install_missing();
    npm::install_missing()
}
