//! The `opencode` backend: `opencode run --format json`, one JSON object per line.
//!
//! The format is what `recordings/opencode` holds. There is no line for the end of a turn: a turn has succeeded when the last
//! step stopped by itself and the program ended with status 0.

mod driver;
mod outcome;
mod plan;

pub(crate) use driver::OpencodeDriver;
pub(crate) use plan::{check, plan};

#[cfg(test)]
mod tests;
