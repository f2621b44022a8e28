//! Pages of a log, for programs: bounded, with a place from which to go on, and once more without anything that looks like a secret.

use std::ops::ControlFlow;

use overnight_core::agent::AgentSettings;
use overnight_core::job::{JobState, LogPart, LogPlace};
use overnight_core::redact::Redactor;
use overnight_engine::dirs::JobDirs;
use overnight_web::api::{LogPage, LogParts, LogWanted};

use super::{parts, show, turns};
use crate::error::AppError;

/// Bytes of a page, and characters of a line: a longer one comes in pieces.
const PAGE_BYTES: usize = 256 << 10;
const LINE_CHARS: usize = 10_000;

/// What has to be known of a job to read its log.
#[derive(Debug)]
struct Book<'a> {
    dirs: &'a JobDirs,
    settings: &'a AgentSettings,
    turns: u32,
    under_way: UnderWay,
}

/// What writes into the log at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnderWay {
    Nothing,
    Turn,
    Checks,
}

/// # Errors
/// When there is no such turn, or a log cannot be read.
pub fn page(dirs: &JobDirs, wanted: &LogWanted) -> Result<LogPage, AppError> {
    let job = &wanted.job;
    let under_way = match &job.state {
        JobState::Working { turn: Some(_), .. } => UnderWay::Turn,
        JobState::Verifying { .. } => UnderWay::Checks,
        JobState::Working { turn: None, .. }
        | JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Collecting { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Parked { .. }
        | JobState::Ended { .. } => UnderWay::Nothing,
    };
    let book = Book { dirs, settings: &job.spec.agent, turns: turns(job), under_way };
    let parts = book.parts(wanted.parts).ok_or_else(|| {
        let has = crate::render::words::plural(u64::from(book.turns), "turn");
        AppError::usage(format!("{} has {has}, and not the one that was asked for", job.key))
    })?;
    book.page(&parts, wanted.after, wanted.lines)
}

impl Book<'_> {
    /// `None`: there is no such turn.
    fn parts(&self, wanted: LogParts) -> Option<Vec<LogPart>> {
        let mut all = parts(self.dirs, self.turns);
        match wanted {
            LogParts::All => {}
            LogParts::Agent => all.retain(|part| part.turn().is_some()),
            LogParts::Checks => all.retain(|part| part.turn().is_none()),
            LogParts::Turn(turn) if (1..=self.turns).contains(&turn) => {
                all.retain(|part| part.turn() == Some(turn));
            }
            LogParts::Turn(_) => return None,
        }
        Some(all)
    }

    fn page(&self, parts: &[LogPart], after: Option<LogPlace>, lines: u32) -> Result<LogPage, AppError> {
        let (redactor, _) = Redactor::new([]);
        let mut page = Page {
            page: LogPage { at: after, kept: self.dirs.log().is_dir(), ..LogPage::default() },
            left: lines as usize,
            bytes: PAGE_BYTES,
            redactor,
        };
        for part in parts {
            let before = match after {
                Some(after) if after.part > *part => continue,
                Some(after) if after.part == *part => after.lines,
                Some(_) | None => 0,
            };
            let grows = self.grows(*part, parts.last() == Some(part));
            if self.add(&mut page, *part, before, grows)?.is_break() || grows {
                break;
            }
        }
        Ok(page.page)
    }

    /// Whether more of this part may still come, so that a reader must not go past it.
    fn grows(&self, part: LogPart, last: bool) -> bool {
        match self.under_way {
            UnderWay::Nothing => false,
            UnderWay::Turn => part.turn() == Some(self.turns),
            UnderWay::Checks => last && part.turn().is_none(),
        }
    }

    /// The lines of a part behind the first so many. Breaks off where the page is full.
    fn add(
        &self,
        page: &mut Page,
        part: LogPart,
        before: u64,
        grows: bool,
    ) -> Result<ControlFlow<()>, AppError> {
        let mut lines = 0;
        let mut full = ControlFlow::Continue(());
        show(self.dirs, self.settings, part, &mut |text| {
            // A line that is still being written is for the next page.
            if grows && !text.ends_with('\n') {
                return ControlFlow::Break(());
            }
            for piece in pieces(&plain(text)) {
                lines += 1;
                if lines > before {
                    full = page.take(part, piece, lines);
                    full?;
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(full)
    }
}

struct Page {
    page: LogPage,
    /// Lines and bytes that still fit.
    left: usize,
    bytes: usize,
    redactor: Redactor,
}

impl Page {
    fn take(&mut self, part: LogPart, piece: &str, lines: u64) -> ControlFlow<()> {
        let text = self.redactor.redact_text(piece).into_owned();
        // At least one line, however long.
        let fits = text.len() <= self.bytes || self.page.lines.is_empty();
        if self.left == 0 || !fits {
            self.page.more = true;
            return ControlFlow::Break(());
        }
        self.left -= 1;
        self.bytes = self.bytes.saturating_sub(text.len());
        self.page.at = Some(LogPlace { part, lines });
        self.page.lines.push((part, text));
        ControlFlow::Continue(())
    }
}

/// Without what colours a terminal, and without the line's end.
fn plain(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain.strip_suffix('\n').unwrap_or(&plain).to_owned()
}

/// The line, in pieces of a bounded length; an empty line is one piece.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((end, _)) = rest.char_indices().nth(LINE_CHARS) {
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests;
