//! What an agent used.

use serde::{Deserialize, Serialize};

use crate::units::MicroDollars;

/// Tokens and money. `cost` is `None` when nobody knows it, which is not the same as zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    /// Model turns (answers), as the vendor counts them.
    pub turns: u32,
    #[serde(rename = "cost_microdollars")]
    pub cost: Option<MicroDollars>,
}

impl Usage {
    /// Tokens that count against a token limit: everything but cache reads, which vendors bill at a tenth or less.
    #[must_use]
    pub fn counted_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens).saturating_add(self.cache_write_tokens)
    }

    /// Sum of two usages. An unknown cost stays known only when the other side cost nothing to know: `None` + x = x,
    /// so callers that must tell "unknown" apart keep [`Usage`] records separate.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let cost = match (self.cost, other.cost) {
            (Some(a), Some(b)) => Some(a.plus(b)),
            (one, None) | (None, one) => one,
        };
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_add(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            turns: self.turns.saturating_add(other.turns),
            cost,
        }
    }
}
