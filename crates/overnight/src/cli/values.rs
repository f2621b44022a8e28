//! Values as people write them (`15m`, `$5.00`, `500k`) turned into units. Shared by flags, environment and files, so that
//! a value means the same wherever it stands.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use overnight_core::agent::{BackendId, Billing, Effort};
use overnight_core::choose::Say;
use overnight_core::job::{JobKind, Priority};
use overnight_core::units::MicroDollars;
use overnight_engine::repo_file;
use overnight_store::Database;

/// `90s`, `15m`, `2h`, `1h30m`.
///
/// # Errors
/// A sentence about what is expected.
pub fn span(text: &str) -> Result<Duration, String> {
    repo_file::duration(text).ok_or_else(|| "expected a time like 90s, 15m, 2h or 1h30m".to_owned())
}

/// Also in days: `90d`.
///
/// # Errors
/// A sentence about what is expected.
pub fn long_span(text: &str) -> Result<Duration, String> {
    let days =
        text.trim().strip_suffix('d').and_then(|days| days.parse::<u32>().ok()).filter(|days| *days > 0);
    match days {
        Some(days) => Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
        None => span(text).map_err(|_| "expected a time like 90d, 12h or 30m".to_owned()),
    }
}

/// `5`, `5.25`, `$5.25`: at most six decimal places, more than zero.
///
/// # Errors
/// A sentence about what is expected.
pub fn money(text: &str) -> Result<MicroDollars, String> {
    MicroDollars::parse(text)
        .ok_or_else(|| "expected an amount in US dollars like 5, 2.50 or $0.75".to_owned())
}

/// `200000`, `200k`, `1.5M`.
///
/// # Errors
/// A sentence about what is expected.
pub fn tokens(text: &str) -> Result<u64, String> {
    exact_tokens(text).ok_or_else(|| "expected a number of tokens like 200000, 200k or 1.5M".to_owned())
}

fn exact_tokens(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, zeros) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 3),
        'm' | 'M' => (&text[..text.len() - 1], 6),
        _ => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > zeros || !digits(whole) || !digits(part) || number.ends_with('.') {
        return None;
    }
    format!("{whole}{part:0<zeros$}").parse().ok().filter(|tokens| *tokens > 0)
}

/// Tokens for thinking: as [`tokens`], or 0 for none.
///
/// # Errors
/// A sentence about what is expected.
pub fn thinking_budget(text: &str) -> Result<u64, String> {
    if text.trim() == "0" {
        return Ok(0);
    }
    tokens(text).map_err(|why| format!("{why}, or 0"))
}

/// `1048576`, `512MiB`, `2GiB`: bytes.
///
/// # Errors
/// A sentence about what is expected.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit = SIZES.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number = number.trim_end().parse::<u64>().ok().filter(|_| !number.starts_with('+'));
    let bytes = number.and_then(|number| number.checked_mul(bytes));
    bytes.ok_or_else(|| "expected a size like 512MiB, 2GiB or a number of bytes".to_owned())
}

/// A size as [`size`] reads it.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let whole = SIZES.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Largest first.
const SIZES: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// `127.0.0.1:7377`, `[::1]:7377`. No name: what it stands for could change.
///
/// # Errors
/// A sentence about what is expected.
pub fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    let local = text.trim().strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = local.as_deref().unwrap_or(text.trim()).parse();
    address.map_err(|_| "expected an address and a port like 127.0.0.1:7377 or [::1]:7377".to_owned())
}

/// A word that people put on jobs and workers.
///
/// # Errors
/// A sentence about what is expected.
pub fn label(text: &str) -> Result<overnight_core::job::Label, String> {
    overnight_core::job::Label::parse(text).map_err(|error| error.to_string())
}

