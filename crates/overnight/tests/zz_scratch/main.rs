//! scratch, removed before the helper ends
#![allow(clippy::disallowed_methods, dead_code, unused_imports, clippy::allow_attributes)]
mod harness;
mod bad_input;
mod control;
mod hostile;
mod repositories;
