//! The words of the command line: arguments, the values in them, help topics.

pub mod agent_args;
pub mod args;
pub mod backlog_args;
pub mod budget_args;
pub mod cascade_args;
pub mod db_args;
pub mod gate_args;
pub mod gc_args;
pub mod pull_args;
pub mod queue_args;
pub mod run_args;
pub mod talk_args;
pub mod token_args;
pub mod topics;
pub mod values;
pub mod words;
pub mod work_args;

pub use args::{Cli, Command, Global};
