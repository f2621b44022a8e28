//! Which variables of the runner's environment reach an agent or a check: an allow-list, never a list of exceptions.
//!
//! Owns no state. Must never let through a key of a forge, of the runner or of the user's shell session: everything that
//! is not named here stays outside, so a secret under a name that nobody thought of stays outside as well.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

mod vendors;

pub use vendors::login_variables;
pub(crate) use vendors::{adapter_environment, vendor_behind, vendor_environment};

/// A whole environment, by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// Who and where the user is. `XDG_RUNTIME_DIR` is left out: it holds the sockets of key agents and container engines.
/// The categories of `LC_` are listed one by one because ssh servers accept any name with that prefix.
const PLACE: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_ADDRESS",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_IDENTIFICATION",
    "LC_MEASUREMENT",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NAME",
    "LC_NUMERIC",
    "LC_PAPER",
    "LC_TELEPHONE",
    "LC_TIME",
    "LOCALE_ARCHIVE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// Where toolchains and their caches are. Only locations: variables that hold flags, registries or addresses may carry a
/// password (`GOPROXY`, `PIP_INDEX_URL`, `NPM_CONFIG_REGISTRY`) and are left out.
const TOOLCHAINS: &[&str] = &[
    "ANDROID_HOME",
    "ANDROID_SDK_ROOT",
    "ASDF_DATA_DIR",
    "ASDF_DIR",
    "BUNDLE_PATH",
    "BUN_INSTALL",
    "CARGO_HOME",
    "CCACHE_DIR",
    "COMPOSER_HOME",
    "COREPACK_HOME",
    "CUDA_HOME",
    "DENO_DIR",
    "DOTNET_ROOT",
    "FNM_DIR",
    "GEM_HOME",
    "GEM_PATH",
    "GHCUP_INSTALL_BASE_PREFIX",
    "GOCACHE",
    "GOMODCACHE",
    "GOPATH",
    "GOROOT",
    "GRADLE_HOME",
    "GRADLE_USER_HOME",
    "HEX_HOME",
    "JAVA_HOME",
    "LD_LIBRARY_PATH",
    "M2_HOME",
    "MAVEN_HOME",
    "MISE_DATA_DIR",
    "MIX_HOME",
    "NIX_PATH",
    "NIX_PROFILES",
    "NPM_CONFIG_CACHE",
    "NUGET_PACKAGES",
    "NVM_BIN",
    "NVM_DIR",
    "OPAMROOT",
    "PIP_CACHE_DIR",
    "PKG_CONFIG_PATH",
    "PNPM_HOME",
    "POETRY_HOME",
    "PYENV_ROOT",
    "RBENV_ROOT",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SCCACHE_DIR",
    "SDKMAN_DIR",
    "STACK_ROOT",
    "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "VOLTA_HOME",
];

/// How the network is reached: files of certificates, and hosts that need no proxy.
const NETWORK: &[&str] = &[
    "CURL_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "no_proxy",
];

/// Proxy addresses: a user name and password in them are taken out.
const PROXIES: &[&str] =
    &["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy", "https_proxy"];

/// What every contained command gets: the allow-listed variables of `host`, a plain terminal, and `tmp` for temporary
/// files. Entries of `PATH` that are not absolute are dropped, because they would be looked up in the workspace.
#[must_use]
pub fn base_environment(host: &Environment, tmp: &Path) -> Environment {
    let mut env = Environment::new();
    for name in PLACE.iter().chain(TOOLCHAINS).chain(NETWORK) {
        copy(host, &mut env, name);
    }
    for name in PROXIES {
        if let Some(address) = host.get(OsStr::new(name)) {
            env.insert(name.into(), without_userinfo(address));
        }
    }
    if let Some(path) = host.get(OsStr::new("PATH")) {
        env.insert("PATH".into(), absolute_entries(path));
    }
    env.insert("TERM".into(), "dumb".into());
    env.insert("TMPDIR".into(), tmp.into());
    env
}

/// What a check gets: the base and nothing else. No vendor's key, whoever pays for the agent.
#[must_use]
pub fn check_environment(host: &Environment, tmp: &Path) -> Environment {
    base_environment(host, tmp)
}

fn copy(host: &Environment, env: &mut Environment, name: &str) {
    if let Some(value) = host.get(OsStr::new(name)) {
        env.insert(name.into(), value.clone());
    }
}

/// The address without `user:password@`. The authority is what stands before the first `/`, `?` or `#` after the scheme.
fn without_userinfo(address: &OsStr) -> OsString {
    let bytes = address.as_bytes();
    let start = bytes.windows(3).position(|w| w == b"://").map_or(0, |at| at + 3);
    let rest = &bytes[start..];
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let host = rest[..end].iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
    // A password with an unescaped `/` reaches beyond the authority: nothing before the last `@` may survive.
    let stray = rest.iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
    OsString::from_vec([&bytes[..start], &rest[host.max(stray)..]].concat())
}

