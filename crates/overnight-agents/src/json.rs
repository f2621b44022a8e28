//! Looking into a line of JSON whose shape is a vendor's promise: a field that is missing or of an unexpected type is `None`,
//! never a failure.

use overnight_core::agent::Usage;
use serde_json::Value;

pub(crate) fn string<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

pub(crate) fn number(object: &Value, field: &str) -> Option<u64> {
    object.get(field).and_then(Value::as_u64)
}

pub(crate) fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// The value at a path of fields.
pub(crate) fn at<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, field| value.get(field))
}

/// Usage in the words of a vendor that counts cached tokens as part of the input: ours are apart from each other.
pub(crate) fn usage_with_cache_inside(object: &Value, input: &str, output: &str, cached: &str) -> Usage {
    let all = number(object, input).unwrap_or(0);
    let cached = number(object, cached).unwrap_or(0).min(all);
    Usage {
        input_tokens: all - cached,
        output_tokens: number(object, output).unwrap_or(0),
        cache_read_tokens: cached,
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_or_of_another_type_is_nothing() {
        let line = json!({"a": {"b": "text"}, "n": "7", "l": [1, 2]});
        assert_eq!(at(&line, &["a", "b"]).and_then(Value::as_str), Some("text"));
        assert_eq!(at(&line, &["a", "b", "c"]), None);
        assert_eq!((number(&line, "n"), string(&line, "a")), (None, None));
        assert_eq!((items(&line, "l").count(), items(&line, "a").count()), (2, 0));
    }

    #[test]
    fn cached_tokens_are_counted_once() {
        let of = |input: u64, cached: u64| {
            usage_with_cache_inside(&json!({"i": input, "o": 5, "c": cached}), "i", "o", "c")
        };
        assert_eq!((of(100, 40).input_tokens, of(100, 40).cache_read_tokens), (60, 40));
        assert_eq!((of(10, 40).input_tokens, of(10, 40).cache_read_tokens), (0, 10));
    }
}
