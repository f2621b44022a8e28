//! The line of one stage: what is known of it while it runs, and the line that stays when it is over.

use std::time::Duration;

use overnight_core::job::Stage;

use crate::output::{BAD, BOLD, DIM, GOOD, WARN, styled};
use crate::render::words;

/// How something stands; a symbol and a colour, never a colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Good,
    Bad,
    /// A plain fact.
    Fact,
    /// Something to know.
    Note,
    /// Another try, or taken up again.
    Again,
    /// It waits.
    Wait,
}

impl Mark {
    /// The symbol in its colour.
    #[must_use]
    pub fn show(self) -> String {
        match self {
            Self::Good => styled(GOOD, "✓"),
            Self::Bad => styled(BAD, "✗"),
            Self::Fact => styled(DIM, "·"),
            Self::Note => styled(WARN, "!"),
            Self::Again => styled(WARN, "↻"),
            Self::Wait => styled(WARN, "…"),
        }
    }
}

/// A stage that was started.
#[derive(Debug, Clone)]
pub(super) struct OpenStage {
    pub(super) stage: Stage,
    /// On the watcher's clock.
    pub(super) since: Duration,
    /// As it was recorded, once it is over.
    pub(super) elapsed: Option<Duration>,
    pub(super) facts: Vec<String>,
    pub(super) bad: bool,
}

impl OpenStage {
    pub(super) fn new(stage: Stage, since: Duration) -> Self {
        Self { stage, since, elapsed: None, facts: Vec::new(), bad: false }
    }

    pub(super) fn fact(&mut self, fact: impl Into<String>) {
        let fact = fact.into();
        if !fact.is_empty() {
            self.facts.push(fact);
        }
    }

    /// The line that stays.
    pub(super) fn line(&self, now: Duration) -> String {
        // A stage whose end was never recorded did not do its work.
        let mark = if self.bad || self.elapsed.is_none() { Mark::Bad } else { Mark::Good };
        let elapsed = self.elapsed.unwrap_or(now.saturating_sub(self.since));
        line(mark, self.stage.as_str(), Some(elapsed), &self.facts.join(" · "))
    }
}

/// `✓ verify    31s      2 passed`.
#[must_use]
pub fn line(mark: Mark, what: &str, elapsed: Option<Duration>, facts: &str) -> String {
    let elapsed = elapsed.map(words::span).unwrap_or_default();
    let text = format!(
        "{} {} {}  {facts}",
        mark.show(),
        styled(BOLD, &format!("{what:<8}")),
        styled(DIM, &format!("{elapsed:>7}"))
    );
    text.trim_end().to_owned()
}
