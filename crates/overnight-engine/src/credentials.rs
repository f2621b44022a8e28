//! Which forge a remote belongs to, and the token for it. Tokens are looked up at the moment they are needed and go to
//! exactly two places: the forge's client and the one git process that pushes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use overnight_core::command::{CommandSpec, Isolation};
use overnight_core::units::Timestamp;
use overnight_forge::{
    AppKey, Forge, ForgeAddress, ForgeError, KnownForges, Secret, Settings, TokenSource, detect,
};

use crate::host::Host;

/// Longest run of a token command. A helper that takes longer waits for a person.
const TOKEN_COMMAND: Duration = Duration::from_secs(20);
/// A token is a line; more than this in a token file is a mistake.
const TOKEN_FILE: u64 = 64 << 10;

/// What the configuration says about forges.
#[derive(Debug, Clone, Default)]
pub struct ForgeSettings {
    pub known: KnownForges,
    /// Where the token of each host is; the first source that has one counts.
    pub tokens: Vec<HostToken>,
    /// Hosts on which we speak for a GitHub App; they go before tokens.
    pub apps: Vec<HostApp>,
    /// What is open to them: their tokens live for an hour, and making one costs two calls.
    pub opened: OpenedApps,
    /// Files with other secrets, which no agent may see either.
    pub secret_files: Vec<PathBuf>,
    pub http: Settings,
}

/// Token sources of one host.
#[derive(Debug, Clone)]
pub struct HostToken {
    /// `host`, `host:port` or `host/path`: where a browser finds the forge.
    pub host: String,
    pub sources: Vec<TokenSource>,
}

/// The GitHub App of one host.
#[derive(Debug, Clone)]
pub struct HostApp {
    /// As of [`HostToken::host`].
    pub host: String,
    /// The App's id or its client id.
    pub id: String,
    /// The PEM file that GitHub gave out. Nobody but its owner may read it.
    pub key_file: PathBuf,
    /// The time now, for the statement that the key signs.
    pub now: fn() -> Timestamp,
}

/// Connections that speak for an App, by remote. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct OpenedApps(Arc<Mutex<HashMap<String, Arc<Forge>>>>);

/// Why a source has no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("token file {path:?} cannot be read")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("token command {program:?} failed: {why}")]
    Command { program: String, why: String },
    #[error(
        "the App's key {path:?} can be read by others than its owner (mode {mode:03o}); chmod 600 it, and make a new key if it was seen"
    )]
    KeyOpen { path: PathBuf, mode: u32 },
    #[error("the GitHub App cannot be spoken for")]
    App(#[from] ForgeError),
}

impl ForgeSettings {
    #[must_use]
    pub fn address(&self, remote: &str) -> Option<ForgeAddress> {
        detect(remote, &self.known)
    }

    /// A remote's forge, spoken to as the App of its host or with its token; `None`: there is neither.
    ///
    /// # Errors
    /// As [`ForgeSettings::token`], and when the forge's address cannot be used.
    pub(crate) async fn connect(
        &self,
        address: ForgeAddress,
        remote: &str,
        host: &Host,
    ) -> Result<Option<(Arc<Forge>, Option<Secret>)>, TokenError> {
        let place = Place::of(remote);
        if let Some(forge) = place.as_ref().map(|place| self.app(remote, place)).transpose()?.flatten() {
            return Ok(Some((forge, None)));
        }
        let Some(token) = self.token(remote, host).await? else { return Ok(None) };
        let forge = Forge::connect(address, token.clone(), self.http.clone())?;
        Ok(Some((Arc::new(forge), Some(token))))
    }

    /// The connection as the App of the remote's host, where it has one.
    fn app(&self, remote: &str, place: &Place<'_>) -> Result<Option<Arc<Forge>>, TokenError> {
        let Some(app) = self.apps.iter().find(|app| place.is_on(&app.host)) else { return Ok(None) };
        let Some(address) = self.address(remote) else { return Ok(None) };
        let mut opened = self.opened.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(forge) = opened.get(remote) {
            return Ok(Some(Arc::clone(forge)));
        }
        let key = AppKey { id: app.id.clone(), private_key: key_file(&app.key_file)?, now: app.now };
        let forge = Arc::new(Forge::connect_app(address, &key, self.http.clone())?);
        opened.insert(remote.to_owned(), Arc::clone(&forge));
        Ok(Some(forge))
    }

    /// Whether an App's key can be used. The forge is not asked.
    ///
    /// # Errors
    /// [`TokenError`] when it cannot be read, others can read it too, or it is none.
    pub fn check_app(&self, app: &HostApp) -> Result<(), TokenError> {
        let key = AppKey { id: app.id.clone(), private_key: key_file(&app.key_file)?, now: app.now };
        let Some(address) = self.address(&format!("https://{}/owner/repository", app.host)) else {
            return Ok(());
        };
        Ok(Forge::connect_app(address, &key, self.http.clone()).map(drop)?)
    }

    /// Whether a remote lies on the forge of this name, as the configuration writes it.
    #[must_use]
    pub fn is_on(remote: &str, host: &str) -> bool {
        Place::of(remote).is_some_and(|place| place.is_on(host))
    }

    /// Every file that holds a token or another secret of a forge.
    pub(crate) fn token_files(&self) -> impl Iterator<Item = &Path> {
        let sources = self.tokens.iter().flat_map(|token| &token.sources);
        let keys = self.apps.iter().map(|app| app.key_file.as_path());
        let others = self.secret_files.iter().map(PathBuf::as_path).chain(keys);
        others.chain(sources.filter_map(|source| match source {
            TokenSource::File(path) => Some(path.as_path()),
            TokenSource::Env(_) | TokenSource::Command(_) => None,
        }))
    }

