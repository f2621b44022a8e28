//! Where to fetch from or push to, and with which key.
//!
//! Owns the only form in which a token exists in this crate. It must not write one anywhere but into the environment
//! of the one git process that needs it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use overnight_core::secret::Secret;

use crate::remote::Remote;

/// The key for one remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Anonymous over https; over ssh whatever the agent socket and `~/.ssh` of the person give.
    None,
    /// A forge token. `user` is what the forge expects beside it (`x-access-token`, `oauth2`, or any name).
    Token { user: String, token: Secret },
}

/// A remote together with the key for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub remote: Remote,
    pub credentials: Credentials,
}

impl Endpoint {
    /// A remote that needs no key of ours.
    #[must_use]
    pub fn open(remote: Remote) -> Self {
        Self { remote, credentials: Credentials::None }
    }

    /// The environment of git's own configuration mechanism that sends the token to this remote's address and to no
    /// other. Empty unless the remote is spoken to over http(s).
    pub(crate) fn token_env(&self) -> Vec<(String, String)> {
        let (Credentials::Token { user, token }, Some(url)) = (&self.credentials, self.remote.http_url())
        else {
            return Vec::new();
        };
        let basic = STANDARD.encode(format!("{user}:{}", token.expose()));
        vec![
            ("GIT_CONFIG_COUNT".to_owned(), "1".to_owned()),
            ("GIT_CONFIG_KEY_0".to_owned(), format!("http.{url}.extraHeader")),
            ("GIT_CONFIG_VALUE_0".to_owned(), format!("Authorization: Basic {basic}")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn with_token(remote: &str) -> Endpoint {
        let token = Secret::new("canary-token");
        let credentials = Credentials::Token { user: "x".to_owned(), token };
        Endpoint { remote: Remote::parse(remote, Path::new("/")).unwrap(), credentials }
    }

    #[test]
    fn a_token_is_bound_to_its_address_and_never_shown() {
        let endpoint = with_token("https://forge.test/a/b.git");
        let env = endpoint.token_env();
        assert_eq!(env[1].1, "http.https://forge.test/a/b.git.extraHeader");
        assert_eq!(env[2].1, format!("Authorization: Basic {}", STANDARD.encode("x:canary-token")));
        assert!(!format!("{endpoint:?}").contains("canary"));
    }

    #[test]
    fn a_token_is_not_handed_to_ssh_or_to_a_path() {
        assert!(with_token("git@forge.test:a/b").token_env().is_empty());
        assert!(with_token("/srv/git/a").token_env().is_empty());
    }
}
