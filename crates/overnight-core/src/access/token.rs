//! A token as people copy it: a prefix that tools can search leaked text for, 32 random bytes, and a checksum, so that a token
//! that was cut or mistyped is refused without a look at the store.

use std::fmt;

use crate::secret::Secret;

/// Random bytes of a token: nobody guesses them, so a plain hash of them can be stored.
pub const TOKEN_BYTES: usize = 32;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that 32 bytes need in base 62, and that a checksum of four bytes needs.
const BODY: usize = 43;
const SUM: usize = 6;

/// Whose a token is. The kinds have different beginnings, so that one is never taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A person's, or of a program of theirs.
    Person,
    /// Of the agent of one job.
    Agent,
}

impl TokenKind {
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Person => "ovn_",
            Self::Agent => "ova_",
        }
    }
}

/// Text that is no token, without the text: it may be one that was mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is no token of overnight: one begins with ovn_ or ova_, has 53 characters, and may have been cut or mistyped"
)]
pub struct InvalidToken;

/// A token's whole text. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText {
    kind: TokenKind,
    text: Secret,
}

impl TokenText {
    #[must_use]
    pub fn new(kind: TokenKind, random: &[u8; TOKEN_BYTES]) -> Self {
        let body = base62(random, BODY);
        let sum = base62(&crc32(body.as_bytes()).to_be_bytes(), SUM);
        Self { kind, text: Secret::new(&format!("{}{body}{sum}", kind.prefix())) }
    }

    /// # Errors
    /// [`InvalidToken`] when the beginning, the length or the checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let kinds = [TokenKind::Person, TokenKind::Agent].into_iter();
        let (kind, rest) = kinds
            .filter_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)))
            .next()
            .ok_or(InvalidToken)?;
        if rest.len() != BODY + SUM || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(InvalidToken);
        }
        let (body, sum) = rest.split_at(BODY);
        if !same(sum.as_bytes(), base62(&crc32(body.as_bytes()).to_be_bytes(), SUM).as_bytes()) {
            return Err(InvalidToken);
        }
        Ok(Self { kind, text: Secret::new(text) })
    }

    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The text itself: for the hash, and for the one time that its owner is shown it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({}…)", self.kind.prefix())
    }
}

/// Whether two texts are the same, in a time that says nothing about where they differ.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
    one.len() == other.len() && differing == 0
}

/// The bytes as one number, most significant digit first, in exactly `length` digits.
fn base62(bytes: &[u8], length: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::with_capacity(length);
    for _ in 0..length {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            // Below 256, because the rest is below 62.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        digits.push(char::from(DIGITS[rest as usize]));
    }
    digits.iter().rev().collect()
}

/// The checksum of zip and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62(&[0, 62], 3), "010");
    }

    #[test]
    fn a_token_has_a_form_and_is_not_shown() {
        let token = TokenText::new(TokenKind::Person, &[255; TOKEN_BYTES]);
        assert_eq!(token.expose().len(), 53);
        assert_eq!(format!("{token:?}"), "TokenText(ovn_…)");
        assert_eq!(TokenText::parse(token.expose()), Ok(token));
        for bad in ["", "ovn_", "Bearer", "ghp_x", "ovn_é", &format!("ovn_{}", "0".repeat(49))] {
            assert_eq!(TokenText::parse(bad), Err(InvalidToken), "{bad:?}");
        }
        assert!(same(b"ab", b"ab") && !same(b"ab", b"aB") && !same(b"ab", b"abc") && !same(b"", b"a"));
    }

    proptest! {
        #[test]
        fn what_was_made_is_read_and_what_was_mistyped_is_not(
            random in any::<[u8; TOKEN_BYTES]>(), at in 4_usize..53, digit in 0_usize..62, agent in any::<bool>(),
        ) {
            let kind = if agent { TokenKind::Agent } else { TokenKind::Person };
            let token = TokenText::new(kind, &random);
            prop_assert_eq!(TokenText::parse(token.expose()).map(|token| token.kind()), Ok(kind));
            let mut typed = token.expose().as_bytes().to_vec();
            typed[at] = DIGITS[digit];
            let typed = String::from_utf8(typed).unwrap();
            if typed != token.expose() {
                prop_assert_eq!(TokenText::parse(&typed), Err(InvalidToken));
            }
        }
    }
}
