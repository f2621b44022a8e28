//! Text of any length that does not repeat itself, since some clients stop when a model repeats itself.
//!
//! Pure: the same length always gives the same text.

const WORDS: [&str; 16] = [
    "branch", "commit", "test", "review", "module", "stage", "queue", "lease", "worker", "mirror", "verdict",
    "ledger", "window", "socket", "parser", "budget",
];

/// Exactly `bytes` bytes of ASCII in numbered lines. No two lines are equal.
pub(super) fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 96);
    let mut state: u64 = 0x2545_F491_4F6C_DD1D;
    let mut line: u64 = 1;
    while text.len() < bytes {
        text.push_str(&line.to_string());
        for _ in 0..8 {
            // Knuth's MMIX constants; the high bits choose, since the low bits of such a sequence have short periods.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push(' ');
            text.push_str(WORDS[usize::try_from(state >> 60).unwrap_or(0)]);
        }
        text.push('\n');
        line += 1;
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn has_the_exact_length_and_no_equal_lines() {
        let text = text(100_000);
        assert_eq!(text.len(), 100_000);
        let lines: Vec<&str> = text.lines().collect();
        let without_numbers: BTreeSet<&str> =
            lines.iter().map(|line| line.split_once(' ').map_or(*line, |(_, words)| words)).collect();
        assert_eq!(without_numbers.len(), lines.len());
    }
}
