//! The words of the command line: arguments, the values in them, help topics.

pub mod args;
pub mod run_args;
pub mod topics;
pub mod values;
pub mod words;

pub use args::{Cli, Command, Global};
