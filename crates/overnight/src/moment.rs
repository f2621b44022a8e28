//! A moment as people write it: `2026-11-22T03:00:00+01:00`, `2026-11-22 03:00`, `03:00`, `+2h`. Without an offset it is on
//! the clock of this machine. What it means depends on the time it is, so reading and resolving are two steps.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use overnight_core::units::Timestamp;
use overnight_engine::repo_file;

const EXPECTED: &str = "expected a time like 2026-11-22T03:00:00Z, '2026-11-22 03:00', 03:00 or +2h";

/// A moment that may still depend on what time it is now and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    Local(DateTime),
    /// The next time the clock shows this.
    Clock(Time),
    After(Duration),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(span) = text.strip_prefix('+') {
            return repo_file::duration(span).map(Self::After).ok_or_else(|| EXPECTED.to_owned());
        }
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Timestamp(at.as_millisecond())));
        }
        // The parser below passes over an offset or a zone that it is given; nobody means that.
        let plain = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | ' ' | 'T' | 't');
        if !text.chars().all(plain) || !text.contains(':') {
            return Err(EXPECTED.to_owned());
        }
        let local = text.parse().map(Self::Local);
        local.or_else(|_| text.parse().map(Self::Clock)).map_err(|_| EXPECTED.to_owned())
    }
}

impl Moment {
    /// The moment, when it is `now` in this zone. An hour that the clock passes over counts from before the leap, one that
    /// comes twice is the first.
    ///
    /// # Errors
    /// When it is outside of what a calendar holds.
    pub fn resolve(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        match self {
            Self::At(at) => Ok(at),
            Self::After(span) => Ok(now.plus(span)),
            Self::Local(local) => in_zone(local, zone),
            Self::Clock(time) => {
                let today = jiff::Timestamp::from_millisecond(now.0).map_err(|error| error.to_string())?;
                let today = today.to_zoned(zone.clone()).date();
                let at = in_zone(today.to_datetime(time), zone)?;
                if at > now {
                    return Ok(at);
                }
                let tomorrow = today.tomorrow().map_err(|error| error.to_string())?;
                in_zone(tomorrow.to_datetime(time), zone)
            }
        }
    }
}

fn in_zone(local: DateTime, zone: &TimeZone) -> Result<Timestamp, String> {
    let zoned = local.to_zoned(zone.clone()).map_err(|error| error.to_string())?;
    Ok(Timestamp(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours east, without summer time.
    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(2))
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn every_way_to_write_a_moment_has_its_meaning() {
        // Half past one in the afternoon there.
        let now = at("2026-11-21T11:30:00Z");
        let table = [
            ("2026-11-22T03:00:00Z", "2026-11-22T03:00:00Z"),
            ("2026-11-22T03:00:00+01:00", "2026-11-22T02:00:00Z"),
            ("2026-11-22 03:00", "2026-11-22T01:00:00Z"),
            ("2026-11-22T03:00:30", "2026-11-22T01:00:30Z"),
            (" 14:00 ", "2026-11-21T12:00:00Z"),
            ("13:30", "2026-11-22T11:30:00Z"),
            ("03:00", "2026-11-22T01:00:00Z"),
            ("+2h", "2026-11-21T13:30:00Z"),
            ("+1h30m", "2026-11-21T13:00:00Z"),
        ];
        for (text, wanted) in table {
            let found = text.parse::<Moment>().unwrap().resolve(now, &zone());
            assert_eq!(found, Ok(at(wanted)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_says_what_one_looks_like() {
        for bad in [
            "",
            "tomorrow",
            "+",
            "+2",
            "2h",
            "25:00",
            "2026-11-22",
            "2026-13-01 03:00",
            "3",
            "03:00 CET",
            "-2h",
        ] {
            let said = bad.parse::<Moment>().unwrap_err();
            assert!(said.contains("+2h"), "{bad:?}: {said}");
        }
    }
}
