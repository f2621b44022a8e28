//! Where a person's keys for the outside world lie: places that no contained command has any business in.
//!
//! Knows usual places and the variables by which people move them elsewhere. Must not name what an agent's own vendor needs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Below the home directory.
const AT_HOME: [&str; 16] = [
    ".aws",
    ".azure",
    ".cargo/credentials",
    ".cargo/credentials.toml",
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

/// Below `$XDG_CONFIG_HOME`, usually `~/.config`.
const AT_CONFIG: [&str; 8] =
    ["gcloud", "gh", "git/credentials", "glab-cli", "hub", "overnight", "rclone", "tea"];

/// Below `$XDG_RUNTIME_DIR`: sockets of key agents, and of the bus over which a keyring gives out its keys.
const AT_RUNTIME: [&str; 3] = ["bus", "gnupg", "keyring"];

/// Variables that name a file, or a list of files, with keys.
const FILES: [&str; 10] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "BOTO_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBECONFIG",
    "NETRC",
    "NPM_CONFIG_USERCONFIG",
    "PGPASSFILE",
    "SSH_AUTH_SOCK",
    "TF_CLI_CONFIG_FILE",
];

/// Variables that name a directory, and what lies in it; an empty name is the whole directory.
const DIRECTORIES: [(&str, &str); 8] = [
    ("AZURE_CONFIG_DIR", ""),
    ("CARGO_HOME", "credentials"),
    ("CARGO_HOME", "credentials.toml"),
    ("CLOUDSDK_CONFIG", ""),
    ("DOCKER_CONFIG", "config.json"),
    ("GH_CONFIG_DIR", ""),
    ("GLAB_CONFIG_DIR", ""),
    ("GNUPGHOME", ""),
];

/// Every place with keys, there or not.
pub(crate) fn places(env: &BTreeMap<OsString, OsString>, home: Option<&Path>) -> Vec<PathBuf> {
    let named = |name: &str| env.get(OsStr::new(name)).filter(|value| !value.is_empty());
    let directory = |name: &str| named(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let mut places = Vec::new();
    if let Some(home) = home {
        places.extend(AT_HOME.iter().map(|name| home.join(name)));
        // Also where the variable names another: programs that do not know it keep to the usual place.
        places.extend(AT_CONFIG.iter().map(|name| home.join(".config").join(name)));
    }
    if let Some(config) = directory("XDG_CONFIG_HOME") {
        places.extend(AT_CONFIG.iter().map(|name| config.join(name)));
    }
    if let Some(runtime) = directory("XDG_RUNTIME_DIR") {
        places.extend(AT_RUNTIME.iter().map(|name| runtime.join(name)));
    }
    for value in FILES.iter().filter_map(|name| named(name)) {
        places.extend(std::env::split_paths(value).filter(|path| path.is_absolute()));
    }
    for (name, below) in DIRECTORIES {
        places.extend(directory(name).map(|path| if below.is_empty() { path } else { path.join(below) }));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_people_usually_have_them_or_where_they_say() {
        let env = [
            ("XDG_CONFIG_HOME", "/conf"),
            ("KUBECONFIG", "/k/one:/k/two:relative"),
            ("CARGO_HOME", "/cargo"),
            ("GNUPGHOME", "keys"),
            ("AWS_CONFIG_FILE", ""),
            ("SSH_AUTH_SOCK", "/tmp/ssh-1/agent.2"),
        ];
        let env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let found = places(&env, Some(Path::new("/home/me")));
        for wanted in [
            "/home/me/.ssh",
            "/home/me/.config/gh",
            "/conf/gh",
            "/k/one",
            "/k/two",
            "/cargo/credentials.toml",
            "/tmp/ssh-1/agent.2",
        ] {
            assert!(found.contains(&PathBuf::from(wanted)), "{wanted}");
        }
        assert!(found.iter().all(|path| path.is_absolute()), "{found:?}");
        assert!(!found.contains(&PathBuf::from("/cargo")), "what a build needs is left");
        assert_eq!(places(&BTreeMap::new(), None), Vec::<PathBuf>::new());
    }
}
