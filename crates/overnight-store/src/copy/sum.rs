//! What makes two tables the same: how many rows they have, and a hash that does not depend on the order or the engine.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::sql::Value;

/// The sum, modulo 2²⁵⁶, of the SHA-256 of each row. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RowsHash([u64; 4]);

impl fmt::Display for RowsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| write!(f, "{part:016x}"))
    }
}

impl fmt::Debug for RowsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A table's content in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSum {
    pub table: &'static str,
    pub rows: u64,
    pub hash: RowsHash,
}

impl TableSum {
    pub(crate) fn new(table: &'static str) -> Self {
        Self { table, rows: 0, hash: RowsHash::default() }
    }

    pub(crate) fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        self.hash.add(&row_hash(row));
    }
}

impl RowsHash {
    fn add(&mut self, hash: &[u8; 32]) {
        let mut carry = false;
        for (part, bytes) in self.0.iter_mut().zip(hash.chunks_exact(8)).rev() {
            let other = bytes.iter().fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
            let (sum, over) = part.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*part, carry) = (sum, over || over_again);
        }
    }
}

/// Each value with its kind, and each text with its length, so that no two rows look alike.
fn row_hash(row: &[Value]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for value in row {
        match value {
            Value::Text(None) | Value::Number(None) => hash.update([0]),
            Value::Text(Some(text)) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
            Value::Number(Some(number)) => {
                hash.update([2]);
                hash.update(number.to_be_bytes());
            }
            Value::Flag(flag) => hash.update([3, u8::from(*flag)]),
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(rows: &[&[Value]]) -> String {
        let mut sum = TableSum::new("t");
        rows.iter().for_each(|row| sum.add(row));
        sum.hash.to_string()
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        let (a, b): (&[Value], &[Value]) = (&["a".into(), 1.into()], &["b".into(), 2.into()]);
        assert_eq!(hash_of(&[a, b]), hash_of(&[b, a]));
        let others: [&[Value]; 5] = [
            &["a".into(), 2.into()],
            &[1.into(), "a".into()],
            &["a".into(), true.into()],
            &["a".into(), Value::Number(None)],
            &["a".into(), "\u{1}".into()],
        ];
        for other in others {
            assert_ne!(hash_of(&[a]), hash_of(&[other]), "{other:?}");
        }
        // Neither twice the same row, nor text that moves into the next column, goes unseen.
        assert_ne!(hash_of(&[a, a]), hash_of(&[]));
        assert_ne!(hash_of(&[&["ab".into(), "c".into()]]), hash_of(&[&["a".into(), "bc".into()]]));
    }

    #[test]
    fn sums_carry_and_wrap() {
        let mut hash = RowsHash([0, 0, u64::MAX, u64::MAX]);
        let mut one = [0; 32];
        one[31] = 1;
        hash.add(&one);
        assert_eq!(hash, RowsHash([0, 1, 0, 0]));
        let mut hash = RowsHash([u64::MAX; 4]);
        hash.add(&one);
        assert_eq!(hash.to_string(), "0".repeat(64));
    }
}
