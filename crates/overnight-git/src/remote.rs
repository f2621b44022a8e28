//! Addresses of repositories: parsed once, into a form that cannot carry an option, a helper program or a password.
//!
//! Owns the grammar of what Overnight fetches from and pushes to. It must not talk to any remote.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Longest readable part of a mirror's directory name, in bytes.
const MAX_NAME: usize = 40;
/// Hexadecimal digits of the hash in a mirror's directory name: 64 bits, no chance of an accidental clash.
const HASH_DIGITS: usize = 16;

/// Text that cannot be a remote, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} cannot be used as a remote: {why}")]
pub struct InvalidRemote {
    shown: String,
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// An absolute path on this machine.
    Path(PathBuf),
    /// `https`, or `http` on the loopback interface.
    Http { url: String, tls: bool },
    /// `ssh://` or the short form `user@host:path`.
    Ssh { url: String },
}

/// The address of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    place: Place,
    /// One spelling for all spellings of the same address: decides which mirror is used.
    canonical: Vec<u8>,
}

impl Remote {
    /// Understands a path (relative to `cwd`), `file://`, `https://`, `ssh://` and `user@host:path`; `http://` only on
    /// the loopback interface.
    ///
    /// # Errors
    /// [`InvalidRemote`] for anything else, for a user or password inside an https address, and for text that git
    /// could take for an option or a helper program.
    pub fn parse(text: &str, cwd: &Path) -> Result<Self, InvalidRemote> {
        let refuse = |why| Err(InvalidRemote { shown: without_userinfo(text), why });
        if text.is_empty() || text.starts_with('-') {
            return refuse("it is empty or starts with '-'");
        }
        if text.chars().any(char::is_control) {
            return refuse("it holds a control character");
        }
        let place = match text.split_once("://") {
            Some((scheme, rest)) => parse_url(&scheme.to_ascii_lowercase(), rest),
            None if is_helper(text) => Err("helper programs ('name::') are not supported"),
            None => match short_ssh(text) {
                Some((host, path)) => parse_short_ssh(host, path),
                None => Ok(local(&cwd.join(text))),
            },
        };
        place.or_else(refuse)
    }

    /// A repository on this machine.
    #[must_use]
    pub fn path(path: &Path) -> Self {
        local(path)
    }

    /// What people may see: never holds a secret, because none is let in.
    #[must_use]
    pub fn display(&self) -> String {
        match &self.place {
            Place::Path(path) => path.display().to_string(),
            Place::Http { url, .. } | Place::Ssh { url } => url.clone(),
        }
    }

    /// A readable name and a hash of the canonical address, without `.git`: equal for equal addresses, safe as a file
    /// name.
    #[must_use]
    pub fn mirror_dir_name(&self) -> String {
        let last = self.canonical.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let safe = |b: &u8| if b.is_ascii_alphanumeric() || *b == b'_' { char::from(*b) } else { '-' };
        let name: String = last.iter().take(MAX_NAME).map(safe).collect();
        let hash: String = Sha256::digest(&self.canonical).iter().map(|b| format!("{b:02x}")).collect();
        format!("{}-{}", if name.is_empty() { "repository" } else { &name }, &hash[..HASH_DIGITS])
    }

    /// The path, when the repository is on this machine.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            Place::Http { .. } | Place::Ssh { .. } => None,
        }
    }

    pub(crate) fn http_url(&self) -> Option<&str> {
        match &self.place {
            Place::Http { url, .. } => Some(url),
            Place::Path(_) | Place::Ssh { .. } => None,
        }
    }

    pub(crate) fn is_ssh(&self) -> bool {
        matches!(self.place, Place::Ssh { .. })
    }

    /// The argument for git.
    pub(crate) fn argument(&self) -> OsString {
        match &self.place {
            Place::Path(path) => path.clone().into_os_string(),
            Place::Http { url, .. } | Place::Ssh { url } => url.into(),
        }
    }

    /// The one value of `GIT_ALLOW_PROTOCOL` under which this remote, and nothing else, can be reached.
    pub(crate) fn protocol(&self) -> &'static str {
        match &self.place {
            Place::Path(_) => "file",
            Place::Http { tls: true, .. } => "https",
            Place::Http { tls: false, .. } => "http",
            Place::Ssh { .. } => "ssh",
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display())
    }
}

fn local(path: &Path) -> Remote {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let canonical = real.as_os_str().as_bytes().to_vec();
    Remote { place: Place::Path(real), canonical }
}

fn parse_url(scheme: &str, rest: &str) -> Result<Remote, &'static str> {
    if scheme == "file" {
        return match rest.strip_prefix("localhost").unwrap_or(rest) {
            path if path.starts_with('/') => Ok(local(Path::new(OsStr::new(path)))),
            _ => Err("a file:// address must hold an absolute path"),
        };
    }
    let (authority, path) = rest.split_once('/').ok_or("it names no repository on the host")?;
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let host = host.to_ascii_lowercase();
    check_host(&host)?;
    if path.is_empty() {
        return Err("it names no repository on the host");
    }
    if path.contains(['"', '\\', ' ']) {
        return Err("its path holds a quote, a backslash or a blank");
    }
    match scheme {
        "https" | "http" if user.is_some() => Err(
            "it holds a user name or a token: remove the part before '@' and give the token in the settings",
        ),
        "https" => Ok(http("https", host.trim_end_matches(":443"), path)),
        "http" if is_loopback(&host) => Ok(http("http", host.trim_end_matches(":80"), path)),
        "http" => Err("http:// is only allowed on the loopback interface: use https://"),
        "ssh" => ssh_url(user, host.trim_end_matches(":22"), path),
        _ => Err("only a path, file://, https://, ssh:// and user@host:path are supported"),
    }
}

