//! Moments as vendors write them.

use overnight_core::units::Timestamp;

/// A moment in UTC as JSON usually has it: `2026-11-21T16:01:36.499Z`.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = three(date, '-')?;
    let (time, millis) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = three(time, ':')?;
    let fits = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !fits || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let millis: i64 = format!("{millis:0<3}").get(..3)?.parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(Timestamp(seconds * 1_000 + millis))
}

fn three(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(|part| part.parse::<u16>().ok().map(i64::from));
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March, so that the leap day is
/// the last of them.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_to_the_millisecond_and_nothing_else_is_one() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T12:00:00.5Z", Some(1_709_208_000_500)),
            ("2026-11-21T16:01:36.499Z", Some(1_795_276_896_499)),
            ("2000-03-01T00:00:00.000Z", Some(951_868_800_000)),
            ("2026-11-21T16:01:36", None),
            ("2026-13-21T16:01:36Z", None),
            ("2026-11-21 16:01:36Z", None),
            ("-1-1-1T1:1:1Z", None),
            ("", None),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text).map(|at| at.0), millis, "{text}");
        }
    }
}
