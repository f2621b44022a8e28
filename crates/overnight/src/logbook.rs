//! The log of a job as it is read: which parts there are on this machine, each part line by line, and pages of it.
//!
//! Agent output is read again through its backend's driver, so that every vendor's log reads the same. Owns nothing; a log grows while it
//! is read, and may be compressed in between.

use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use overnight_agents::Driver;
use overnight_core::agent::{AgentEvent, AgentSettings, RemainingLimits, SessionStart, TurnRequest, Usage};
use overnight_core::command::Stream;
use overnight_core::id::SessionId;
use overnight_core::job::{Job, LogPart};
use overnight_core::text::{for_terminal, lossy_line, one_line};
use overnight_engine::dirs::JobDirs;
use overnight_engine::sweep::{log_name, open_log};

mod page;

pub use page::page;

use crate::error::AppError;
use crate::output::{BAD, BOLD, DIM, WARN, styled};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// Takes what is shown, line by line, each with its end where that is there, until it has enough.
pub type Take<'a> = &'a mut dyn FnMut(&str) -> ControlFlow<()>;

/// Turns of a job so far.
#[must_use]
pub fn turns(job: &Job) -> u32 {
    job.state.trail().map_or(0, |trail| trail.turns)
}

/// The parts of a job's log that can be on this machine, in their order.
#[must_use]
pub fn parts(dirs: &JobDirs, turns: u32) -> Vec<LogPart> {
    let of_turns = (1..=turns).flat_map(|turn| [LogPart::Turn { turn }, LogPart::Stderr { turn }]);
    of_turns.chain(checks(dirs)).collect()
}

/// Every check's output, in the order of attempts.
#[must_use]
pub fn checks(dirs: &JobDirs) -> Vec<LogPart> {
    let Ok(entries) = std::fs::read_dir(dirs.log()) else { return Vec::new() };
    let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut parts: Vec<LogPart> = files.filter_map(|file| check(log_name(&file))).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// The check whose log has this name: the other way round of [`JobDirs::check_log`].
fn check(name: &str) -> Option<LogPart> {
    let mut words = name.strip_prefix("check-")?.strip_suffix(".log")?.split('-');
    let attempt = words.next()?.parse().ok()?;
    let on_base = words.next()? == "base";
    let number = words.next()?.parse::<u32>().ok()?.checked_add(1)?;
    Some(LogPart::Check { attempt, on_base, number })
}

fn file(dirs: &JobDirs, part: LogPart) -> PathBuf {
    match part {
        LogPart::Turn { turn } => dirs.turn_stdout(turn),
        LogPart::Stderr { turn } => dirs.turn_stderr(turn),
        LogPart::Check { attempt, on_base, number } => {
            let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
            dirs.check_log(attempt, if on_base { "base" } else { "tip" }, index)
        }
    }
}

/// What stands above a part; nothing above what a CLI wrote beside its turn.
#[must_use]
pub fn heading(part: LogPart) -> String {
    match part {
        LogPart::Turn { turn } => format!("{}\n", styled(BOLD, &format!("── turn {turn} ──"))),
        LogPart::Stderr { .. } => String::new(),
        LogPart::Check { attempt, on_base, number } => {
            let side = if on_base { " on the base" } else { "" };
            format!("{}\n", styled(BOLD, &format!("── check {number} of attempt {attempt}{side} ──")))
        }
    }
}

/// Shows one part from its beginning.
///
/// # Errors
/// When it is there and cannot be read.
pub fn show(dirs: &JobDirs, settings: &AgentSettings, part: LogPart, take: Take<'_>) -> Result<(), AppError> {
    match part {
        LogPart::Turn { turn } => {
            let mut log = TurnLog::new(settings, false);
            log.start(turn, &file(dirs, part));
            log.read(take).map(drop)
        }
        LogPart::Stderr { .. } => {
            plain(&file(dirs, part), &mut |line| take(&format!("{} {line}", styled(DIM, "stderr"))))
        }
        LogPart::Check { .. } => plain(&file(dirs, part), take),
    }
}

/// Lines that are nobody's protocol. The last one may have no end yet.
fn plain(path: &Path, take: Take<'_>) -> Result<(), AppError> {
    let Some(file) = open(path, 0)? else { return Ok(()) };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|error| unreadable(path, &error))? == 0 {
            return Ok(());
        }
        let end = if line.ends_with(b"\n") { "\n" } else { "" };
        if take(&format!("{}{end}", for_terminal(&lossy_line(&line)))).is_break() {
            return Ok(());
        }
    }
}

/// Reads a turn's log on from where it stopped.
pub struct TurnLog {
    settings: AgentSettings,
    raw: bool,
    turn: u32,
    path: PathBuf,
    at: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    driver: Driver,
}

