//! The pinned program from PyPI, in a virtual environment of its own below `.tools/`.
//!
//! Owns that folder. Must not write anywhere else. A machine without Python is not an error: the test that needs it says
//! itself that it was skipped.

use crate::workspace;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// An exact version: what a fuzzer looks for changes from version to version.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
const USED_BY: &str = "the test that feeds the API what its own description allows, and what it does not";

fn dir() -> PathBuf {
    workspace::tools_dir().join("schemathesis")
}

/// Written after a whole install, so that a folder cut short by a signal is installed again.
fn stamp() -> PathBuf {
    dir().join("installed")
}

/// Installs it where it is not there at its pinned version. Whatever goes wrong is said and is no error.
pub(super) fn install_missing() {
    if fs::read_to_string(stamp()).is_ok_and(|stamp| stamp.trim() == SCHEMATHESIS) {
        println!("tools: {SCHEMATHESIS} is in {}", dir().display());
        return;
    }
    println!("tools: installing {SCHEMATHESIS} into {}", dir().display());
    if let Err(reason) = install() {
        println!("tools: {reason}, so this will be skipped: {USED_BY}");
        println!("tools: install Python 3.10 or newer with venv and pip, then run `cargo xtask tools`");
    }
}

fn install() -> Result<(), String> {
    let dir = dir();
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("failed to remove {}: {error}", dir.display()));
        }
        Ok(()) | Err(_) => {}
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    let mut pip = Command::new(dir.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-cache-dir",
        SCHEMATHESIS,
    ]);
    run(&mut pip)?;
    fs::write(stamp(), SCHEMATHESIS)
        .map_err(|error| format!("failed to write {}: {error}", stamp().display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} failed ({status})")) }
}
