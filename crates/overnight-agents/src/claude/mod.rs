//! The `claude` backend: the Claude Code CLI in print mode, one JSON object per line.
//!
//! The format is what `recordings/claude` holds. Must never take an outcome from the model's words, from a tool's input
//! or from a tool's output: only from fields that the CLI itself writes.

mod driver;
mod ledger;
mod outcome;
mod plan;

pub(crate) use driver::ClaudeDriver;
pub(crate) use plan::{check, plan};

#[cfg(test)]
mod tests;
