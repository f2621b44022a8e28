//! Cuts an answer's text into the pieces in which it is streamed.
//!
//! Pure; every wire format shares it.

/// Bytes per streamed piece of text: small enough for short answers to come in several pieces.
const PIECE_BYTES: usize = 24;
/// Bytes per streamed piece of a long text, so that a huge answer does not become a hundred thousand events.
const LONG_PIECE_BYTES: usize = 4096;

/// Cuts only between characters. No text is no piece.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let size = if text.len() > LONG_PIECE_BYTES { LONG_PIECE_BYTES } else { PIECE_BYTES };
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}
