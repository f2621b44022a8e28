//! Redaction of output that arrives in pieces of any size.
//!
//! Owns the unfinished line of one stream. Whole lines leave at once; a line longer than [`MAX_LINE`] leaves in parts,
//! with enough of it held back that nothing that begins in one part and ends in the next gets through.

use std::ops::Range;

use super::{REPLACEMENT, Redactor, shapes};

/// Longest unfinished line that is kept, in bytes: memory stays flat whatever a program prints.
const MAX_LINE: usize = 64 << 10;

/// Held back of a line that leaves in parts, in bytes, for token shapes (which have no longest form; real ones stay
/// below this).
const SHAPE_CARRY: usize = 4 << 10;

/// One output stream on its way through a [`Redactor`]. Put together, what [`push`](Self::push) and
/// [`finish`](Self::finish) give back is the redacted stream, however it was cut.
#[derive(Debug)]
pub struct RedactStream<'a> {
    redactor: &'a Redactor,
    pub(super) line: Vec<u8>,
    /// Bytes at the start of `line` for which a replacement has left already.
    covered: usize,
    /// Inside a private key: between its first and its last line.
    in_key: bool,
}

impl<'a> RedactStream<'a> {
    #[must_use]
    pub fn new(redactor: &'a Redactor) -> Self {
        Self { redactor, line: Vec::new(), covered: 0, in_key: false }
    }

    /// Takes a piece and gives back what can leave now.
    #[must_use]
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(chunk.len());
        for piece in chunk.split_inclusive(|b| *b == b'\n') {
            for part in piece.chunks(MAX_LINE) {
                self.line.extend_from_slice(part);
                if self.line.ends_with(b"\n") {
                    self.emit_line(&mut out);
                } else if self.line.len() > MAX_LINE {
                    self.emit_part(&mut out);
                }
            }
        }
        out
    }

    /// What is left, at the end of the stream.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.emit_line(&mut out);
        out
    }

    fn emit_line(&mut self, out: &mut Vec<u8>) {
        let ranges = self.line_ranges();
        write_redacted(out, &self.line, self.covered, &ranges);
        self.line.clear();
        self.covered = 0;
    }

    fn emit_part(&mut self, out: &mut Vec<u8>) {
        let carry = SHAPE_CARRY.max(self.redactor.longest).min(self.line.len());
        let cut = self.line.len() - carry;
        let mut ranges = self.redactor.ranges(&self.line);
        // What begins before the cut is whole by now; what begins after it is looked at again with the next part.
        ranges.retain(|range| range.start < cut);
        let end = ranges.last().map_or(0, |range| range.end).max(self.covered);
        for range in &mut ranges {
            range.end = range.end.min(cut);
        }
        write_redacted(out, &self.line[..cut], self.covered, &ranges);
        self.line.drain(..cut);
        self.covered = end.saturating_sub(cut);
    }

    /// Places to replace in the finished line at hand; inside a private key that is all of it.
    fn line_ranges(&mut self) -> Vec<Range<usize>> {
        let line = self.line.trim_ascii();
        let (begins, ends) = shapes::key_edges(line);
        let inside = self.in_key && (ends || shapes::is_key_body(line));
        self.in_key = (inside || begins) && !ends;
        if inside && !line.is_empty() {
            let from = self.line.len() - self.line.trim_ascii_start().len();
            return std::iter::once(from..from + line.len()).collect();
        }
        self.redactor.ranges(&self.line)
    }
}

/// Writes `text` with `ranges` replaced; the first `covered` bytes have had their replacement already, and so has a
/// range that begins among them.
fn write_redacted(out: &mut Vec<u8>, text: &[u8], covered: usize, ranges: &[Range<usize>]) {
    let mut from = covered.min(text.len());
    for range in ranges {
        if range.start >= covered {
            out.extend_from_slice(&text[from..range.start]);
            out.extend_from_slice(REPLACEMENT.as_bytes());
        }
        from = from.max(range.end);
    }
    out.extend_from_slice(&text[from..]);
}
