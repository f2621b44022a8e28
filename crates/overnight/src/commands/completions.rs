//! `overnight completions`: a script for the person's shell.

use clap::CommandFactory;
use overnight_core::job::ExitCode;

use crate::cli::Cli;
use crate::cli::args::CompletionsArgs;
use crate::error::Outcome;
use crate::output::Out;

/// # Errors
/// When standard output cannot be written.
pub fn run(out: Out, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "overnight", &mut script);
    out.bytes(&script)?;
    Ok(ExitCode::Done)
}
