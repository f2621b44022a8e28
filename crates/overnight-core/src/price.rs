//! What tokens of models cost: a dated table, for the estimate of a turn whose agent reports tokens but no money.
//!
//! Owns the table and nothing else. A model that is not in it has no price: `None`, never zero. Wherever the agent
//! reports its own cost, that figure counts and this one does not.
//!
//! Claude, source: the "Model pricing" table of Anthropic's documentation (platform.claude.com, "Pricing") and its model pages,
//! as stored copies show them up to [`PRICES_AS_OF`]; the cache-read price of Sonnet 5.5 and the rates of Haiku 5.5
//! hold since 2026-10-07. Cache writes carry the price of the 5-minute cache (the 1-hour cache costs 1.6 times as
//! much, and usage reports do not always tell them apart). Not in the table: batch and regional surcharges, fast mode.
//!
//! GPT, source: the model pages of OpenAI's documentation (developers.openai.com, "Models") and its announcement of GPT-5.6,
//! as stored copies and pages that quote them show them up to September 2026; standard tier, prompts of usual length. Only
//! GPT-5.6 charges for writing to the cache.
//!
//! Gemini, source: the pricing page of the Gemini API (ai.google.dev, "Pricing"), as pages that quote it show it up to July
//! 2026; text, paid tier, without the storage of caches by the hour. A cache read is a tenth of the input there; where no
//! such price was found, reads are taken at the price of input.
//!
//! Not in the table: Qwen. Alibaba's prices depend on the length of each prompt, up to twelvefold, and on the region, in two
//! currencies; a session's sums do not tell which of them hold.
//!
//! Where a price depends on the length of a single prompt and the CLI sends such prompts, the higher one is taken: a cost limit
//! must not be passed unseen.

use crate::agent::Usage;
use crate::units::MicroDollars;

/// The day on which the table was last compared with its source.
pub const PRICES_AS_OF: &str = "2026-10-16";

/// Prices of one model in thousandths of a US dollar per million tokens, which makes every list price a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: u32,
    pub output: u32,
    pub cache_write: u32,
    pub cache_read: u32,
}

const fn price(input: u32, output: u32, cache_write: u32, cache_read: u32) -> Price {
    Price { input, output, cache_write, cache_read }
}

const OPUS_FIRST: Price = price(15_000, 75_000, 18_750, 1_500);
const OPUS: Price = price(5_000, 25_000, 6_250, 500);
const GPT_5: Price = price(1_250, 10_000, 1_250, 125);
const GPT_5_MINI: Price = price(250, 2_000, 250, 25);
const GPT_5_2: Price = price(1_750, 14_000, 1_750, 175);
const SONNET: Price = price(3_000, 15_000, 3_750, 300);

