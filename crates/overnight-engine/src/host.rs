//! The machine and the person's environment, as the engine sees them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// Facts about the machine and the person's environment, read once by the composition root.
#[derive(Debug, Clone)]
pub struct Host {
    /// The runner's own environment: agents and checks get an allow-listed part of it.
    pub env: BTreeMap<OsString, OsString>,
    pub home: Option<PathBuf>,
    /// Running as uid 0.
    pub root: bool,
    /// Names of variables that hold keys, beside those whose names say so.
    pub secrets: Vec<String>,
    /// Our own program, for the rehearsal backend.
    pub self_exe: PathBuf,
}