/// `2026-11-21`: the number of that UTC day since 1970-01-01.
///
/// # Errors
/// A sentence about what is expected.
pub fn utc_day(text: &str) -> Result<i64, String> {
    let date = text.trim().parse::<jiff::civil::Date>();
    let start = date.ok().and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let start = start.ok_or_else(|| "expected a date like 2026-11-21".to_owned())?;
    let at = overnight_core::units::Timestamp(start.timestamp().as_millisecond());
    Ok(overnight_core::policy::budget::day_of(at))
}

/// A whole number above zero.
///
/// # Errors
/// A sentence about what is expected.
pub fn count(text: &str) -> Result<u32, String> {
    let number = text.trim().parse::<u32>().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number above zero".to_owned())
}

/// # Errors
/// The bounds.
pub fn priority(text: &str) -> Result<Priority, String> {
    let number =
        text.trim().parse::<i64>().map_err(|_| "expected a whole number from -100 to 100".to_owned())?;
    Priority::new(number)
}

/// Somebody's own name for an order.
///
/// # Errors
/// A sentence about what is expected.
pub fn key(text: &str) -> Result<String, String> {
    let fits = !text.trim().is_empty() && text.chars().count() <= 200 && !text.contains(char::is_control);
    fits.then(|| text.to_owned()).ok_or_else(|| "expected 1 to 200 characters on one line".to_owned())
}

/// # Errors
/// The list of backends.
pub fn backend(text: &str) -> Result<BackendId, String> {
    let found = BackendId::ALL.into_iter().find(|id| id.as_str() == text);
    found.ok_or_else(|| format!("expected one of {}", list(&BackendId::ALL.map(BackendId::as_str))))
}

/// The name of an agent that takes over, or `none`. Which names there are is for the configuration to say.
///
/// # Errors
/// A sentence about what is expected.
pub fn backup(text: &str) -> Result<Say<String>, String> {
    match text.trim() {
        "" => Err("expected the name of an agent, or none".to_owned()),
        "none" => Ok(Say::Off),
        name => Ok(Say::To(name.to_owned())),
    }
}

/// # Errors
/// The list of efforts.
pub fn effort(text: &str) -> Result<Effort, String> {
    let found = Effort::ALL.into_iter().find(|effort| effort.as_str() == text);
    found.ok_or_else(|| format!("expected one of {}", list(&Effort::ALL.map(Effort::as_str))))
}

/// # Errors
/// The two ways to pay.
pub fn billing(text: &str) -> Result<Billing, String> {
    match text {
        "subscription" => Ok(Billing::Subscription),
        "key" => Ok(Billing::Key),
        _ => Err("expected subscription or key".to_owned()),
    }
}

/// The word for a way to pay.
#[must_use]
pub fn billing_word(billing: Billing) -> &'static str {
    match billing {
        Billing::Subscription => "subscription",
        Billing::Key => "key",
    }
}

/// `Name <address>` as git wants it: no line breaks and exactly one pair of angle brackets.
///
/// # Errors
/// A sentence about what is expected.
pub fn author(text: &str) -> Result<String, String> {
    let wrong = || "expected an author like 'Ada Lovelace <ada@example.org>'".to_owned();
    let (name, rest) = text.trim().split_once('<').ok_or_else(wrong)?;
    let address = rest.strip_suffix('>').ok_or_else(wrong)?;
    let clean = |text: &str| !text.is_empty() && !text.contains(['<', '>', '\n', '\r', '\0']);
    if clean(name.trim()) && clean(address) && !address.contains(char::is_whitespace) {
        Ok(format!("{} <{address}>", name.trim()))
    } else {
        Err(wrong())
    }
}

