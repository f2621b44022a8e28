//! Keeps known secrets and well-known token shapes out of everything that is stored or shown.
//!
//! The last net, not the first: an agent holds no key of ours, so there should be nothing to catch. A [`Redactor`] owns
//! the masks of one job and never changes; a [`RedactStream`] adds the carry-over for output that arrives in pieces.
//! It must never print a secret itself, so neither shows its patterns, and warnings name a secret by its place only.

mod encodings;
mod shapes;
mod stream;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, Input, MatchKind};

pub use stream::RedactStream;

/// What stands where a secret stood.
pub const REPLACEMENT: &str = "[redacted]";

/// Shortest secret, in bytes, that is used as a mask: a shorter one would black out ordinary words (and by doing so
/// tell what it is).
pub const MIN_SECRET: usize = 8;

/// A secret that cannot be masked as it should. `index` counts from 0 in the order in which secrets were given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    #[error("secret number {} is not masked: it has only {bytes} bytes, {MIN_SECRET} are needed", index + 1)]
    TooShort { index: usize, bytes: usize },
    #[error("secret number {} is masked only as a whole: each of its lines is shorter than {MIN_SECRET} bytes", index + 1)]
    ShortLines { index: usize },
    #[error(
        "secrets are not masked, only well-known token shapes are: their {patterns} patterns need too much memory"
    )]
    TooMany { patterns: usize },
}

/// Most patterns with which the search's prefilter pays: measured, it is four times as fast as the plain table with one
/// secret (about 7 patterns) and half as fast with three.
const MAX_PREFILTER: usize = 16;

/// Most bytes of patterns for which the search gets a full transition table; that is a few megabytes of memory.
const MAX_TABLE: usize = 16 << 10;

/// The masks of one job: values, their usual encodings, and token shapes.
pub struct Redactor {
    values: Option<Values>,
    /// Length of the longest pattern, in bytes.
    longest: usize,
}

/// The same patterns twice: only a leftmost search has a vectorised prefilter, and only a standard one finds matches
/// that overlap.
struct Values {
    first: AhoCorasick,
    all: AhoCorasick,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("longest", &self.longest).finish_non_exhaustive()
    }
}

impl Redactor {
    /// Masks for these secrets. White space around a secret is not part of it; an empty one is passed over in silence.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> (Self, Vec<Warning>) {
        let mut warnings = Vec::new();
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for (index, secret) in secrets.into_iter().enumerate() {
            let secret = secret.trim();
            if secret.is_empty() {
                continue;
            }
            if secret.len() < MIN_SECRET {
                warnings.push(Warning::TooShort { index, bytes: secret.len() });
                continue;
            }
            let lines_masked = encodings::push_patterns(&mut patterns, secret);
            if !lines_masked {
                warnings.push(Warning::ShortLines { index });
            }
        }
        patterns.sort_unstable();
        patterns.dedup();
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        let values = match build(&patterns) {
            Ok(values) => values,
            Err(_) => {
                warnings.push(Warning::TooMany { patterns: patterns.len() });
                None
            }
        };
        (Self { values, longest }, warnings)
    }

    /// The line with every secret replaced by [`REPLACEMENT`]. For whole lines: a secret that is cut at the end of
    /// the line is not seen (see [`RedactStream`]).
    #[must_use]
    pub fn redact_line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let ranges = self.ranges(line);
        if ranges.is_empty() {
            return Cow::Borrowed(line);
        }
        let mut out = Vec::with_capacity(line.len());
        let mut from = 0;
        for range in ranges {
            out.extend_from_slice(&line[from..range.start]);
            out.extend_from_slice(REPLACEMENT.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(&line[from..]);
        Cow::Owned(out)
    }

    /// The same for text of any number of lines.
    #[must_use]
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact_line(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A range may begin inside a character only when a mask does, and masks are whole strings.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Places to replace: in order, not touching each other unless as neighbours.
    fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        shapes::find(text, &mut found);
        self.find_values(text, &mut found);
        merge(found)
    }

    /// Every occurrence of every mask, also of those that overlap: replacing one must not leave half of another.
    fn find_values(&self, text: &[u8], found: &mut Vec<Range<usize>>) {
        let Some(values) = &self.values else { return };
        let Some(first) = values.first.find(text) else { return };
        let rest = Input::new(text).span(first.start()..text.len());
        found.extend(values.all.find_overlapping_iter(rest).map(|m| m.range()));
    }
}

fn build(patterns: &[Vec<u8>]) -> Result<Option<Values>, aho_corasick::BuildError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let short = shortest(patterns);
    let table = short.iter().map(|pattern| pattern.len()).sum::<usize>() <= MAX_TABLE;
    let first = AhoCorasickBuilder::new()
        .match_kind(MatchKind::LeftmostFirst)
        .prefilter(short.len() <= MAX_PREFILTER)
        .kind(table.then_some(AhoCorasickKind::DFA))
        .build(&short)?;
    let kind = Some(AhoCorasickKind::ContiguousNFA);
    let all = AhoCorasickBuilder::new().kind(kind).build(patterns)?;
    Ok(Some(Values { first, all }))
}

/// The sorted patterns without those that begin with another one: enough to see that there is something and where it
/// begins, and fewer for the search to keep apart.
fn shortest(patterns: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for pattern in patterns {
        if !kept.last().is_some_and(|last| pattern.starts_with(last)) {
            kept.push(pattern);
        }
    }
    kept
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            Some(_) | None => merged.push(range),
        }
    }
    merged
}
