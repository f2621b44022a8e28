//! What an agent used.

use serde::{Deserialize, Serialize};

use crate::price;
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
    /// The cost, or a part of it, is our estimate by list prices, not the vendor's word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    /// Tokens that count against a token limit: everything but cache reads, which vendors bill at a tenth or less.
    #[must_use]
    pub fn counted_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens).saturating_add(self.cache_write_tokens)
    }

    /// Nothing was told of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let tokens = self.counted_tokens().saturating_add(self.cache_read_tokens);
        tokens == 0 && self.turns == 0 && self.cost.is_none_or(|cost| cost.0 == 0)
    }

    /// It has a cost that nobody knows.
    #[must_use]
    pub fn is_unpriced(&self) -> bool {
        self.cost.is_none() && self.counted_tokens().saturating_add(self.cache_read_tokens) > 0
    }

    /// With the cost by list price where the vendor tells none and the model's price is known.
    #[must_use]
    pub fn or_estimated(self, model: Option<&str>) -> Self {
        if !self.is_unpriced() {
            return self;
        }
        let cost = model.and_then(|model| price::cost_of(model, &self));
        Self { cost, estimated: cost.is_some(), ..self }
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
            estimated: self.estimated || other.estimated,
        }
    }
}
