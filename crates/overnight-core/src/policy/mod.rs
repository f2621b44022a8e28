//! Decisions as pure functions: what a verification means for the job, and what its limits still allow.

pub mod alignment;
pub mod budget;
pub mod cascade;
pub mod circuit;
pub mod gate;
pub mod preflight;
