//! Reads what a description says where it stands: texts and figures in a JSON value. What is missing or of another kind counts
//! as not there.

use overnight_core::agent::Usage;
use overnight_core::agent::adapter::{Counted, FieldPath, Fields};
use overnight_core::units::MicroDollars;
use serde_json::Value;

/// The first of the paths that leads to something.
fn find<'a>(value: &'a Value, paths: &[FieldPath]) -> Option<&'a Value> {
    paths.iter().find_map(|path| at(value, path)).filter(|found| !found.is_null())
}

fn at<'a>(value: &'a Value, path: &FieldPath) -> Option<&'a Value> {
    let step = |value: &'a Value, name: &str| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    path.names().try_fold(value, step)
}

pub(super) fn text<'a>(value: &'a Value, paths: &[FieldPath]) -> Option<&'a str> {
    find(value, paths).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A text, or whatever else stands there, as JSON. `false` and an empty text say that there is nothing.
pub(super) fn words(value: &Value, paths: &[FieldPath]) -> Option<String> {
    match find(value, paths)? {
        Value::String(text) => Some(text.clone()),
        Value::Bool(false) => None,
        other => Some(other.to_string()),
    }
    .filter(|words| !words.is_empty())
}

/// The figures of a turn, as they are told bit by bit.
#[derive(Debug)]
pub(super) struct Figures {
    counted: Counted,
    /// What the session had used before this turn.
    before: Usage,
    told: Usage,
}

impl Figures {
    pub(super) fn new(counted: Counted, before: Usage) -> Self {
        Self { counted, before, told: Usage::default() }
    }

    /// Takes the figures of one value. Says whether there were any.
    pub(super) fn take(&mut self, value: &Value, fields: &Fields) -> bool {
        let number = |paths: &[FieldPath]| find(value, paths).and_then(Value::as_u64);
        let tokens = [
            number(&fields.input_tokens),
            number(&fields.output_tokens),
            number(&fields.cache_read_tokens),
            number(&fields.cache_write_tokens),
        ];
        let turns = number(&fields.turns).map(|turns| u32::try_from(turns).unwrap_or(u32::MAX));
        let cost = find(value, &fields.cost).and_then(Value::as_f64).and_then(MicroDollars::from_dollars);
        let told = &mut self.told;
        let places = [
            &mut told.input_tokens,
            &mut told.output_tokens,
            &mut told.cache_read_tokens,
            &mut told.cache_write_tokens,
        ];
        let adds = self.counted == Counted::Line;
        for (place, new) in places.into_iter().zip(tokens) {
            if let Some(new) = new {
                *place = if adds { place.saturating_add(new) } else { new };
            }
        }
        if let Some(turns) = turns {
            told.turns = if adds { told.turns.saturating_add(turns) } else { turns };
        }
        if let Some(cost) = cost {
            told.cost = Some(if adds { told.cost.unwrap_or_default().plus(cost) } else { cost });
        }
        tokens.iter().any(Option::is_some) || turns.is_some() || cost.is_some()
    }

    /// What this turn alone has used.
    pub(super) fn usage(&self) -> Usage {
        match self.counted {
            Counted::Line | Counted::Turn => self.told,
            Counted::Session => beyond(&self.told, &self.before),
        }
    }
}

fn beyond(told: &Usage, before: &Usage) -> Usage {
    let known = before.cost.unwrap_or_default();
    Usage {
        input_tokens: told.input_tokens.saturating_sub(before.input_tokens),
        output_tokens: told.output_tokens.saturating_sub(before.output_tokens),
        cache_read_tokens: told.cache_read_tokens.saturating_sub(before.cache_read_tokens),
        cache_write_tokens: told.cache_write_tokens.saturating_sub(before.cache_write_tokens),
        turns: told.turns.saturating_sub(before.turns),
        cost: told.cost.map(|cost| MicroDollars(cost.0.saturating_sub(known.0))),
        estimated: false,
    }
}
