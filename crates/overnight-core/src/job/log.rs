//! Places in a job's log: which part of it, and how many of its lines come before. Parts are in the order in which the log is shown:
//! the turns, and then what the checks of each attempt wrote.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// A part of a job's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case", tag = "part")]
pub enum LogPart {
    /// What the agent said and did in a turn.
    Turn { turn: u32 },
    /// What the agent's CLI wrote beside that.
    Stderr { turn: u32 },
    /// What a check wrote; `number` is its place in the list of checks, from 1.
    Check { attempt: u32, on_base: bool, number: u32 },
}

impl LogPart {
    /// The turn that it is of.
    #[must_use]
    pub fn turn(self) -> Option<u32> {
        match self {
            Self::Turn { turn } | Self::Stderr { turn } => Some(turn),
            Self::Check { .. } => None,
        }
    }

    fn order(self) -> (u8, u32, bool, u32) {
        match self {
            Self::Turn { turn } => (0, turn, false, 0),
            Self::Stderr { turn } => (0, turn, true, 0),
            // A check is run on the base only after it did not pass on the commit.
            Self::Check { attempt, on_base, number } => (1, attempt, on_base, number),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split('-');
        let kind = words.next()?;
        let mut number = || words.next()?.parse::<u32>().ok();
        let part = match kind {
            "turn" => Self::Turn { turn: number()? },
            "stderr" => Self::Stderr { turn: number()? },
            "check" => Self::Check { attempt: number()?, on_base: false, number: number()? },
            "base" => Self::Check { attempt: number()?, on_base: true, number: number()? },
            _ => return None,
        };
        words.next().is_none().then_some(part)
    }
}

impl Ord for LogPart {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for LogPart {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for LogPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn { turn } => write!(f, "turn-{turn}"),
            Self::Stderr { turn } => write!(f, "stderr-{turn}"),
            Self::Check { attempt, on_base, number } => {
                write!(f, "{}-{attempt}-{number}", if *on_base { "base" } else { "check" })
            }
        }
    }
}

/// A place in a job's log: after so many lines of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    pub part: LogPart,
    pub lines: u64,
}

/// Text that is no place in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("that is no place in a log")]
pub struct InvalidPlace;

impl LogPlace {
    /// # Errors
    /// [`InvalidPlace`].
    pub fn parse(text: &str) -> Result<Self, InvalidPlace> {
        let (part, lines) = text.split_once('.').ok_or(InvalidPlace)?;
        let part = LogPart::parse(part).ok_or(InvalidPlace)?;
        Ok(Self { part, lines: lines.parse().map_err(|_| InvalidPlace)? })
    }
}

impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.part, self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_and_read_and_stand_in_the_order_of_the_log() {
        let check = |attempt, on_base, number| LogPart::Check { attempt, on_base, number };
        let parts = [
            LogPart::Turn { turn: 1 },
            LogPart::Stderr { turn: 1 },
            LogPart::Turn { turn: 2 },
            LogPart::Turn { turn: 10 },
            check(1, false, 1),
            check(1, false, 2),
            check(1, true, 1),
            check(2, false, 1),
        ];
        assert!(parts.is_sorted());
        for part in parts {
            let place = LogPlace { part, lines: 7 };
            assert_eq!(LogPlace::parse(&place.to_string()), Ok(place));
        }
        for wrong in [
            "",
            "turn-1",
            "turn.1",
            "turn-1.",
            "turn-1.-1",
            "turn-1-2.3",
            "check-1.2",
            "x-1.1",
            "turn-99999999999.1",
        ] {
            assert_eq!(LogPlace::parse(wrong), Err(InvalidPlace), "{wrong}");
        }
    }
}
