//! By which names this server may be called. A page of the web can make a browser send requests here under the page's own
//! name, once that name resolves to this machine; the answer would be the page's to read. So foreign names are refused.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::Request;
use axum::http::header::HOST;

/// The address of this machine to which a connection was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalAddress(pub(crate) IpAddr);

/// A host as it stands in a request, without its port.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without the root's dot.
    Name(String),
}

impl Host {
    /// Understands `name`, `name:80`, `1.2.3.4:80`, `[::1]:80`, and also `::1`, as people write it in a configuration.
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(Self::Address(address.into()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
        };
        let digits = port.strip_prefix(':').unwrap_or(port);
        if port.len() == digits.len() && !port.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if text.starts_with('[') {
            return host.parse::<Ipv6Addr>().ok().map(|address| Self::Address(address.into()));
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        (!name.is_empty()).then_some(Self::Name(name))
    }
}

/// Why a request was refused for its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostRefusal {
    /// None, several, or one that is not a host.
    Unreadable,
    Foreign,
}

/// The names that are ours besides those of the loopback device.
#[derive(Debug)]
pub(crate) struct AllowedHosts(Vec<Host>);

impl AllowedHosts {
    /// An entry that is no host allows nothing.
    pub(crate) fn new(configured: &[String]) -> Self {
        Self(configured.iter().filter_map(|text| Host::parse(text)).collect())
    }

    /// Judges the `Host` field and, where the request line names a host too, that one.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), HostRefusal> {
        let mut fields = request.headers().get_all(HOST).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(HostRefusal::Unreadable);
        };
        let local = request.extensions().get::<LocalAddress>().copied();
        let field = field.to_str().map_err(|_| HostRefusal::Unreadable)?;
        self.judge(field, local)?;
        match request.uri().authority() {
            Some(authority) => self.judge(authority.as_str(), local),
            None => Ok(()),
        }
    }

    /// Whether a page that names this host, with or without a port, is one of ours.
    pub(crate) fn is_ours(&self, text: &str, local: Option<LocalAddress>) -> bool {
        self.judge(text, local).is_ok()
    }

    fn judge(&self, text: &str, local: Option<LocalAddress>) -> Result<(), HostRefusal> {
        let host = Host::parse(text).ok_or(HostRefusal::Unreadable)?;
        let ours = match &host {
            Host::Address(address) => {
                address.to_canonical().is_loopback()
                    || local.is_some_and(|local| local.0.to_canonical() == address.to_canonical())
            }
            Host::Name(name) => name == "localhost",
        };
        if ours || self.0.contains(&host) { Ok(()) } else { Err(HostRefusal::Foreign) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<(), HostRefusal> {
        let hosts = ["Runner.Example", "10.0.0.9", "fd00::1", "bad host/"].map(str::to_owned);
        let local = LocalAddress("192.168.1.5".parse().unwrap());
        AllowedHosts::new(&hosts).judge(text, Some(local))
    }

    #[test]
    fn our_own_names_are_known_in_every_spelling() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "127.0.0.1",
            "127.8.8.8:1",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "runner.example",
            "RUNNER.example.:80",
            "10.0.0.9:80",
            "[fd00::1]:80",
            "192.168.1.5:80",
            "[::ffff:192.168.1.5]:80",
            "localhost:",
        ] {
            assert_eq!(judge(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn foreign_names_are_refused_however_near_they_come() {
        for host in [
            "evil.test",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "evil-localhost",
            "xlocalhost",
            "192.168.1.6",
            "[fd00::2]",
            "0.0.0.0",
            "2130706433",
            "runner.example.evil.test",
        ] {
            assert_eq!(judge(host), Err(HostRefusal::Foreign), "{host}");
        }
        for host in ["", ":80", "[::1", "[localhost]", "[::1]x", "localhost:80:80", "localhost:x", "."] {
            assert_eq!(judge(host), Err(HostRefusal::Unreadable), "{host}");
        }
    }
}