    /// The token for a remote's host, or `None` when no source has one.
    ///
    /// # Errors
    /// [`TokenError`] when a source that was named cannot be used: going on without it would look like a missing right.
    pub async fn token(&self, remote: &str, host: &Host) -> Result<Option<Secret>, TokenError> {
        let Some(place) = Place::of(remote) else { return Ok(None) };
        if let Some(forge) = self.app(remote, &place)? {
            return Ok(Some(forge.token().await?));
        }
        let sources = self.tokens.iter().filter(|token| place.is_on(&token.host));
        for source in sources.flat_map(|token| &token.sources) {
            let found = match source {
                TokenSource::Env(name) => env_token(host, name),
                TokenSource::File(path) => Some(file_token(path)?),
                TokenSource::Command(argv) => Some(command_token(argv, host).await?),
            };
            if let Some(secret) = found.filter(|secret| !secret.is_empty()) {
                return Ok(Some(secret));
            }
        }
        Ok(None)
    }
}

fn env_token(host: &Host, name: &str) -> Option<Secret> {
    host.env.get(OsStr::new(name)).map(|value| Secret::new(&value.to_string_lossy()))
}

/// A key signs for months: one that others can read is not used.
fn key_file(path: &Path) -> Result<Secret, TokenError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| TokenError::File { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenError::KeyOpen { path: path.to_owned(), mode });
    }
    file_token(path)
}

fn file_token(path: &Path) -> Result<Secret, TokenError> {
    use std::io::Read;
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(TOKEN_FILE).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|source| TokenError::File { path: path.to_owned(), source })?;
    Ok(Secret::new(&text))
}

async fn command_token(argv: &[String], host: &Host) -> Result<Secret, TokenError> {
    let program = argv.first().cloned().unwrap_or_default();
    let failed = |why: String| TokenError::Command { program: program.clone(), why };
    let mut spec = CommandSpec::new(&program, "/").args(argv.iter().skip(1));
    spec.env.clone_from(&host.env);
    spec.isolation = Isolation::Tethered;
    spec.limits.wall = Some(TOKEN_COMMAND);
    let output = overnight_proc::output(&spec, 64 << 10).await.map_err(|error| failed(error.to_string()))?;
    if !output.report.success() {
        // Its stderr may hold anything; the exit tells enough.
        return Err(failed(format!("it ended with {:?}", output.report.exit)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

/// Names under which github.com is reached; the second takes SSH on port 443.
const GITHUB: [&str; 3] = ["github.com", "ssh.github.com", "www.github.com"];

/// Where a remote is, as far as it says whose token it takes.
struct Place<'a> {
    /// Without user; with the port unless it is the usual one.
    host: &'a str,
    path: &'a str,
    /// Over SSH neither port nor a path before the repository's says anything about the forge.
    web: bool,
}

impl<'a> Place<'a> {
    /// `None` for a place on this machine.
    fn of(remote: &'a str) -> Option<Self> {
        let (usual_port, authority, path) = match remote.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/')?;
                let usual_port = match scheme {
                    "https" => Some(":443"),
                    "http" => Some(":80"),
                    _ => None,
                };
                (usual_port, authority, path)
            }
            None => {
                let (authority, path) = remote.split_once(':')?;
                (None, authority, path)
            }
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match usual_port {
            Some(port) => host.strip_suffix(port).unwrap_or(host),
            None => without_port(host),
        };
        (!host.is_empty()).then_some(Self { host, path, web: usual_port.is_some() })
    }

    /// Whether it lies on the forge of this name.
    fn is_on(&self, forge: &str) -> bool {
        let (host, below) = forge.split_once('/').unwrap_or((forge, ""));
        if host.eq_ignore_ascii_case(GITHUB[0]) {
            return GITHUB.iter().any(|name| name.eq_ignore_ascii_case(self.host));
        }
        if !self.web {
            return without_port(host).eq_ignore_ascii_case(self.host);
        }
        let below = below.trim_end_matches('/');
        let rest = self.path.strip_prefix(below);
        host.eq_ignore_ascii_case(self.host)
            && rest.is_some_and(|rest| below.is_empty() || rest.starts_with('/'))
    }
}

fn without_port(host: &str) -> &str {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_the_remotes_on_its_forge_and_for_no_other() {
        let cases = [
            ("git.example.org:8443", "https://git.example.org:8443/a/b.git", true),
            ("git.example.org", "https://Git.example.org:443/a/b.git", true),
            ("git.example.org", "https://git.example.org:8443/a/b.git", false),
            ("git.example.org", "https://git.example.org.evil.test/a/b.git", false),
            ("git.example.org:8443", "ssh://git@git.example.org:2222/a/b", true),
            ("git.example.org:8443", "git@git.example.org:a/b", true),
            ("git.example.org/gitea", "https://git.example.org/gitea/a/b.git", true),
            ("git.example.org/gitea/", "https://git.example.org/gitea/a/b.git", true),
            ("git.example.org/gitea", "https://git.example.org/giteax/a/b.git", false),
            ("git.example.org/gitea", "https://git.example.org/a/b.git", false),
            ("git.example.org/gitea", "git@git.example.org:a/b.git", true),
            ("github.com", "git@github.com:a/b.git", true),
            ("github.com", "ssh://git@ssh.github.com:443/a/b.git", true),
            ("github.com", "https://github.com.evil.test/a/b.git", false),
            ("git.example.org", "/srv/git/a", false),
            ("git.example.org", "file:///srv/git/a", false),
        ];
        for (forge, remote, wanted) in cases {
            assert_eq!(Place::of(remote).is_some_and(|place| place.is_on(forge)), wanted, "{forge} {remote}");
        }
    }
}
