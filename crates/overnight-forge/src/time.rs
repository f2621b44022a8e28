//! Times as forges write them in JSON (RFC 3339, with any offset), read and written.
//!
//! Owns no state.

use overnight_core::units::Timestamp;
use reqwest::Url;

/// `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_millisecond()))
}

/// In UTC with whole seconds, rounded down: `2024-02-29T00:00:00Z`.
pub(crate) fn show(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(1_000);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// Asks only for what was changed since then.
pub(crate) fn only_since(url: &mut Url, parameter: &str, since: Option<Timestamp>) {
    if let Some(since) = since {
        url.query_pairs_mut().append_pair(parameter, &show(since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset_and_written_in_utc() {
        for text in ["2024-02-29T01:00:00+01:00", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"] {
            assert_eq!(parse(text), Some(Timestamp(1_709_164_800_000)), "{text}");
        }
        assert_eq!(show(Timestamp(1_709_164_800_999)), "2024-02-29T00:00:00Z");
        assert_eq!((parse("yesterday"), parse("")), (None, None));
    }
}
