//! Signs of life while rows are carried over: one line that is renewed on a terminal, one now and then elsewhere.

use std::time::{Duration, Instant};

use overnight_store::{CopyProgress, CopyStep};

use crate::output::Out;

/// How often a terminal's line is renewed.
const FRAME: Duration = Duration::from_millis(100);
/// How long silence lasts off a terminal.
const SILENCE: Duration = Duration::from_secs(5);
/// Erases the line and goes to its start.
const ERASE: &str = "\r\u{1b}[2K";

pub(super) struct Progress {
    out: Out,
    last: Instant,
    shown: bool,
}

impl Progress {
    pub(super) fn new(out: Out) -> Self {
        Self { out, last: Instant::now(), shown: false }
    }

    pub(super) fn tell(&mut self, progress: CopyProgress) {
        let every = if self.out.live { FRAME } else { SILENCE };
        if self.out.quiet || self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let line = line(progress);
        if self.out.live {
            self.shown = true;
            self.out.terminal(&format!("{ERASE}{line}"));
        } else {
            self.out.say(&line);
        }
    }
}

/// The terminal's line is given back, however it ended.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            self.out.terminal(ERASE);
        }
    }
}

fn line(progress: CopyProgress) -> String {
    let CopyProgress { step, table, rows, of } = progress;
    let doing = match step {
        CopyStep::Copying => "copying",
        CopyStep::Comparing => "comparing",
        CopyStep::LookingAgain => "looking at the source again:",
    };
    format!("{doing} {table} {rows}/{of}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_and_how_far_it_is() {
        let progress = CopyProgress { step: CopyStep::Copying, table: "events", rows: 1000, of: 2100 };
        assert_eq!(line(progress), "copying events 1000/2100");
    }
}