/// A time span as [`span`] reads it.
#[must_use]
pub fn show_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut text = String::new();
    let mut rest = seconds;
    for (size, unit) in units {
        if rest >= size {
            text.push_str(&(rest / size).to_string());
            text.push_str(unit);
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn list(words: &[&str]) -> String {
    words.join(", ")
}

/// A database, by URL or path. A relative path starts at the current directory.
///
/// # Errors
/// Says what was expected.
pub fn database(text: &str) -> Result<Database, String> {
    let relative = !text.contains(':') && !text.is_empty() && !std::path::Path::new(text).is_absolute();
    let absolute = if relative { std::path::absolute(text).ok() } else { None };
    match absolute {
        Some(path) => Ok(Database::Sqlite(path)),
        None => Database::parse(text).map_err(|error| error.to_string()),
    }
}

// Closed sets are given to clap as such, so that it completes them and offers the nearest.

pub fn efforts() -> impl TypedValueParser<Value = Effort> {
    PossibleValuesParser::new(Effort::ALL.map(Effort::as_str)).try_map(|text| effort(&text))
}

pub fn billings() -> impl TypedValueParser<Value = Billing> {
    PossibleValuesParser::new(["subscription", "key"]).try_map(|text| billing(&text))
}

pub fn kinds() -> impl TypedValueParser<Value = JobKind> {
    let kind = |text: String| JobKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    PossibleValuesParser::new(JobKind::ALL.map(JobKind::as_str))
        .try_map(move |text| kind(text).ok_or("there is no such kind of job"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_exactly() {
        let table = [("5", 5_000_000), ("$5.00", 5_000_000), ("0.000001", 1), ("12.34", 12_340_000)];
        for (text, micros) in table {
            assert_eq!(money(text), Ok(MicroDollars(micros)), "{text}");
        }
        for bad in
            ["", "$", "0", "-1", "5.", ".5", "1e3", "5 dollars", "1.0000001", "99999999999999999999", "5€"]
        {
            assert!(money(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_are_read_with_their_thousands() {
        let table = [("200000", 200_000), ("200k", 200_000), ("1.5M", 1_500_000), ("2m", 2_000_000)];
        for (text, number) in table {
            assert_eq!(tokens(text), Ok(number), "{text}");
        }
        for bad in ["", "k", "0", "-1", "1.5", "1.2345k", "5.k", "many", "99999999999999999999M"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units_and_shown_as_they_are_written() {
        let table = [("0", 0), ("1000", 1000), ("512MiB", 512 << 20), ("1GiB", 1 << 30), ("3 KiB", 3 << 10)];
        for (text, bytes) in table {
            assert_eq!(size(text), Ok(bytes), "{text}");
            assert_eq!(size(&show_size(bytes)), Ok(bytes), "{text}");
        }
        assert_eq!(show_size(1 << 30), "1GiB");
        for bad in ["", "GiB", "-1", "+1", "1.5GiB", "1GB", "99999999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_port_and_is_no_name() {
        assert_eq!(address("localhost:80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(address(" [::1]:0 ").unwrap().to_string(), "[::1]:0");
        for bad in ["", "7377", "127.0.0.1", "::1", "example.org:80", "127.0.0.1:x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_shown_span_is_read_back_as_the_same() {
        for seconds in [1, 59, 60, 90, 3600, 5400, 86_400, 90_061] {
            let span_ = Duration::from_secs(seconds);
            assert_eq!(span(&show_span(span_)), Ok(span_), "{}", show_span(span_));
        }
    }

    #[test]
    fn an_author_cannot_smuggle_a_header() {
        assert_eq!(author(" Ada L <ada@x.org> ").as_deref(), Ok("Ada L <ada@x.org>"));
        for bad in ["Ada", "<a@b>", "Ada <>", "Ada <a b>", "A\nB <a@b>", "A <a@b> <c@d>", "Ada <a@b>x"] {
            assert!(author(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn closed_sets_name_their_members() {
        let known = "expected one of claude, codex, gemini, qwen, opencode, acp, adapter, command, rehearsal";
        assert_eq!(backend("cluade").unwrap_err(), known);
        assert_eq!(effort("huge").unwrap_err(), "expected one of low, medium, high, xhigh, max");
        assert_eq!(billing("key"), Ok(Billing::Key));
    }
}