fn absolute_entries(path: &OsStr) -> OsString {
    let kept: Vec<&[u8]> =
        path.as_bytes().split(|b| *b == b':').filter(|entry| entry.starts_with(b"/")).collect();
    OsString::from_vec(kept.join(&b':'))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// Every name under which a secret or a way to one is known to travel, all with the same value.
    pub(crate) fn canary() -> Environment {
        let names = [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AZURE_OPENAI_API_KEY",
            "BASH_ENV",
            "CARGO_REGISTRY_TOKEN",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CODEX_ACCESS_TOKEN",
            "CODEX_API_KEY",
            "DASHSCOPE_API_KEY",
            "DATABASE_URL",
            "DBUS_SESSION_BUS_ADDRESS",
            "DOCKER_HOST",
            "GEMINI_API_KEY",
            "GH_TOKEN",
            "GITEA_TOKEN",
            "GITHUB_TOKEN",
            "GITLAB_TOKEN",
            "GIT_ASKPASS",
            "GIT_CONFIG_PARAMETERS",
            "GIT_SSH_COMMAND",
            "GOOGLE_API_KEY",
            "GOPROXY",
            "IS_SANDBOX",
            "LC_SECRET",
            "LD_PRELOAD",
            "NODE_OPTIONS",
            "NPM_TOKEN",
            "OPENAI_API_KEY",
            "OPENCODE_API_KEY",
            "OPENCODE_AUTH_CONTENT",
            "OPENCODE_CONFIG_CONTENT",
            "OPENROUTER_API_KEY",
            "OVERNIGHT_DATABASE",
            "OVERNIGHT_GITHUB_TOKEN",
            "SSH_AUTH_SOCK",
            "XDG_RUNTIME_DIR",
            "A_NAME_NOBODY_KNOWS",
        ];
        let mut env: Environment = names.iter().map(|name| (name.into(), "canary".into())).collect();
        env.insert("HTTPS_PROXY".into(), "http://me:canary@proxy.test:3128/".into());
        env.insert("all_proxy".into(), "me:can/canary@proxy.test:1080".into());
        env.insert("PATH".into(), "/usr/bin:.::bin:/bin".into());
        env.insert("HOME".into(), "/home/me".into());
        env
    }

    pub(crate) fn holders(env: &Environment) -> Vec<&str> {
        let leaks = |value: &OsStr| value.as_bytes().windows(6).any(|w| w == b"canary");
        env.iter().filter(|(_, value)| leaks(value)).filter_map(|(name, _)| name.to_str()).collect()
    }

    #[test]
    fn no_key_reaches_a_check() {
        let env = check_environment(&canary(), Path::new("/job/tmp"));
        assert_eq!(holders(&env), [""; 0]);
        assert_eq!(env.get(OsStr::new("HOME")), Some(&"/home/me".into()));
    }

    #[test]
    fn programs_are_not_looked_up_in_the_workspace() {
        let env = base_environment(&canary(), Path::new("/t"));
        assert_eq!(env.get(OsStr::new("PATH")), Some(&"/usr/bin:/bin".into()));
    }

    #[test]
    fn terminal_and_temporary_files_are_the_jobs_own() {
        let host = environment(&[("TERM", "xterm-256color"), ("TMPDIR", "/home/me/tmp")]);
        let env = base_environment(&host, Path::new("/job/tmp"));
        assert_eq!(env, environment(&[("TERM", "dumb"), ("TMPDIR", "/job/tmp")]));
    }

    #[test]
    fn what_a_build_needs_to_find_its_way_reaches_it_unchanged() {
        let host = environment(&[
            ("CARGO_HOME", "/home/me/.cargo"),
            ("JAVA_HOME", "/opt/java"),
            ("LANG", "de_DE.UTF-8"),
            ("LC_TIME", "C"),
            ("NO_PROXY", "localhost,@x"),
            ("SSL_CERT_FILE", "/etc/ca.pem"),
            ("TZ", "UTC"),
            ("XDG_CACHE_HOME", "/home/me/.cache"),
        ]);
        let env = check_environment(&host, Path::new("/job/tmp"));
        assert!(host.iter().all(|(name, value)| env.get(name) == Some(value)), "{env:?}");
    }

    #[test]
    fn a_proxy_keeps_its_address_and_loses_its_password() {
        let cases = [
            ("http://me:pw@proxy.test:3128", "http://proxy.test:3128"),
            ("http://proxy.test:3128/path", "http://proxy.test:3128/path"),
            ("me:pw@proxy.test", "proxy.test"),
            ("http://me:p@w@proxy.test", "http://proxy.test"),
            ("http://me:p/w@proxy.test", "http://proxy.test"),
            ("", ""),
        ];
        for (address, bare) in cases {
            assert_eq!(without_userinfo(OsStr::new(address)), OsStr::new(bare), "{address}");
        }
    }
}
