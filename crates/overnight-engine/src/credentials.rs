//! Which forge a remote belongs to, and the token for it. Tokens are looked up at the moment they are needed and go to
//! exactly two places: the forge's client and the one git process that pushes.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use overnight_core::command::{CommandSpec, Isolation};
use overnight_forge::{ForgeAddress, KnownForges, Secret, Settings, TokenSource, detect};

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
    pub http: Settings,
}

/// Token sources of one host.
#[derive(Debug, Clone)]
pub struct HostToken {
    /// `host` or `host:port`, as in the remote's URL.
    pub host: String,
    pub sources: Vec<TokenSource>,
}

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
}

impl ForgeSettings {
    #[must_use]
    pub fn address(&self, remote: &str) -> Option<ForgeAddress> {
        detect(remote, &self.known)
    }

    /// The token for a remote's host, or `None` when no source has one.
    ///
    /// # Errors
    /// [`TokenError`] when a source that was named cannot be used: going on without it would look like a missing right.
    pub async fn token(&self, remote: &str, host: &Host) -> Result<Option<Secret>, TokenError> {
        let Some(name) = host_of(remote) else { return Ok(None) };
        let sources = self.tokens.iter().filter(|token| token.host.eq_ignore_ascii_case(name));
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

fn file_token(path: &std::path::Path) -> Result<Secret, TokenError> {
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

/// `host` or `host:port` of a remote's URL, without user.
fn host_of(remote: &str) -> Option<&str> {
    let rest = match remote.split_once("://") {
        Some((_, rest)) => rest.split('/').next()?,
        None => remote.split_once(':')?.0,
    };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_each_kind_of_remote() {
        let cases = [
            ("https://git.example.org:8443/a/b.git", Some("git.example.org:8443")),
            ("ssh://git@git.example.org/a/b", Some("git.example.org")),
            ("git@github.com:a/b.git", Some("github.com")),
            ("/srv/git/a", None),
            ("file:///srv/git/a", None),
        ];
        for (remote, host) in cases {
            assert_eq!(host_of(remote), host, "{remote}");
        }
    }
}
