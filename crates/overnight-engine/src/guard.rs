//! What a contained command must not change or see.
//!
//! An agent works with the person's own home directory, because that is where vendor logins and tool caches are. The guard
//! takes the keys of other things out of it, and keeps our own data and the person's repository from being written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use overnight_core::command::FileGuard;
use overnight_core::job::Job;

use crate::engine::Engine;
use crate::keys;

/// The guard of a job's commands: agent, collecting and checks alike.
pub(crate) fn for_job(engine: &Engine, job: &Job) -> FileGuard {
    let data = engine.dirs().root();
    let own = engine.dirs().job(&job.id);
    let home = engine.host().home.as_deref();
    let mut hidden = keys::places(&engine.host().env, home);
    hidden.extend(engine.forges().token_files().map(Path::to_owned));
    // Where the runner itself may not look, what it starts may not look either.
    hidden.retain(|path| path.canonicalize().is_ok());
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
    let source = Some(Path::new(&job.spec.source)).filter(|source| source.is_absolute());
    for repository in source.into_iter().chain(job.spec.ordered_in.as_deref()) {
        read_only.push(place_of_person(repository, home).to_owned());
        read_only.extend(linked_trees(repository, home));
    }
    read_only.sort_unstable();
    read_only.dedup();
    FileGuard { read_only, writable, hidden }
}

/// The work tree with its repository: a source is named by its git directory. Where the home directory lies in the work tree
/// (people keep it under version control), only the repository: vendor CLIs and tool caches write below home.
fn place_of_person<'a>(source: &'a Path, home: Option<&Path>) -> &'a Path {
    let is_git_dir = source.file_name().is_some_and(|name| name == ".git");
    let holds_home = |tree: &Path| home.is_some_and(|home| home.starts_with(tree));
    source.parent().filter(|tree| is_git_dir && !holds_home(tree)).unwrap_or(source)
}

/// Work trees that are linked to the repository: the person may stand in any of them.
fn linked_trees(git_dir: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(git_dir.join("worktrees")) else { return Vec::new() };
    let tree = |entry: std::fs::DirEntry| {
        let text = std::fs::read(entry.path().join("gitdir")).ok()?;
        // Names the tree's `.git` file, from here where it is relative.
        let file = entry.path().join(OsStr::from_bytes(text.trim_ascii_end()));
        file.parent().map(Path::to_owned)
    };
    let trees = entries.flatten().filter_map(tree);
    trees.filter(|tree| !home.is_some_and(|home| home.starts_with(tree))).collect()
}

fn other_jobs(jobs: &Path, own: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(jobs) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path != own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_place_is_the_work_tree_unless_home_lies_in_it() {
        let place = |source, home| place_of_person(Path::new(source), Some(Path::new(home))).to_owned();
        assert_eq!(place("/src/app/.git", "/home/me"), Path::new("/src/app"));
        assert_eq!(place("/home/me/app/.git", "/home/me"), Path::new("/home/me/app"));
        assert_eq!(place("/srv/app.git", "/home/me"), Path::new("/srv/app.git"));
        assert_eq!(place("/home/me/.git", "/home/me"), Path::new("/home/me/.git"));
        assert_eq!(place("/.git", "/home/me"), Path::new("/.git"));
    }
}
