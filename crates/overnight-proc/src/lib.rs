//! Starts, contains, bounds and ends processes. The only crate that does.
