//! Where PostgreSQL's programs are on a machine.
//!
//! Owns no state and must use nothing but std: `cargo xtask tools` compiles this file as well, so that the tests and
//! the command that installs what they lack can never disagree about what is there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names a folder of programs, and wins over every other place.
const VARIABLE: &str = "OVERNIGHT_TEST_POSTGRES";

/// A server cannot be made without the first two, nor asked anything without the third.
const NEEDED: [&str; 3] = ["initdb", "postgres", "psql"];

/// The places to look at, in the order of the fields.
#[derive(Debug)]
pub(crate) struct Search {
    /// The folder that the person named.
    pub(crate) asked: Option<PathBuf>,
    /// `PATH`.
    pub(crate) path: OsString,
    /// Where Debian's packages have a folder `<version>/bin` each, which is not in `PATH`.
    pub(crate) packaged: PathBuf,
}

impl Search {
    /// As the environment of this process says.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests and development commands are configured by the environment, not by overnight::config"
    )]
    pub(crate) fn of_this_machine() -> Self {
        Self {
            asked: std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from),
            path: std::env::var_os("PATH").unwrap_or_default(),
            packaged: PathBuf::from("/usr/lib/postgresql"),
        }
    }
}

/// The folder that holds the server's programs.
///
/// # Errors
/// Why there is none, in one line. A folder that the person named is not silently replaced by another.
pub(crate) fn programs(search: &Search) -> Result<PathBuf, String> {
    if let Some(asked) = &search.asked {
        return if is_complete(asked) {
            Ok(asked.clone())
        } else {
            Err(format!("{VARIABLE}={} lacks one of {}", asked.display(), NEEDED.join(", ")))
        };
    }
    in_path(&search.path).or_else(|| packaged(&search.packaged)).ok_or_else(|| {
        format!(
            "no PostgreSQL server ({}) in PATH, {}/*/bin or {VARIABLE}",
            NEEDED.join(", "),
            search.packaged.display()
        )
    })
}

/// A link in `PATH` often leads to a folder that has everything, while its own folder has not.
fn in_path(path: &OsString) -> Option<PathBuf> {
    std::env::split_paths(path)
        .flat_map(|folder| [real_folder(&folder.join(NEEDED[0])), Some(folder)])
        .flatten()
        .find(|folder| is_complete(folder))
}

fn real_folder(program: &Path) -> Option<PathBuf> {
    program.canonicalize().ok()?.parent().map(Path::to_path_buf)
}

fn packaged(root: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(root).ok()?.flatten();
    versions
        .filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path().join("bin"))))
        .filter(|(_, folder)| is_complete(folder))
        .max()
        .map(|(_, folder)| folder)
}

/// `15` or `9.6`, as numbers that can be compared.
fn version(name: &str) -> Option<Vec<u32>> {
    name.split('.').map(|part| part.parse().ok()).collect()
}

fn is_complete(folder: &Path) -> bool {
    NEEDED.iter().all(|program| folder.join(program).is_file())
}
