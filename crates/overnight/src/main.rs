//! The program: hands arguments and environment to the library, and its exit status back.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use overnight::config::Environment;

fn main() -> ExitCode {
    overnight::main(std::env::args_os(), Environment::read())
}
