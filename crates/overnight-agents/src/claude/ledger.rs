//! What a Claude turn has used: an estimate from the streamed messages, replaced by the CLI's own account at each result.
//!
//! Owns the usage of one CLI run. Must not use the CLI's running totals (`total_cost_usd`, `modelUsage`): they cover the
//! whole session, so that a resumed turn would be charged again for its predecessors.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::agent::Usage;
use overnight_core::units::MicroDollars;
use serde_json::Value;

/// What a message of this model and usage costs by list price.
pub(crate) type Price = fn(&str, &Usage) -> Option<MicroDollars>;

#[derive(Debug)]
pub(crate) struct Ledger {
    price: Price,
    /// What results have accounted for, with their turns.
    settled: Usage,
    /// Messages whose usage stands in `settled`, and results that were counted.
    closed: BTreeSet<String>,
    /// Messages since the last result, by id.
    open: BTreeMap<String, Message>,
    /// The message that is being streamed, by the tool call that its sub-agent belongs to (empty: the agent itself).
    streaming: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Message {
    model: String,
    usage: Usage,
    /// Not of a sub-agent: counts as a turn.
    own: bool,
}

impl Ledger {
    pub(crate) fn new(price: Price) -> Self {
        Self {
            price,
            settled: Usage { cost: Some(MicroDollars(0)), ..Usage::default() },
            closed: BTreeSet::new(),
            open: BTreeMap::new(),
            streaming: BTreeMap::new(),
        }
    }

    /// Takes the usage that a message carries. Within one message it only grows, and it comes several times: at the start
    /// of the stream, and with every finished content block.
    pub(crate) fn message(&mut self, message: &Value, parent: Option<&str>) {
        let Some(id) = message.get("id").and_then(Value::as_str) else { return };
        if self.closed.contains(id) {
            return;
        }
        self.streaming.insert(parent.unwrap_or_default().to_owned(), id.to_owned());
        let model = message.get("model").and_then(Value::as_str).unwrap_or_default();
        let entry = self.open.entry(id.to_owned()).or_insert_with(|| Message {
            model: model.to_owned(),
            usage: Usage::default(),
            own: parent.is_none(),
        });
        if let Some(usage) = message.get("usage") {
            entry.usage = greater(&entry.usage, &api_usage(usage));
        }
    }

    /// Takes the growth of the message that is being streamed.
    pub(crate) fn delta(&mut self, usage: &Value, parent: Option<&str>) {
        let Some(id) = self.streaming.get(parent.unwrap_or_default()) else { return };
        if let Some(entry) = self.open.get_mut(id) {
            entry.usage = greater(&entry.usage, &api_usage(usage));
        }
    }

    /// Takes a result line: what the CLI says it used since the last one replaces our estimate.
    pub(crate) fn settle(&mut self, result: &Value) {
        if let Some(id) = result.get("uuid").and_then(Value::as_str)
            && !self.closed.insert(id.to_owned())
        {
            return;
        }
        let estimate = self.estimate();
        let vendor = match result.get("model_usage_since_last_result").and_then(Value::as_object) {
            Some(models) => sum(models.values().map(vendor_usage)),
            None => estimate,
        };
        self.settled = both(&self.settled, &Usage { turns: estimate.turns, ..vendor });
        self.closed.extend(std::mem::take(&mut self.open).into_keys());
        self.streaming.clear();
    }

    /// What this run has used so far.
    pub(crate) fn total(&self) -> Usage {
        both(&self.settled, &self.estimate())
    }

