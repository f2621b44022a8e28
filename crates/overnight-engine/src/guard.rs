//! What a contained command must not change or see.
//!
//! An agent works with the person's own home directory, because that is where vendor logins and tool caches are. The guard
//! takes the keys of other things out of it, and keeps our own data and the person's repository from being written.

use std::path::{Path, PathBuf};

use overnight_core::command::FileGuard;
use overnight_core::job::Job;

use crate::engine::Engine;

/// Places below the home directory where keys for the outside world lie.
const KEYS_AT_HOME: [&str; 24] = [
    ".aws",
    ".azure",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/glab-cli",
    ".config/hub",
    ".config/overnight",
    ".config/rclone",
    ".config/tea",
    ".docker/config.json",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".ssh",
    ".terraform.d/credentials.tfrc.json",
    ".vault-token",
    ".yarnrc.yml",
];

/// The guard of a job's commands: agent, collecting and checks alike.
pub(crate) fn for_job(engine: &Engine, job: &Job) -> FileGuard {
    let data = engine.dirs().root();
    let own = engine.dirs().job(&job.id);
    let mut hidden: Vec<PathBuf> = engine
        .host()
        .home
        .iter()
        .flat_map(|home| KEYS_AT_HOME.iter().map(move |key| home.join(key)))
        .collect();
    let database = engine.dirs().database();
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(suffix);
        hidden.push(name.into());
    }
    hidden.extend(other_jobs(&engine.dirs().jobs(), own.root()));
    hidden.push(own.log());
    // A writable place must not lead through a link; the person's data directory may.
    let real = std::fs::canonicalize(own.root()).unwrap_or_else(|_| own.root().to_owned());
    let writable =
        own.scratch().iter().filter_map(|dir| dir.file_name()).map(|name| real.join(name)).collect();
    let mut read_only = vec![data.to_owned()];
    let source = Path::new(&job.spec.source);
    if source.is_absolute() {
        read_only.push(source.to_owned());
    }
    FileGuard { read_only, writable, hidden }
}

fn other_jobs(jobs: &Path, own: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(jobs) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path != own).collect()
}
