//! How much a plan was rewritten.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Below this part of its lines, in percent, a plan counts as settled.
const SETTLED_PERCENT: usize = 5;

/// Lines that came or went, of all lines of both texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub lines: usize,
    pub of: usize,
}

impl Changed {
    #[must_use]
    pub fn is_settled(self) -> bool {
        self.lines.saturating_mul(100) < self.of.saturating_mul(SETTLED_PERCENT)
    }

    /// In percent, rounded up: what changed at all is not nothing.
    #[must_use]
    pub fn percent(self) -> usize {
        self.lines.saturating_mul(100).div_ceil(self.of.max(1))
    }
}

/// Compares the lines that say something. A line that only moved did not change; blanks at the end of one do not count.
#[must_use]
pub fn changed(before: &str, after: &str) -> Changed {
    let mut left: HashMap<&str, isize> = HashMap::new();
    let mut of = 0;
    for (text, count) in [(before, 1), (after, -1)] {
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            *left.entry(line).or_default() += count;
            of += 1;
        }
    }
    Changed { lines: left.values().map(|count| count.unsigned_abs()).sum(), of }
}
