//! What a person sees: words for states and reasons, progress while a job runs, tables and summaries afterwards.
//!
//! Turns facts into text and owns no fact itself. Everything that comes from a job (prompts, paths, output, names) is
//! made safe for a terminal here, by `overnight_core::text`.

pub mod progress;
pub mod queue;
pub mod screen;
pub mod stage;
pub mod words;
