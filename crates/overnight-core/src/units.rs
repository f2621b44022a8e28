//! Time and money as integers with their unit in the type.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC, as read from the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time `span` later, saturating at the end of time.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Money in millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroDollars(pub i64);

impl MicroDollars {
    /// Rounds to the nearest millionth. `None` for a negative, infinite or undefined amount, or one above nine billion dollars.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let micros = (dollars * 1e6).round();
        // 2^53: above it an f64 no longer holds every whole number.
        ((0.0..=9_007_199_254_740_992.0).contains(&micros)).then_some(Self(micros as i64))
    }

    /// `5`, `5.25`, `$5.25`: at most six decimal places, more than zero. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('$').unwrap_or(text);
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) || text.ends_with('.') {
            return None;
        }
        let part: i64 = format!("{part:0<6}").parse().ok()?;
        let micros = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part)?;
        (micros > 0).then_some(Self(micros))
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for MicroDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0 + 5_000) / 10_000;
        if self.0 > 0 && cents == 0 {
            f.write_str("<$0.01")
        } else {
            write!(f, "${}.{:02}", cents / 100, cents % 100)
        }
    }
}

/// A time span as people write it: a whole number and one of `s`, `m`, `h`, `d`, also several in a row (`1h30m`).
/// `None` for anything else, for zero and for more than ten years.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (mut seconds, mut rest) = (0_u64, text.trim());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = match rest[digits..].chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = rest[digits + 1..].trim_start();
    }
    (1..=10 * 366 * 86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// Serialises a [`Duration`] as whole milliseconds.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    /// # Errors
    /// Only those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_shows_cents_and_never_rounds_a_cost_to_nothing() {
        let shown = [0, 4_999, 5_000, 10_000, 1_234_567, 12_000_000].map(|m| MicroDollars(m).to_string());
        assert_eq!(shown, ["$0.00", "<$0.01", "$0.01", "$0.01", "$1.23", "$12.00"]);
        assert_eq!(MicroDollars::from_dollars(0.0213), Some(MicroDollars(21_300)));
        assert_eq!(MicroDollars::from_dollars(f64::NAN), None);
        assert_eq!(MicroDollars::from_dollars(-1.0), None);
    }

    #[test]
    fn a_clock_that_went_backwards_gives_no_negative_span() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
