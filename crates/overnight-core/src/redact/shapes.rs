//! Tokens that are known by their shape alone: vendors' key prefixes, bearer headers, private keys.
//!
//! Owns the compiled patterns. Precision counts here: what looks like an ordinary word, a checksum or a commit id stays.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use regex::bytes::Regex;

/// Pieces of text without which no shape below can match; the search for them is many times as fast as the shapes are.
const LITERALS: &[&str] = &[
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glrt-",
    "glptt-",
    "xox",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "earer ",
    "EARER ",
    "uthorization",
    "UTHORIZATION",
    "PRIVATE KEY-----",
];

/// Shapes whose match, or whose group `secret`, is the secret.
const SHAPES: &[&str] = &[
    // Anthropic, OpenAI and those who copied them.
    r"\bsk-ant-[A-Za-z0-9_-]{16,}",
    r"\bsk-(?:proj|svcacct|admin|or|lf)-[A-Za-z0-9_-]{20,}",
    r"\bsk-[A-Za-z0-9]{20,}",
    r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,})",
    r"\bgl(?:pat|dt|rt|ptt)-[A-Za-z0-9_.-]{20,}",
    r"\bxox[abceoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{35}",
    // JSON web tokens: two parts that are JSON, and a signature.
    r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r#"(?i)\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)[ \t]+(?P<secret>[A-Za-z0-9._~+/=:-]{8,})"#,
    r"(?i)\bbearer[ \t]+(?P<secret>[A-Za-z0-9._~+/=-]{16,})",
    // A whole key, also with line ends written out as `\n` or lost to blanks; where its end is missing, all that can
    // belong to it.
    concat!(
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----",
        r"(?:(?:\r|\n|\\r|\\n)+[A-Za-z]+-[A-Za-z]+: [^\r\n\\]*)*",
        r"(?:(?:\s|\\r|\\n)*(?:\r|\n|\\r|\\n)[ \t]*[A-Za-z0-9+/=]+| [A-Za-z0-9+/=]{40,})*",
        r"(?:(?:\s|\\r|\\n)*-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----)?",
    ),
];

/// A line of a private key on its own: base64 in the widths that PEM (64) and OpenSSH (70) use.
const KEY_WIDTHS: [usize; 2] = [64, 70];

static PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| literals(LITERALS));

static KEY_MARK: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| literals(&["PRIVATE KEY-----"]));

static COMPILED: LazyLock<Vec<Regex>> =
    LazyLock::new(|| SHAPES.iter().filter_map(|shape| Regex::new(&format!("(?-u){shape}")).ok()).collect());

/// Leftmost, because that search has a vectorised prefilter.
fn literals(words: &[&str]) -> Option<AhoCorasick> {
    AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(words).ok()
}

/// Adds the places of all shapes in `text`.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    find_key_lines(text, found);
    let suspicious = PREFILTER.as_ref().is_none_or(|filter| filter.is_match(text));
    if !suspicious {
        return;
    }
    for shape in COMPILED.iter() {
        for captures in shape.captures_iter(text) {
            let whole = captures.get(0);
            let secret = captures.name("secret");
            if secret.is_some_and(|group| !group.as_bytes().iter().any(|b| b.is_ascii_digit() || *b == b'='))
            {
                // A word of prose ("bearer authentication-scheme"), not a token.
                continue;
            }
            found.extend(secret.or(whole).map(|group| group.range()));
        }
    }
}

fn find_key_lines(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let body = line.trim_ascii();
        if KEY_WIDTHS.contains(&body.len()) && is_base64_noise(body) {
            let start = from + line.len() - line.trim_ascii_start().len();
            found.push(start..start + body.len());
        }
        from += line.len();
    }
}

/// Whether a line opens a private key, and whether it closes one.
pub(super) fn key_edges(line: &[u8]) -> (bool, bool) {
    let mark = KEY_MARK.as_ref().is_none_or(|mark| mark.is_match(line));
    let has = |edge: &[u8]| mark && line.windows(edge.len()).any(|window| window == edge);
    (has(b"-----BEGIN "), has(b"-----END "))
}

/// Whether a line may stand between the first and the last line of a private key.
pub(super) fn is_key_body(line: &[u8]) -> bool {
    let header = [&b"Proc-Type: "[..], b"DEK-Info: "].iter().any(|name| line.starts_with(name));
    header || line.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// Base64 with upper case, lower case and digits: a hexadecimal checksum or a ruler has not all three.
fn is_base64_noise(body: &[u8]) -> bool {
    body.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
        && body.iter().any(u8::is_ascii_uppercase)
        && body.iter().any(u8::is_ascii_lowercase)
        && body.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_compiles() {
        assert_eq!(COMPILED.len(), SHAPES.len());
        assert!(PREFILTER.is_some());
    }
}
