//! Patterns of paths: `*` within a name, `**` over directories, `?` for one character. A pattern without a slash is about a
//! name in any directory; one that ends in a slash is about everything below.

use std::fmt;

use regex::Regex;

/// A pattern of paths.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    regex: Regex,
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of paths: write for example \"docs/**\", \"*.sql\" or \"infra/\"")]
pub struct BadGlob(pub String);

impl Glob {
    /// # Errors
    /// [`BadGlob`] for an empty text, one that is absolute, that leaves the repository or has control characters.
    pub fn parse(text: &str) -> Result<Self, BadGlob> {
        let bad = || BadGlob(crate::text::one_line(text, 200));
        let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..");
        if text.is_empty() || text.len() > 500 || leaves || text.chars().any(char::is_control) {
            return Err(bad());
        }
        let regex = Regex::new(&expression(text)).map_err(|_| bad())?;
        Ok(Self { text: text.to_owned(), regex })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }
}

fn expression(text: &str) -> String {
    let mut out = String::from("(?s)^");
    let (text, below) = text.strip_suffix('/').map_or((text, false), |stem| (stem, true));
    if !text.contains('/') {
        out.push_str("(?:.*/)?");
    }
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (piece, length) = if rest.starts_with("**/") {
            ("(?:.*/)?", 3)
        } else if rest.starts_with("**") {
            (".*", 2)
        } else {
            match c {
                '*' => ("[^/]*", 1),
                '?' => ("[^/]", 1),
                other => {
                    out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4])));
                    ("", other.len_utf8())
                }
            }
        };
        out.push_str(piece);
        rest = &rest[length..];
    }
    out.push_str(if below { "/.*$" } else { "$" });
    out
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