impl std::fmt::Debug for TurnLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnLog").field("path", &self.path).field("at", &self.at).finish_non_exhaustive()
    }
}

impl TurnLog {
    /// `raw`: as the vendor's CLI wrote it.
    #[must_use]
    pub fn new(settings: &AgentSettings, raw: bool) -> Self {
        let driver = driver(settings, 1);
        let (turn, path, at, rest) = (0, PathBuf::new(), 0, Vec::new());
        Self { settings: settings.clone(), raw, turn, path, at, rest, driver }
    }

    /// Goes to this turn, and says so; stays where it is when that is the one at hand.
    pub fn start(&mut self, turn: u32, path: &Path) -> bool {
        if self.turn == turn {
            return false;
        }
        (self.turn, self.path, self.at) = (turn, path.to_owned(), 0);
        self.rest.clear();
        self.driver = driver(&self.settings, turn);
        true
    }

    /// What was written since the last time, for people.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&mut self, take: Take<'_>) -> Result<ControlFlow<()>, AppError> {
        let Some(mut file) = open(&self.path, self.at)? else { return Ok(ControlFlow::Continue(())) };
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = file.read(&mut chunk).map_err(|error| unreadable(&self.path, &error))?;
            if count == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            self.at += count as u64;
            self.rest.extend_from_slice(&chunk[..count]);
            if self.lines(take).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn lines(&mut self, take: Take<'_>) -> ControlFlow<()> {
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if self.raw {
                let line = for_terminal(&String::from_utf8_lossy(line));
                take(&format!("{}\n", line.trim_end()))?;
                continue;
            }
            for event in self.driver.on_line(Stream::Stdout, line).events {
                shown(&event).split_inclusive('\n').try_for_each(&mut *take)?;
            }
        }
        ControlFlow::Continue(())
    }
}

fn driver(settings: &AgentSettings, turn: u32) -> Driver {
    // Reading needs no session, no limits and no paths: only the vendor's format.
    overnight_agents::driver(&TurnRequest {
        settings: settings.clone(),
        prompt: String::new(),
        instructions: None,
        prompt_file: PathBuf::new(),
        workspace: PathBuf::new(),
        tmp: PathBuf::new(),
        tools: None,
        session: SessionStart::Fresh(nobody()),
        remaining: RemainingLimits::default(),
        used_before: Usage::default(),
        turn,
        attempt: 1,
    })
}

fn nobody() -> SessionId {
    match SessionId::parse("log") {
        Ok(session) => session,
        Err(_) => unreachable!("three letters are a valid id"),
    }
}

/// One event as lines.
fn shown(event: &AgentEvent) -> String {
    match event {
        AgentEvent::Message { text } => format!("{}\n", for_terminal(text.trim_end())),
        AgentEvent::Reasoning { text } => format!("{}\n", styled(DIM, &for_terminal(text.trim_end()))),
        AgentEvent::ToolStarted { tool, summary } => {
            format!("{} {} {}\n", styled(DIM, "→"), styled(BOLD, &one_line(tool, 40)), one_line(summary, 200))
        }
        AgentEvent::ToolFinished { ok: true, .. }
        | AgentEvent::UsageSoFar { .. }
        | AgentEvent::Quota { .. }
        | AgentEvent::Finished => String::new(),
        AgentEvent::ToolFinished { tool, ok: false } => {
            format!("{} {} failed\n", styled(BAD, "✗"), one_line(tool, 40))
        }
        AgentEvent::SessionStarted { model, .. } => {
            let model =
                model.as_deref().map(|model| format!(" with {}", one_line(model, 60))).unwrap_or_default();
            format!("{}\n", styled(DIM, &format!("session started{model}")))
        }
        AgentEvent::Retrying { .. } | AgentEvent::PermissionDenied { .. } | AgentEvent::Warning { .. } => {
            let text = crate::render::words::action(event).unwrap_or_default();
            format!("{} {text}\n", styled(WARN, "!"))
        }
        AgentEvent::Raw { line } => format!("{}\n", styled(DIM, &one_line(line, 300))),
    }
}

/// A log from this byte on, whether it was compressed meanwhile or not.
fn open(path: &Path, at: u64) -> Result<Option<Box<dyn Read + Send>>, AppError> {
    let skip = |mut log: Box<dyn Read + Send>| {
        std::io::copy(&mut log.by_ref().take(at), &mut std::io::sink()).map(|_| log)
    };
    let opened = open_log(path).and_then(|log| log.map(skip).transpose());
    opened.map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> AppError {
    AppError::unexpected(format!("the log {} cannot be read", path.display())).because(error)
}
