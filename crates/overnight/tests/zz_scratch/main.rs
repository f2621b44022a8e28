//! scratch, removed before the helper ends
#![allow(clippy::disallowed_methods, dead_code, unused_imports, clippy::allow_attributes)]
mod bad_input;
mod control;
mod harness;
mod hostile;
mod repositories;
