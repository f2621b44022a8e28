//! How much of a forge's limit we use, so that people keep the rest.
//!
//! Owns the figures of one connection, as the forge told them last. GitHub's limit is one for all tokens of a person, so
//! what counts is what is left, whoever used it: we stop where the people's part begins.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use overnight_core::units::Timestamp;
use reqwest::header::{DATE, HeaderMap};
use tokio::time::Instant;

use crate::http_date;

/// The longest window that is believed; GitHub's is an hour, GitLab's a minute.
const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

/// How much of a forge's limit may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallBudget {
    /// Percent of the limit; above 100 is 100.
    pub share: u8,
    /// The limit in an hour of a forge that tells none, as Gitea and Forgejo do not.
    pub assumed_limit: u32,
}

impl Default for CallBudget {
    /// Half of the limit, and 5,000 calls an hour (GitHub's figure for a person) where the forge tells none.
    fn default() -> Self {
        Self { share: 50, assumed_limit: 5_000 }
    }
}

impl CallBudget {
    /// What must be left of `limit`.
    fn reserve(self, limit: u32) -> u32 {
        let ours = u64::from(limit) * u64::from(self.share.min(100)) / 100;
        limit - u32::try_from(ours).unwrap_or(limit)
    }
}

/// The figures of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Requests that were sent.
    pub sent: u64,
    /// Those among them that the forge answered with "not modified"; GitHub does not count them.
    pub unchanged: u64,
    /// Requests that were not sent because our part is used up.
    pub refused: u64,
    /// The forge's limit in its present window; `None` before the first answer.
    pub limit: Option<u32>,
    pub remaining: Option<u32>,
    /// When the window ends, by the forge's clock.
    pub until: Option<Timestamp>,
}

/// Our part is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) wait: Duration,
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Meter {
    budget: CallBudget,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    usage: Usage,
    window: Option<Window>,
    in_flight: u32,
}

#[derive(Debug, Clone)]
struct Window {
    limit: u32,
    remaining: u32,
    ends: Instant,
    until: Option<Timestamp>,
    /// Counted by us, because the forge tells nothing.
    assumed: bool,
}

/// A request that was admitted and is not answered yet.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a Meter);

impl Meter {
    pub(crate) fn new(budget: CallBudget) -> Self {
        Self { budget, seen: Mutex::default() }
    }

    pub(crate) fn usage(&self) -> Usage {
        let seen = self.lock();
        let window = seen.window.as_ref();
        Usage {
            limit: window.map(|window| window.limit),
            remaining: window.map(|window| window.remaining),
            until: window.and_then(|window| window.until),
            ..seen.usage.clone()
        }
    }

    /// Room for one more request, or how long there will be none.
    pub(crate) fn admit(&self) -> Result<UnderWay<'_>, Spent> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Result<UnderWay<'_>, Spent> {
        let mut seen = self.lock();
        if seen.window.as_ref().is_some_and(|window| now >= window.ends) {
            seen.window = None;
        }
        if let Some(window) = &seen.window
            && window.remaining.saturating_sub(seen.in_flight) <= self.budget.reserve(window.limit)
        {
            let spent = Spent { wait: window.ends - now, until: window.until };
            seen.usage.refused += 1;
            return Err(spent);
        }
        seen.usage.sent += 1;
        seen.in_flight += 1;
        Ok(UnderWay(self))
    }

