//! The runner's environment, read once. Everybody else is handed this.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::load::ConfigError;

/// The system-wide configuration file.
const SYSTEM_CONFIG: &str = "/etc/overnight/config.toml";

/// A snapshot of the environment and the working directory. Its `Debug` shows names only: values may be secrets.
#[derive(Clone, Default)]
pub struct Environment {
    vars: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

impl Environment {
    /// The process's own.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Self {
        // Without a working directory (it was removed) relative paths fail where they are used, with their name.
        Self { vars: std::env::vars_os().collect(), cwd: std::env::current_dir().unwrap_or_default() }
    }

    /// Made up, for tests and for child runs of the demo.
    #[must_use]
    pub fn of<N: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (N, V)>,
        cwd: &Path,
    ) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { vars, cwd: cwd.to_owned() }
    }

    #[must_use]
    pub fn vars(&self) -> &BTreeMap<OsString, OsString> {
        &self.vars
    }

    #[must_use]
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// `path` as seen from the working directory.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }

    /// The value when it is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`ConfigError::NotText`] when it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        let not_text = || ConfigError::NotText { name: name.to_owned() };
        self.get(name).map(|value| value.to_str().ok_or_else(not_text)).transpose()
    }

    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
    }

    /// Where a bare program name leads, as `PATH` says; a name with a slash leads to itself.
    #[must_use]
    pub fn find_program(&self, name: &Path) -> Option<PathBuf> {
        if name.components().count() > 1 {
            return Some(self.absolute(name)).filter(|path| is_program(path));
        }
        let path = self.get("PATH")?;
        let candidates = split_path(path).map(|dir| self.absolute(&dir).join(name));
        candidates.into_iter().find(|candidate| is_program(candidate))
    }

    /// `--data-dir`, `OVERNIGHT_DATA_DIR`, `$XDG_DATA_HOME/overnight` or `~/.local/share/overnight`.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when none of them is set.
    pub fn data_dir(&self, flag: Option<&Path>) -> Result<PathBuf, ConfigError> {
        let given = flag.or_else(|| self.get("OVERNIGHT_DATA_DIR").map(Path::new));
        match given {
            Some(dir) => Ok(self.absolute(dir)),
            None => {
                let base = self.xdg("XDG_DATA_HOME", ".local/share").ok_or(ConfigError::NoHome)?;
                Ok(base.join("overnight"))
            }
        }
    }

    /// The configuration files that are looked for, weakest first.
    #[must_use]
    pub fn usual_config_files(&self) -> Vec<PathBuf> {
        let user = self.xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("overnight/config.toml"));
        std::iter::once(PathBuf::from(SYSTEM_CONFIG)).chain(user).collect()
    }

    /// An XDG base directory. The specification says that a relative one is to be ignored.
    fn xdg(&self, name: &str, below_home: &str) -> Option<PathBuf> {
        let given = self.get(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
        given.or_else(|| self.home().map(|home| home.join(below_home)))
    }
}

fn split_path(path: &OsStr) -> impl Iterator<Item = PathBuf> + '_ {
    use std::os::unix::ffi::OsStrExt;
    path.as_bytes()
        .split(|byte| *byte == b':')
        .filter(|dir| !dir.is_empty())
        .map(|dir| OsStr::from_bytes(dir).into())
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_comes_from_the_strongest_source() {
        let cwd = Path::new("/work");
        let full =
            Environment::of([("HOME", "/h"), ("XDG_DATA_HOME", "/x"), ("OVERNIGHT_DATA_DIR", "own")], cwd);
        assert_eq!(full.data_dir(Some(Path::new("/flag"))).unwrap(), Path::new("/flag"));
        assert_eq!(full.data_dir(None).unwrap(), Path::new("/work/own"));
        let xdg = Environment::of([("HOME", "/h"), ("XDG_DATA_HOME", "/x")], cwd);
        assert_eq!(xdg.data_dir(None).unwrap(), Path::new("/x/overnight"));
        let relative = Environment::of([("HOME", "/h"), ("XDG_DATA_HOME", "x")], cwd);
        assert_eq!(relative.data_dir(None).unwrap(), Path::new("/h/.local/share/overnight"));
        let none = Environment::of([("A", "b")], cwd);
        assert!(matches!(none.data_dir(None), Err(ConfigError::NoHome)));
    }

    #[test]
    fn values_of_the_environment_are_never_shown() {
        let env = Environment::of([("TOKEN", "canary")], Path::new("/"));
        assert!(!format!("{env:?}").contains("canary"));
    }

    #[test]
    fn programs_are_found_along_the_path() {
        let env = Environment::of([("PATH", "/nowhere::/bin:/usr/bin")], Path::new("/"));
        assert!(env.find_program(Path::new("sh")).is_some());
        assert_eq!(env.find_program(Path::new("no-such-program-here")), None);
        assert_eq!(env.find_program(Path::new("bin/sh")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(env.find_program(Path::new("/etc/passwd")), None);
    }
}
