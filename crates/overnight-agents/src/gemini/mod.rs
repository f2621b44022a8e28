//! The `gemini` backend: the Gemini CLI without a terminal, one JSON object per line.
//!
//! The format is what `recordings/gemini` holds. A failed request has no code in the lines, but its HTTP status is the exit
//! status of the program: the outcome comes from there, never from what the model or a tool said.

mod driver;
mod outcome;
mod plan;

pub(crate) use driver::GeminiDriver;
pub(crate) use plan::{check, plan};

#[cfg(test)]
mod tests;