    fn note(&self, status: u16, headers: &HeaderMap) {
        let now = Instant::now();
        let told = told(headers, now);
        let mut seen = self.lock();
        seen.usage.unchanged += u64::from(status == 304);
        match (told, &mut seen.window) {
            (Some(told), window) => *window = Some(told),
            (None, Some(window)) if window.assumed => window.remaining = window.remaining.saturating_sub(1),
            (None, Some(_)) => {}
            (None, window @ None) => {
                let limit = self.budget.assumed_limit;
                let (remaining, ends) = (limit.saturating_sub(1), now + LONGEST_WINDOW);
                *window = Some(Window { limit, remaining, ends, until: None, assumed: true });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay<'_> {
    pub(crate) fn answered(self, status: u16, headers: &HeaderMap) {
        self.0.note(status, headers);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut seen = self.0.lock();
        seen.in_flight = seen.in_flight.saturating_sub(1);
    }
}

/// The window that an answer tells of. GitHub keeps several limits and names them; ours is that of its REST API. Without
/// the forge's date its reset time cannot be placed, and the window counts as one of full length.
fn told(headers: &HeaderMap, now: Instant) -> Option<Window> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("x-ratelimit-resource").is_some_and(|name| name != "core") {
        return None;
    }
    let number = |what: &str| {
        let value = text(&format!("x-ratelimit-{what}")).or_else(|| text(&format!("ratelimit-{what}")))?;
        value.trim().parse::<i64>().ok()
    };
    let limit = u32::try_from(number("limit")?).ok().filter(|limit| *limit > 0)?;
    let remaining = u32::try_from(number("remaining")?).ok()?.min(limit);
    let reset = number("reset");
    let left = reset
        .zip(text(DATE.as_str()).and_then(http_date::parse))
        .map(|(reset, date)| reset.saturating_sub(date));
    let left = left.map_or(LONGEST_WINDOW, |left| Duration::from_secs(u64::try_from(left).unwrap_or(0)));
    let until = reset.map(|seconds| Timestamp(seconds.saturating_mul(1_000)));
    Some(Window { limit, remaining, ends: now + left.min(LONGEST_WINDOW), until, assumed: false })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn answer(meter: &Meter, pairs: &[(&str, &str)]) {
        meter.admit().unwrap().answered(200, &headers(pairs));
    }

    const DATE: (&str, &str) = ("date", "Thu, 29 Feb 2024 00:00:00 GMT");

    #[test]
    fn the_peoples_part_is_not_touched_and_a_new_window_opens() {
        for prefix in ["x-ratelimit", "ratelimit"] {
            let meter = Meter::new(CallBudget::default());
            let names = ["limit", "remaining", "reset"].map(|what| format!("{prefix}-{what}"));
            let at =
                |remaining| [(&*names[0], "100"), (&*names[1], remaining), (&*names[2], "1709164860"), DATE];
            answer(&meter, &at("51"));
            answer(&meter, &at("50"));
            let spent = meter.admit().unwrap_err();
            assert!(spent.wait <= Duration::from_secs(60) && spent.wait > Duration::from_secs(50));
            assert_eq!(spent.until, Some(Timestamp(1_709_164_860_000)));
            assert_eq!(
                (meter.usage().sent, meter.usage().refused, meter.usage().remaining),
                (2, 1, Some(50))
            );
            assert!(meter.admit_at(Instant::now() + Duration::from_secs(61)).is_ok(), "the window is over");
        }
    }

    #[test]
    fn requests_under_way_count_and_lost_ones_stop_counting() {
        let meter = Meter::new(CallBudget { share: 10, assumed_limit: 0 });
        answer(
            &meter,
            &[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "92"),
                ("x-ratelimit-reset", "1709164860"),
                DATE,
            ],
        );
        let (one, two) = (meter.admit().unwrap(), meter.admit().unwrap());
        assert!(meter.admit().is_err());
        drop(one);
        assert!(meter.admit().is_ok());
        drop(two);
    }

    #[test]
    fn a_forge_that_tells_nothing_is_counted_by_us() {
        let meter = Meter::new(CallBudget { share: 50, assumed_limit: 4 });
        answer(&meter, &[]);
        answer(&meter, &[]);
        assert_eq!(meter.admit().unwrap_err().until, None);
        assert!(meter.admit_at(Instant::now() + LONGEST_WINDOW).is_ok());
    }

    #[test]
    fn nonsense_in_headers_locks_nobody_out_for_long() {
        let meter = Meter::new(CallBudget::default());
        for (limit, remaining, reset) in
            [("0", "0", "9"), ("-5", "1", "9"), ("x", "y", "z"), ("99999999999", "1", "1")]
        {
            answer(
                &meter,
                &[
                    ("x-ratelimit-limit", limit),
                    ("x-ratelimit-remaining", remaining),
                    ("x-ratelimit-reset", reset),
                    DATE,
                ],
            );
        }
        answer(
            &meter,
            &[
                ("x-ratelimit-limit", "10"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "9999999999999"),
                DATE,
            ],
        );
        assert!(meter.admit().unwrap_err().wait <= LONGEST_WINDOW);
        answer_other_resource(&meter);
    }

    fn answer_other_resource(meter: &Meter) {
        let other = headers(&[
            ("x-ratelimit-resource", "graphql"),
            ("x-ratelimit-limit", "1"),
            ("x-ratelimit-remaining", "1"),
            ("x-ratelimit-reset", "1"),
        ]);
        assert!(told(&other, Instant::now()).is_none());
        assert_eq!(meter.usage().limit, Some(10));
    }
}
