//! The date format of HTTP headers (`Sun, 06 Nov 1994 08:49:37 GMT`), read only.
//!
//! Owns no state. We read a forge's own `Date` so that its reset times need no clock of ours.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970-01-01 UTC. `None` for every other format; servers must send this one (RFC 9110, 5.6.7).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace().skip(1);
    let day: i64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month_name)?;
    let year: i64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = words.next()?.splitn(3, ':');
    let mut part = |max: i64| clock.next()?.parse::<i64>().ok().filter(|n| (0..=max).contains(n));
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    if words.next()? != "GMT" {
        return None;
    }
    let days = days_since_epoch(year, i64::try_from(month).ok()?, day);
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// `month` counts from 0. Years are counted from March, so that the leap day is the last of its year.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // 153 days in every five months from March on; 719,468 days from 0000-03-01 to 1970-01-01.
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_read_and_others_refused() {
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(parse("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        for bad in [
            "",
            "120",
            "Sun, 06 Nov 1994 08:49:37",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
