//! Where the token of a forge comes from.

use std::path::PathBuf;

/// Where a token is to be taken from. Data only: the composition root resolves it, a command through `overnight-proc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The environment variable of this name.
    Env(String),
    /// The whole content of this file.
    File(PathBuf),
    /// The first line that this command prints: program, then arguments; no shell.
    Command(Vec<String>),
}
