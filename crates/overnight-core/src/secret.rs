//! A token. Owns its text and does not show it: neither `Debug` nor any error contains it.

use std::fmt;

/// What replaces a secret wherever one turns up in text.
const REDACTED: &str = "[redacted]";

/// Text that nobody may see. White space at both ends is dropped, since files and commands end with a line break.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for the one header or pipe that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the secret replaced.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, REDACTED) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_trimmed_and_never_shown() {
        let secret = Secret::new("ghp_x1\n");
        assert_eq!(secret.expose(), "ghp_x1");
        assert_eq!(format!("{secret:?}"), "Secret([redacted])");
        assert_eq!(secret.redact("bad token ghp_x1."), "bad token [redacted].");
        assert_eq!(Secret::new(" ").redact("abc"), "abc");
    }
}
