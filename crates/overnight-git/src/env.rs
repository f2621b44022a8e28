//! The part of the person's environment that git may see, as data.
//!
//! Owns an allow-list and the values kept by it. It must not read the environment itself: the binary hands it over.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// Variables that git needs on the host to find programs, keys, proxies and certificates. Everything else, and every
/// `GIT_*` variable that could point git at another repository or program, is left behind.
const KEPT: [&str; 17] = [
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "no_proxy",
    "NO_PROXY",
];

/// The kept variables. Its `Debug` shows names only: a proxy address can hold a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostEnv {
    vars: BTreeMap<OsString, OsString>,
}

impl HostEnv {
    /// Keeps the variables of the allow-list out of a whole environment.
    #[must_use]
    pub fn from_vars(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let kept = |name: &OsStr| KEPT.iter().any(|known| name == OsStr::new(known));
        Self { vars: vars.into_iter().filter(|(name, _)| kept(name)).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The named variables that are set.
    pub(crate) fn pick<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = (OsString, OsString)> + 'a {
        names.iter().filter_map(|name| Some((OsString::from(name), self.get(name)?.to_owned())))
    }
}

impl fmt::Debug for HostEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_could_redirect_git_are_left_behind() {
        let env = HostEnv::from_vars(
            [("PATH", "/bin"), ("GIT_DIR", "/evil"), ("GIT_CONFIG_COUNT", "1"), ("GIT_EXEC_PATH", "/evil")]
                .map(|(name, value)| (name.into(), value.into())),
        );
        assert_eq!(format!("{env:?}"), r#"{"PATH"}"#);
    }
}
