//! `[preflight]` of a repository: what its owners want looked for. It can only add to what a person's configuration says, so there is no
//! `off` here, and the engine takes the stricter of both.

use overnight_core::policy::preflight::{Glob, Level, Preflight, Rule};
use toml::Spanned;
use toml::de::DeValue;

use super::{Found, bad, table, unknown, words};

pub(super) fn read(value: &Spanned<DeValue<'_>>) -> Found<Preflight> {
    let mut policy = Preflight { max_file_size: u64::MAX, max_files: u32::MAX, ..Preflight::default() };
    for (key, value) in table(value, "preflight")? {
        match key.get_ref().as_ref() {
            "warn" => rules(&mut policy, Level::Warn, value, "preflight.warn")?,
            "approve" => rules(&mut policy, Level::Approve, value, "preflight.approve")?,
            "block" => rules(&mut policy, Level::Block, value, "preflight.block")?,
            "protect" => policy.protect = globs(value)?,
            "max_file_size" => policy.max_file_size = number(value, "preflight.max_file_size")?,
            "max_files" => {
                policy.max_files = u32::try_from(number(value, "preflight.max_files")?).unwrap_or(u32::MAX);
            }
            other => return Err((unknown(&format!("preflight.{other}")), key.span())),
        }
    }
    Ok(policy)
}

fn rules(policy: &mut Preflight, level: Level, value: &Spanned<DeValue<'_>>, key: &str) -> Found<()> {
    let why = "must be a list of rules; they are named by: overnight help gate";
    let list = value.get_ref().as_array().ok_or_else(|| (bad(key, why), value.span()))?;
    for item in list {
        let rule = Rule::parse(words(item, key, why)?).ok_or_else(|| (bad(key, why), item.span()))?;
        let level = policy.levels.get(&rule).map_or(level, |known| level.max(*known));
        policy.levels.insert(rule, level);
    }
    Ok(())
}

fn globs(value: &Spanned<DeValue<'_>>) -> Found<Vec<Glob>> {
    let (key, why) = ("preflight.protect", "must be a list of patterns, as in [\"infra/\", \"*.sql\"]");
    let list = value.get_ref().as_array().ok_or_else(|| (bad(key, why), value.span()))?;
    let one = |item| Glob::parse(words(item, key, why)?).map_err(|_| (bad(key, why), item.span()));
    list.iter().map(one).collect()
}

fn number(value: &Spanned<DeValue<'_>>, key: &str) -> Found<u64> {
    let why = "must be a whole number above 0";
    let read = value.get_ref().as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
    read.filter(|n| *n > 0).ok_or_else(|| (bad(key, why), value.span()))
}
