//! Development commands, run as `cargo xtask <command>`.
//!
//! Owns nothing but the choice of the command. Each command is a module with one `run` function that returns
//! the exit code; this file must not do any of their work.

#![expect(
    clippy::disallowed_methods,
    reason = "a development command starts programs and reads the environment itself; it is no part of the product"
)]

mod crash_sweep;
mod matrix;
mod record;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

/// One command: its name, the line of help it shows, and what it runs with the arguments after its name.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<ExitCode, String>,
}

/// Every command, in the order of the help text.
const COMMANDS: [Command; 5] = [
    Command { name: "tools", help: tools::HELP, run: tools::run },
    Command { name: "test", help: test::HELP, run: test::run },
    Command { name: "record", help: record::HELP, run: record::run },
    Command { name: "matrix", help: matrix::HELP, run: matrix::run },
    Command { name: "crash-sweep", help: crash_sweep::HELP, run: crash_sweep::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", help());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprint!("xtask: there is no command `{name}`\n\n{}", help());
        return ExitCode::from(2);
    };
    (command.run)(rest).unwrap_or_else(|error| {
        eprintln!("xtask {name}: {error}");
        ExitCode::FAILURE
    })
}

fn help() -> String {
    let lines: String =
        COMMANDS.iter().map(|command| format!("  {:<12} {}\n", command.name, command.help)).collect();
    format!("Usage: cargo xtask <command> [arguments]\n\nCommands:\n{lines}")
}
