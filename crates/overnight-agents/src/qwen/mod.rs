//! The `qwen` backend: the Qwen Code CLI without a terminal, one JSON object per line.
//!
//! The format is what `recordings/qwen` holds. The outcome comes from the result line and the exit status, never from what the
//! model or a tool said.

mod driver;
mod outcome;
mod plan;

pub(crate) use driver::QwenDriver;
pub(crate) use plan::{check, plan, settings_file, with_settings};

#[cfg(test)]
mod tests;
