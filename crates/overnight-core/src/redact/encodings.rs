//! The forms in which a secret turns up in output: as it is, base64, percent-encoded, JSON-escaped, hexadecimal.
//!
//! Pure functions from a secret to patterns; owns nothing.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::MIN_SECRET;

/// Width at which the `base64` program and MIME break lines.
const BASE64_WIDTH: usize = 76;

/// Adds every form of `secret`; says whether a line-wise reader would see it, which is false for a secret of several
/// lines that are all too short to be masks.
pub(super) fn push_patterns(patterns: &mut Vec<Vec<u8>>, secret: &str) -> bool {
    push_forms(patterns, secret);
    if !secret.contains('\n') {
        return true;
    }
    let mut any_line = false;
    for line in secret.lines().map(str::trim).filter(|line| line.len() >= MIN_SECRET) {
        push_forms(patterns, line);
        any_line = true;
    }
    any_line
}

fn push_forms(patterns: &mut Vec<Vec<u8>>, value: &str) {
    patterns.push(value.as_bytes().to_vec());
    push_base64(patterns, value.as_bytes());
    for hex in [hex(value, false), hex(value, true)] {
        patterns.push(hex.into_bytes());
    }
    for (kept, upper) in [("-_.~", true), ("-_.~", false), ("-_.~!'()*", true), ("-_.~/", true)] {
        let encoded = percent(value, kept, upper);
        patterns.push(encoded.replace("%20", "+").into_bytes());
        patterns.push(encoded.into_bytes());
    }
    for escaped in [json(value, false), json(value, true)] {
        patterns.push(escaped.replace('/', "\\/").into_bytes());
        patterns.push(escaped.into_bytes());
    }
}

/// The value's base64 for each of the three places that it can have in a group of three bytes, in both alphabets: once
/// as far as it is the same whatever stands before and after it, once for a value at the very end.
fn push_base64(patterns: &mut Vec<Vec<u8>>, value: &[u8]) {
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value);
        // Characters of six bits: leave out those that share bits with a neighbour.
        let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let forms = [encoded.get(start..end), encoded.get(start..)].into_iter().flatten();
            patterns
                .extend(forms.filter(|text| text.len() >= MIN_SECRET).map(|text| text.as_bytes().to_vec()));
            if before == 0 && encoded.len() > BASE64_WIDTH {
                let lines = encoded.as_bytes().chunks(BASE64_WIDTH).filter(|line| line.len() >= MIN_SECRET);
                patterns.extend(lines.map(<[u8]>::to_vec));
            }
        }
    }
}

fn hex(value: &str, upper: bool) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        // Writing into a String cannot fail.
        let _ = if upper { write!(out, "{byte:02X}") } else { write!(out, "{byte:02x}") };
        out
    })
}

/// Percent-encoded, except for letters, digits and the characters in `kept`.
fn percent(value: &str, kept: &str, upper: bool) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        let plain = byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte);
        let _ = match (plain, upper) {
            (true, _) => out.write_char(char::from(byte)),
            (false, true) => write!(out, "%{byte:02X}"),
            (false, false) => write!(out, "%{byte:02x}"),
        };
        out
    })
}

/// The inside of a JSON string; `ascii` writes everything else as `\uXXXX`, as Python does.
fn json(value: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    let inside = quoted.get(1..quoted.len() - 1).unwrap_or(value);
    if !ascii {
        return inside.to_owned();
    }
    inside.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}