/// Model names without vendor prefix and date.
const TABLE: &[(&str, Price)] = &[
    ("claude-fable-5-1", price(10_000, 50_000, 12_500, 250)),
    ("claude-mythos-5-1", price(10_000, 50_000, 12_500, 250)),
    ("claude-fable-5", price(10_000, 50_000, 12_500, 1_000)),
    ("claude-mythos-5", price(10_000, 50_000, 12_500, 1_000)),
    ("claude-opus-5-5", price(4_000, 20_000, 5_000, 200)),
    ("claude-opus-5", OPUS),
    ("claude-opus-4-8", OPUS),
    ("claude-opus-4-7", OPUS),
    ("claude-opus-4-6", OPUS),
    ("claude-opus-4-5", OPUS),
    ("claude-opus-4-1", OPUS_FIRST),
    ("claude-opus-4-0", OPUS_FIRST),
    ("claude-opus-4", OPUS_FIRST),
    ("claude-3-opus", OPUS_FIRST),
    ("claude-sonnet-5-5", price(2_000, 10_000, 2_500, 100)),
    ("claude-sonnet-5", price(2_000, 10_000, 2_500, 200)),
    ("claude-sonnet-4-6", SONNET),
    ("claude-sonnet-4-5", SONNET),
    ("claude-sonnet-4-0", SONNET),
    ("claude-sonnet-4", SONNET),
    ("claude-3-7-sonnet", SONNET),
    ("claude-3-5-sonnet", SONNET),
    // Prompts above 100,000 tokens; shorter ones cost a fifth.
    ("claude-haiku-5-5", price(500, 2_500, 625, 50)),
    ("claude-haiku-4-5", price(1_000, 5_000, 1_250, 100)),
    ("claude-3-5-haiku", price(800, 4_000, 1_000, 80)),
    ("claude-3-haiku", price(250, 1_250, 300, 30)),
    ("gpt-5.6-sol", price(5_000, 30_000, 6_250, 500)),
    ("gpt-5.6-terra", price(2_500, 15_000, 3_125, 250)),
    ("gpt-5.6-luna", price(1_000, 6_000, 1_250, 100)),
    ("gpt-5.5", price(5_000, 30_000, 5_000, 500)),
    ("gpt-5.4", price(2_500, 15_000, 2_500, 250)),
    ("gpt-5.4-mini", price(750, 4_500, 750, 75)),
    ("gpt-5.3-codex", GPT_5_2),
    ("gpt-5.2-codex", GPT_5_2),
    ("gpt-5.2", GPT_5_2),
    ("gpt-5.1-codex-max", GPT_5),
    ("gpt-5.1-codex", GPT_5),
    ("gpt-5.1-codex-mini", GPT_5_MINI),
    ("gpt-5.1", GPT_5),
    ("gpt-5-codex", GPT_5),
    ("gpt-5", GPT_5),
    ("gpt-5-mini", GPT_5_MINI),
    ("gpt-5-nano", price(50, 400, 50, 5)),
    ("gemini-3.5-flash", price(1_500, 9_000, 1_500, 1_500)),
    // Prompts above 200,000 tokens; shorter ones cost half.
    ("gemini-3.1-pro-preview", price(4_000, 18_000, 4_000, 400)),
    ("gemini-3.1-flash-lite", price(250, 1_500, 250, 250)),
    ("gemini-3-flash-preview", price(500, 3_000, 500, 50)),
    ("gemini-2.5-pro", price(2_500, 15_000, 2_500, 250)),
    ("gemini-2.5-flash", price(300, 2_500, 300, 300)),
    ("gemini-2.5-flash-lite", price(100, 400, 100, 100)),
];

/// How the names of the families begin.
const FAMILIES: [&str; 3] = ["claude-", "gpt-", "gemini-"];

/// The price of a model by any of the names that vendors give it: `claude-opus-5-5`, `claude-haiku-4-5-20251001`,
/// `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `anthropic/claude-sonnet-5`, `claude-opus-4-1@20250805`,
/// `claude-sonnet-5[1m]`, `openai/gpt-5-2025-08-07`. Floating names such as `opus` mean different models in different places and have none.
#[must_use]
pub fn price_of(model: &str) -> Option<Price> {
    let name = base_name(model)?;
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, price)| *price)
}

/// What `usage` costs on `model`, rounded to the nearest millionth of a dollar. `None` for a model without a known price.
#[must_use]
pub fn cost_of(model: &str, usage: &Usage) -> Option<MicroDollars> {
    let price = price_of(model)?;
    let parts = [
        (usage.input_tokens, price.input),
        (usage.output_tokens, price.output),
        (usage.cache_write_tokens, price.cache_write),
        (usage.cache_read_tokens, price.cache_read),
    ];
    // Tokens x thousandths of a dollar per million tokens = billionths of a dollar.
    let billionths: u128 = parts.iter().map(|(tokens, rate)| u128::from(*tokens) * u128::from(*rate)).sum();
    Some(MicroDollars(i64::try_from((billionths + 500) / 1_000).unwrap_or(i64::MAX)))
}

/// The name from its family on, without marks of a context size, a platform version or a date.
fn base_name(model: &str) -> Option<&str> {
    let begins = |at: &usize| *at == 0 || matches!(model.as_bytes()[at - 1], b'.' | b'/');
    let start = FAMILIES.iter().find_map(|family| model.find(family).filter(begins))?;
    let name = &model[start..];
    let name = name.strip_suffix("[1m]").unwrap_or(name);
    let name = name.split_once('@').map_or(name, |(before, _)| before);
    let name = strip_platform_version(name);
    Some(name.strip_suffix("-latest").unwrap_or_else(|| strip_date(name)))
}

/// Without Bedrock's `-v1` or `-v1:0`.
fn strip_platform_version(name: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match name.rsplit_once("-v") {
        Some((before, version)) if version.split(':').all(digits) => before,
        Some(_) | None => name,
    }
}

