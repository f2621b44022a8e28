//! What an HTTP status of a vendor means for a turn. The same for every vendor.

use overnight_core::agent::TurnOutcome;
use overnight_core::units::Timestamp;

/// The outcome of a turn whose last request was answered with this status. `reset`: when a used-up quota comes back.
pub(crate) fn outcome(status: u16, detail: String, reset: Option<Timestamp>) -> TurnOutcome {
    match status {
        // 402: the account has to be paid first.
        401..=403 => TurnOutcome::LoginExpired { detail },
        // No such model, or no such address: both are a matter of settings.
        404 => TurnOutcome::Misconfigured { detail },
        429 => TurnOutcome::RateLimited { reset, detail },
        408 | 500..=599 => TurnOutcome::Overloaded { detail },
        _ => TurnOutcome::Crashed { detail },
    }
}

/// The three digits at the start of a text that is a status or begins with one, as in `401 Unauthorized`.
pub(crate) fn leading(text: &str) -> Option<u16> {
    let digits = text.get(..3)?;
    let ends = text.as_bytes().get(3).is_none_or(|next| !next.is_ascii_digit());
    let status = digits.parse().ok().filter(|_| ends && digits.bytes().all(|b| b.is_ascii_digit()))?;
    (100..=599).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_three_digits_and_nothing_else() {
        let cases = [
            ("401 Unauthorized: x", Some(401)),
            ("529", Some(529)),
            ("4290", None),
            ("42", None),
            ("x429", None),
            ("+42 x", None),
            ("999", None),
            ("\u{e4}29", None),
        ];
        for (text, status) in cases {
            assert_eq!(leading(text), status, "{text}");
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let word = |status| match outcome(status, String::new(), Some(Timestamp(7))) {
            TurnOutcome::LoginExpired { .. } => "login",
            TurnOutcome::RateLimited { reset: Some(Timestamp(7)), .. } => "limit",
            TurnOutcome::Overloaded { .. } => "overload",
            TurnOutcome::Crashed { .. } => "crash",
            TurnOutcome::Misconfigured { .. } => "settings",
            other => panic!("another outcome: {other:?}"),
        };
        let words = [401, 402, 403, 429, 408, 500, 503, 529, 400, 404].map(word);
        assert_eq!(
            words,
            [
                "login", "login", "login", "limit", "overload", "overload", "overload", "overload", "crash",
                "settings"
            ]
        );
    }
}
