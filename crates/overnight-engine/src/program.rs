//! Finds the program of a backend.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use overnight_core::agent::{AgentSettings, BackendId};

use crate::host::Host;

/// The vendor's program: the one that the settings name, else the first of the usual names in `PATH`. For backends that
/// bring their own program, our own.
#[must_use]
pub fn find(settings: &AgentSettings, host: &Host) -> Option<PathBuf> {
    match settings.backend {
        BackendId::Command | BackendId::Rehearsal => Some(host.self_exe.clone()),
        BackendId::Acp | BackendId::Adapter => match settings.adapter.as_deref() {
            Some(adapter) => described(Path::new(adapter.argv.program()), host),
            None => Some(host.self_exe.clone()),
        },
        BackendId::Claude | BackendId::Codex | BackendId::Gemini | BackendId::Qwen | BackendId::Opencode => {
            match &settings.program {
                Some(named) if named.is_absolute() => executable(named).then(|| named.clone()),
                Some(named) => in_path(named.as_os_str(), host),
                None => usual(settings.backend, host),
            }
        }
    }
}

/// A relative path is one of the workspace, which is not there yet.
fn described(program: &Path, host: &Host) -> Option<PathBuf> {
    match program {
        path if path.is_absolute() => executable(path).then(|| path.to_owned()),
        path if path.components().count() > 1 => Some(path.to_owned()),
        path => in_path(path.as_os_str(), host),
    }
}

/// The first installed program of a backend, by its usual names.
#[must_use]
pub fn usual(backend: BackendId, host: &Host) -> Option<PathBuf> {
    overnight_agents::usual_programs(backend).iter().find_map(|name| in_path(OsStr::new(name), host))
}

/// Looks a name up in the person's `PATH`. Entries that are not absolute do not count: they would mean another place in
/// every working directory.
#[must_use]
pub fn in_path(name: &OsStr, host: &Host) -> Option<PathBuf> {
    let path = host.env.get(OsStr::new("PATH"))?;
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| executable(file))
}

fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
