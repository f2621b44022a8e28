//! `cargo xtask matrix`: every agent in every kind of trouble, with the real CLIs, as a Markdown table.
//!
//! Owns the command line and nothing of the measuring: that is a part of the integration tests of `overnight`, ignored by default
//! because it takes minutes.

use crate::{tools, workspace};
use std::process::{Command, ExitCode};

/// The line shown by `cargo xtask --help`.
pub const HELP: &str = "measure every agent in every kind of trouble: --agents A,B --columns C,D --threads N";

const USAGE: &str = "\
Usage: cargo xtask matrix [--agents NAME,…] [--columns NAME,…] [--threads NUMBER]

  --agents   only these rows: claude, codex, gemini, qwen, opencode, rehearsal, command
  --columns  only these kinds of trouble, by the names that the table shows
  --threads  cells at a time [default: 3]

Prints the table of docs/backends.md. Ends with 1 when a cell is not as expected; what is not installed is said and counted.";

/// The test that measures.
const TEST: &str = "vendors::matrix::the_matrix";
/// The flags, and the variables that the test reads.
const FLAGS: [(&str, &str); 3] = [
    ("--agents", "OVERNIGHT_MATRIX_AGENTS"),
    ("--columns", "OVERNIGHT_MATRIX_COLUMNS"),
    ("--threads", "OVERNIGHT_MATRIX_THREADS"),
];

/// Measures and prints the table. The exit code says whether every cell is as expected.
pub fn run(arguments: &[String]) -> Result<ExitCode, String> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(chosen) = parse(arguments) else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    tools::install_missing()?;
    let file = workspace::target_dir().join("matrix.md");
    // A table of an earlier run would look like this one's.
    drop(std::fs::remove_file(&file));
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace::root())
        .args(["test", "--package", "overnight", "--test", "it", "--"])
        .args([TEST, "--exact", "--ignored", "--nocapture"])
        .env("OVERNIGHT_MATRIX_FILE", &file)
        .envs(chosen)
        .status()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    let table = std::fs::read_to_string(&file).map_err(|error| format!("no table was made: {error}"))?;
    println!("\n{table}");
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The variables to set; `None` for arguments that are not understood.
fn parse(arguments: &[String]) -> Option<Vec<(&'static str, String)>> {
    let mut chosen = Vec::new();
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let (name, variable) = FLAGS.into_iter().find(|(name, _)| name == flag)?;
        let value = rest.next()?;
        if name == "--threads" && value.parse::<usize>().ok().is_none_or(|threads| threads == 0) {
            return None;
        }
        chosen.push((variable, value.clone()));
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Option<Vec<(&'static str, String)>> {
        parse(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        assert_eq!(parsed(&[]), Some(Vec::new()));
        let both = parsed(&["--agents", "claude,qwen", "--columns", "max turns"]).unwrap();
        assert_eq!(both[1], ("OVERNIGHT_MATRIX_COLUMNS", "max turns".to_owned()));
        for bad in [&["--agents"][..], &["--threads", "0"], &["--speed", "9"], &["claude"]] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }

    /// The name of the test and of its variables are an interface here.
    #[test]
    fn the_test_that_measures_is_there() {
        let source = workspace::root().join("crates/overnight/tests/it/vendors/matrix/mod.rs");
        let source = std::fs::read_to_string(source).unwrap();
        assert!(source.contains("fn the_matrix()") && source.contains("OVERNIGHT_MATRIX_FILE"));
        for (_, variable) in FLAGS {
            let word = variable.strip_prefix("OVERNIGHT_MATRIX_").unwrap();
            assert!(source.contains(&format!("\"{word}\"")), "{variable}");
        }
    }
}