    fn estimate(&self) -> Usage {
        sum(self.open.values().map(|message| Usage {
            turns: u32::from(message.own),
            cost: (self.price)(&message.model, &message.usage),
            ..message.usage
        }))
    }
}

fn sum(parts: impl Iterator<Item = Usage>) -> Usage {
    parts.fold(Usage { cost: Some(MicroDollars(0)), ..Usage::default() }, |total, part| both(&total, &part))
}

/// Sum whose cost is known only when both costs are: half a cost is not a cost.
fn both(a: &Usage, b: &Usage) -> Usage {
    let cost = a.cost.zip(b.cost).map(|(a, b)| a.plus(b));
    Usage { cost, ..a.plus(b) }
}

fn greater(a: &Usage, b: &Usage) -> Usage {
    Usage {
        input_tokens: a.input_tokens.max(b.input_tokens),
        output_tokens: a.output_tokens.max(b.output_tokens),
        cache_read_tokens: a.cache_read_tokens.max(b.cache_read_tokens),
        cache_write_tokens: a.cache_write_tokens.max(b.cache_write_tokens),
        turns: 0,
        cost: None,
        estimated: false,
    }
}

fn number(object: &Value, field: &str) -> u64 {
    object.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn api_usage(usage: &Value) -> Usage {
    Usage {
        input_tokens: number(usage, "input_tokens"),
        output_tokens: number(usage, "output_tokens"),
        cache_read_tokens: number(usage, "cache_read_input_tokens"),
        cache_write_tokens: number(usage, "cache_creation_input_tokens"),
        turns: 0,
        cost: None,
        estimated: false,
    }
}

fn vendor_usage(model: &Value) -> Usage {
    Usage {
        input_tokens: number(model, "inputTokens"),
        output_tokens: number(model, "outputTokens"),
        cache_read_tokens: number(model, "cacheReadInputTokens"),
        cache_write_tokens: number(model, "cacheCreationInputTokens"),
        turns: 0,
        cost: model.get("costUSD").and_then(Value::as_f64).and_then(MicroDollars::from_dollars),
        estimated: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A microdollar per output token; "dark" has no price.
    fn price(model: &str, usage: &Usage) -> Option<MicroDollars> {
        (model != "dark").then(|| MicroDollars(i64::try_from(usage.output_tokens).unwrap_or(i64::MAX)))
    }

    fn message(id: &str, model: &str, input: u64, output: u64) -> Value {
        json!({"id": id, "model": model, "usage": {"input_tokens": input, "output_tokens": output}})
    }

    fn used(ledger: &Ledger) -> (u64, u64, u32, Option<i64>) {
        let total = ledger.total();
        (total.input_tokens, total.output_tokens, total.turns, total.cost.map(|cost| cost.0))
    }

    #[test]
    fn a_message_that_is_told_several_times_counts_once() {
        let mut ledger = Ledger::new(price);
        ledger.message(&message("a", "m", 100, 1), None);
        ledger.message(&message("a", "m", 100, 1), None);
        ledger.delta(&json!({"output_tokens": 20}), None);
        ledger.message(&message("a", "m", 100, 1), None);
        assert_eq!(used(&ledger), (100, 20, 1, Some(20)));
    }

    #[test]
    fn sub_agents_cost_tokens_but_no_turns_and_do_not_mix_with_the_agents_own_stream() {
        let mut ledger = Ledger::new(price);
        ledger.message(&message("a", "m", 100, 1), None);
        ledger.message(&message("s", "m", 10, 1), Some("toolu_1"));
        ledger.delta(&json!({"output_tokens": 50}), None);
        ledger.delta(&json!({"output_tokens": 7}), Some("toolu_1"));
        assert_eq!(used(&ledger), (110, 57, 1, Some(57)));
    }

    #[test]
    fn one_message_without_a_price_makes_the_cost_unknown() {
        let mut ledger = Ledger::new(price);
        ledger.message(&message("a", "m", 0, 5), None);
        ledger.message(&message("b", "dark", 0, 5), None);
        assert_eq!(used(&ledger), (0, 10, 2, None));
    }

    #[test]
    fn each_result_settles_what_came_since_the_last_and_counts_once() {
        let result = |id: &str, output: u64| {
            json!({"uuid": id, "total_cost_usd": 9.0, "model_usage_since_last_result":
            {"m": {"inputTokens": 1, "outputTokens": output, "costUSD": 0.5}, "n": {"outputTokens": 1, "costUSD": 0.25}}})
        };
        let mut ledger = Ledger::new(price);
        ledger.message(&message("a", "m", 7, 7), None);
        ledger.settle(&result("r1", 3));
        assert_eq!(used(&ledger), (1, 4, 1, Some(750_000)));
        ledger.settle(&result("r1", 3));
        ledger.message(&message("a", "m", 7, 7), None);
        assert_eq!(used(&ledger), (1, 4, 1, Some(750_000)));
        ledger.message(&message("b", "m", 7, 7), None);
        assert_eq!(used(&ledger), (8, 11, 2, Some(750_007)));
        ledger.settle(&result("r2", 3));
        assert_eq!(used(&ledger), (2, 8, 2, Some(1_500_000)));
    }

    #[test]
    fn a_result_without_an_account_keeps_the_estimate() {
        let mut ledger = Ledger::new(price);
        ledger.message(&message("a", "m", 7, 7), None);
        ledger.settle(&json!({"uuid": "r", "total_cost_usd": 9.0}));
        assert_eq!(used(&ledger), (7, 7, 1, Some(7)));
    }
}
