//! Cuts a stream of bytes into lines of bounded length. Pure; owns at most one line.

/// A stretch of one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Without the line end.
    pub(crate) bytes: &'a [u8],
    /// This is the beginning of its line.
    pub(crate) first: bool,
    /// What comes after it in the stream.
    pub(crate) end: End,
}

/// How a piece ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With the line's own end.
    Newline,
    /// At the length limit: the line goes on.
    Cut,
    /// With the stream.
    Stream,
}

#[derive(Debug)]
pub(crate) struct LineSplitter {
    limit: usize,
    held: Vec<u8>,
    /// The held bytes continue a line that was already cut.
    continued: bool,
}

impl LineSplitter {
    /// `limit` is the longest piece in bytes; at least 1.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), held: Vec::new(), continued: false }
    }

    /// Takes a chunk and hands out every piece that is complete with it.
    pub(crate) fn push(&mut self, chunk: &[u8], mut take: impl FnMut(Piece<'_>)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let room = self.limit - self.held.len();
            let window = rest.get(..room.min(rest.len())).unwrap_or(rest);
            let newline = window.iter().position(|byte| *byte == b'\n');
            let used = newline.unwrap_or(window.len());
            let (bytes, after) = rest.split_at(used);
            let end = match newline {
                Some(_) => End::Newline,
                None if used == room => End::Cut,
                None => {
                    self.held.extend_from_slice(bytes);
                    return;
                }
            };
            // A line end right at the limit belongs to the piece: no empty piece follows.
            let (end, skip) = match (end, after.first()) {
                (End::Cut, Some(b'\n')) => (End::Newline, 1),
                (End::Newline, _) => (End::Newline, 1),
                (End::Cut | End::Stream, _) => (End::Cut, 0),
            };
            self.emit(bytes, end, &mut take);
            rest = after.get(skip..).unwrap_or_default();
        }
    }

    /// The stream has ended: hands out what has no line end.
    pub(crate) fn finish(&mut self, mut take: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() || self.continued {
            self.emit(&[], End::Stream, &mut take);
        }
    }

    fn emit(&mut self, bytes: &[u8], end: End, take: &mut impl FnMut(Piece<'_>)) {
        let first = !self.continued;
        if self.held.is_empty() {
            take(Piece { bytes, first, end });
        } else {
            self.held.extend_from_slice(bytes);
            take(Piece { bytes: &self.held, first, end });
            self.held.clear();
            // One long line must not pin its memory for the rest of the run.
            self.held.shrink_to(64 << 10);
        }
        self.continued = end == End::Cut;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(limit: usize, chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool, End)> {
        let mut splitter = LineSplitter::new(limit);
        let mut out = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |p| out.push((p.bytes.to_vec(), p.first, p.end)));
        }
        splitter.finish(|p| out.push((p.bytes.to_vec(), p.first, p.end)));
        out
    }

    #[test]
    fn lines_are_joined_across_chunks_and_the_last_needs_no_end() {
        assert_eq!(
            pieces(100, &[b"on", b"e\n\ntwo\r\nth", b"ree"]),
            [
                (b"one".to_vec(), true, End::Newline),
                (b"".to_vec(), true, End::Newline),
                (b"two\r".to_vec(), true, End::Newline),
                (b"three".to_vec(), true, End::Stream),
            ]
        );
    }

    #[test]
    fn a_line_at_the_limit_is_whole_and_a_longer_one_is_cut() {
        assert_eq!(
            pieces(4, &[b"abcd\nabcdefghij\nx\n"]),
            [
                (b"abcd".to_vec(), true, End::Newline),
                (b"abcd".to_vec(), true, End::Cut),
                (b"efgh".to_vec(), false, End::Cut),
                (b"ij".to_vec(), false, End::Newline),
                (b"x".to_vec(), true, End::Newline),
            ]
        );
    }

    #[test]
    fn any_chunking_keeps_every_byte_and_every_bound() {
        let text = b"a\nbb\n\nccccccccccccc\ndd".repeat(5);
        for limit in 1..9 {
            for size in 1..12 {
                let chunks: Vec<&[u8]> = text.chunks(size).collect();
                let mut joined = Vec::new();
                for (bytes, _, end) in pieces(limit, &chunks) {
                    assert!(bytes.len() <= limit);
                    joined.extend(bytes);
                    if end == End::Newline {
                        joined.push(b'\n');
                    }
                }
                assert_eq!(joined, text, "limit {limit}, chunks of {size}");
            }
        }
    }
}
