//! Where things are: the workspace root and the folders below it that commands share.
//!
//! Owns no state. Must not create anything: a command makes the folders it writes to.

use std::path::{Path, PathBuf};

/// The workspace root: the parent of this crate's own folder.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The git-ignored folder that holds what tests need and cargo cannot fetch.
pub fn tools_dir() -> PathBuf {
    root().join(".tools")
}

/// Cargo's build folder, where command output worth keeping is put.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