fn http(scheme: &str, host: &str, path: &str) -> Remote {
    let canonical = format!("{scheme}://{host}/{}", bare_path(path)).into_bytes();
    Remote {
        place: Place::Http { url: format!("{scheme}://{host}/{path}"), tls: scheme == "https" },
        canonical,
    }
}

fn ssh_url(user: Option<&str>, host: &str, path: &str) -> Result<Remote, &'static str> {
    let user = checked_user(user)?;
    let canonical = format!("ssh://{user}{host}/{}", bare_path(path)).into_bytes();
    Ok(Remote { place: Place::Ssh { url: format!("ssh://{user}{host}/{path}") }, canonical })
}

fn parse_short_ssh(authority: &str, path: &str) -> Result<Remote, &'static str> {
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let (user, host) = (checked_user(user)?, host.to_ascii_lowercase());
    check_host(&host)?;
    if path.is_empty() || path.starts_with('-') {
        return Err("its path is empty or starts with '-'");
    }
    // A path without a leading slash is relative to the home directory there: not the same as ssh://host/path.
    let below = if path.starts_with('/') { "" } else { "/~/" };
    let canonical = format!("ssh://{user}{host}{below}{}", bare_path(path)).into_bytes();
    Ok(Remote { place: Place::Ssh { url: format!("{user}{host}:{path}") }, canonical })
}

/// `user@`, or nothing.
fn checked_user(user: Option<&str>) -> Result<String, &'static str> {
    let Some(user) = user else { return Ok(String::new()) };
    if user.contains(':') {
        return Err("it holds a password: remove it, ssh uses keys");
    }
    let plain = user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if user.is_empty() || user.starts_with('-') || !plain {
        return Err("its user name holds characters that are not allowed");
    }
    Ok(format!("{user}@"))
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, rest)) => (address, Some(rest.strip_prefix(':').ok_or("its host name is not valid")?)),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let bracketed = host.starts_with('[');
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') || (bracketed && b == b':');
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(plain) {
        return Err("its host name is not valid");
    }
    match port {
        Some(port) if port.parse::<u16>().is_err() => Err("its port is not valid"),
        _ => Ok(()),
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or_else(|| host.split(':').next().unwrap_or_default(), |(address, _)| address);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// git's rule for `host:path`: a colon before the first slash.
fn short_ssh(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with('[') { text.find(']')? } else { 0 };
    let colon = end + text[end..].find(':')?;
    (!text[..colon].contains('/')).then(|| (&text[..colon], &text[colon + 1..]))
}

fn is_helper(text: &str) -> bool {
    text.split_once("::").is_some_and(|(name, _)| !name.contains(['/', '[', '@']))
}

fn bare_path(path: &str) -> &str {
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path)
}

/// The text with everything between `//` and `@` taken out, for an error about the text itself.
pub(crate) fn without_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace() || matches!(c, '\'' | '"'))
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        out.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Remote, InvalidRemote> {
        Remote::parse(text, Path::new("/work-dir"))
    }

    #[test]
    fn the_five_forms_are_understood() {
        for (text, shown, protocol) in [
            ("/srv/git/a.git", "/srv/git/a.git", "file"),
            ("sub/a", "/work-dir/sub/a", "file"),
            ("file:///srv/a", "/srv/a", "file"),
            ("https://Forge.test:443/a/b.git", "https://forge.test/a/b.git", "https"),
            ("http://127.0.0.1:3000/a/b", "http://127.0.0.1:3000/a/b", "http"),
            ("http://[::1]:3000/a", "http://[::1]:3000/a", "http"),
            ("ssh://git@forge.test:2222/a/b", "ssh://git@forge.test:2222/a/b", "ssh"),
            ("git@forge.test:a/b.git", "git@forge.test:a/b.git", "ssh"),
        ] {
            let remote = parse(text).unwrap();
            assert_eq!((remote.display().as_str(), remote.protocol()), (shown, protocol), "{text}");
        }
    }

    #[test]
    fn addresses_that_could_run_something_or_leak_something_are_refused() {
        for bad in [
            "",
            "-x",
            "--upload-pack=touch x",
            "ext::sh -c id",
            "fd::3",
            "http://forge.test/a",
            "git://h/a",
            "ftp://h/a",
            "https://token@forge.test/a",
            "https://u:p@forge.test/a",
            "ssh://u:p@h/a",
            "ssh://-oProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "git@-oProxyCommand=x:a",
            "git@h:-x",
            "https://h",
            "https:///a",
            "https://h:x/a",
            "https://h\n/a",
            "ssh://h;id/a",
            "file://other/a",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let error = parse("https://u:canary@forge.test/a").unwrap_err().to_string();
        assert!(!error.contains("canary") && error.contains("remove the part before '@'"), "{error}");
    }

    #[test]
    fn spellings_of_one_address_share_one_mirror() {
        let name = |text| parse(text).unwrap().mirror_dir_name();
        assert_eq!(name("https://FORGE.test/a/b.git"), name("https://forge.test:443/a/b/"));
        assert_ne!(name("https://forge.test/a/b"), name("https://forge.test/a/c"));
        assert!(name("https://forge.test/a/b").starts_with("b-"));
    }

    #[test]
    fn userinfo_is_taken_out_of_any_text() {
        assert_eq!(
            without_userinfo("fatal: 'https://u:p@h/a' and ssh://x@h"),
            "fatal: 'https://h/a' and ssh://h"
        );
        assert_eq!(without_userinfo("https://u:p@a@h/x@y"), "https://h/x@y");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_never_an_option_and_names_a_plain_directory(text in ".{0,60}") {
            if let Ok(remote) = parse(&text) {
                prop_assert!(!remote.argument().as_bytes().starts_with(b"-"));
                prop_assert!(remote.mirror_dir_name().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            }
        }
    }
}
