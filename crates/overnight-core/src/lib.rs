//! Vocabulary and decisions: no IO, no clock, no environment, no async runtime.