/// Without `-20250929` or `-2025-09-29`.
fn strip_date(name: &str) -> &str {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parted = name.len().checked_sub(11).and_then(|at| Some((name.get(..at)?, name.get(at..)?)));
    if let Some((before, date)) = parted
        && let [b'-', year @ .., b'-', m1, m2, b'-', d1, d2] = date.as_bytes()
        && year.len() == 4
        && [year, &[*m1, *m2, *d1, *d2]].concat().iter().all(u8::is_ascii_digit)
    {
        return before;
    }
    match name.rsplit_once('-') {
        Some((before, date)) if date.len() == 8 && digits(date) => before,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usage(input: u64, output: u64, write: u64, read: u64) -> Usage {
        Usage {
            input_tokens: input,
            output_tokens: output,
            cache_write_tokens: write,
            cache_read_tokens: read,
            ..Usage::default()
        }
    }

    #[test]
    fn every_name_of_a_model_has_its_price() {
        let cases = [
            ("claude-opus-5-5", 4_000),
            ("claude-opus-5", 5_000),
            ("claude-opus-4-5-20251101", 5_000),
            ("claude-opus-4-20250514", 15_000),
            ("claude-opus-4-1@20250805", 15_000),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3_000),
            ("anthropic.claude-3-5-haiku-20241022-v1:0", 800),
            ("anthropic.claude-opus-4-6-v1", 5_000),
            ("anthropic/claude-sonnet-5", 2_000),
            ("claude-sonnet-5[1m]", 2_000),
            ("claude-3-7-sonnet-latest", 3_000),
            ("gpt-5-2025-08-07", 1_250),
            ("gpt-5-codex", 1_250),
            ("openai/gpt-5.3-codex", 1_750),
            ("gemini-2.5-flash", 300),
            ("google/gemini-3-flash-preview", 500),
        ];
        for (model, input) in cases {
            assert_eq!(price_of(model).map(|price| price.input), Some(input), "{model}");
        }
    }

    #[test]
    fn an_unknown_model_has_no_price_rather_than_none_to_pay() {
        let some = usage(1_000, 1_000, 0, 0);
        for model in [
            "",
            "opus",
            "sonnet",
            "gpt-4.9",
            "gpt-",
            "my-gpt-5",
            "gpt-5-2025-08-0x",
            "gemini-pro-latest",
            "qwen3-coder-plus",
            "claude-",
            "claude-opus-6",
            "claude-opus-4-55",
            "claude-opus-5-5-mini",
            "myclaude-opus-5",
        ] {
            assert_eq!(cost_of(model, &some), None, "{model}");
        }
    }

    #[test]
    fn all_four_kinds_of_tokens_count() {
        // 1M of each on Opus 5: 5 + 25 + 6.25 + 0.50 dollars.
        let each = usage(1_000_000, 1_000_000, 1_000_000, 1_000_000);
        assert_eq!(cost_of("claude-opus-5", &each), Some(MicroDollars(36_750_000)));
        assert_eq!(cost_of("claude-haiku-4-5", &usage(12, 345, 0, 0)), Some(MicroDollars(1_737)));
        assert_eq!(cost_of("claude-opus-5", &Usage::default()), Some(MicroDollars(0)));
        assert_eq!(
            cost_of("claude-opus-5", &usage(u64::MAX, u64::MAX, u64::MAX, u64::MAX)),
            Some(MicroDollars(i64::MAX))
        );
    }

    #[test]
    fn the_table_is_free_of_slips() {
        for (index, (name, price)) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|(other, _)| other != name), "{name} twice");
            assert!(price.cache_read <= price.input && price.input <= price.cache_write, "{name}");
            assert!((4..=9).contains(&(price.output / price.input)), "{name}");
            if name.starts_with("claude-") {
                assert_eq!(price.output, price.input * 5, "{name}");
                assert!(price.cache_read < price.input && price.input < price.cache_write, "{name}");
            }
            assert_eq!(base_name(name), Some(*name));
        }
    }

    proptest! {
        #[test]
        fn more_tokens_never_cost_less(a in 0_u64..1 << 40, b in 0_u64..1 << 40, index in 0..TABLE.len()) {
            let model = TABLE[index].0;
            let (less, more) = (usage(a, a, a, a), usage(a + b, a + b, a + b, a + b));
            prop_assert!(cost_of(model, &less) <= cost_of(model, &more));
        }

        #[test]
        fn no_name_is_a_panic(name in any::<String>()) {
            let _ = price_of(&name);
            let _ = price_of(&format!("claude-{name}"));
        }
    }
}
