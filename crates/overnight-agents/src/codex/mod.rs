//! The `codex` backend: `codex exec --json`, one JSON object per line.
//!
//! The format is what `recordings/codex` holds. A failed turn has a sentence and no code: the outcome comes from how that
//! sentence begins, which the CLI writes, and never from what the model or a tool said.

mod driver;
mod outcome;
mod plan;

pub(crate) use driver::CodexDriver;
pub(crate) use plan::{check, plan};

#[cfg(test)]
mod tests;
