//! `overnight logs`: what the agent and the checks wrote.
//!
//! Agent output is read again through its backend's driver, so that every vendor's log reads the same.

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use overnight_agents::Driver;
use overnight_core::agent::{AgentEvent, AgentSettings, RemainingLimits, SessionStart, TurnRequest, Usage};
use overnight_core::command::Stream;
use overnight_core::id::SessionId;
use overnight_core::job::{ExitCode, Job, JobState};
use overnight_core::text::{for_terminal, one_line};
use overnight_engine::dirs::JobDirs;
use overnight_engine::sweep::{log_name, open_log};
use overnight_store::Store;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::{App, find_error, store_error};
use crate::cli::args::LogsArgs;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, BOLD, DIM, WARN, styled};
use crate::view::exit_code;

/// How often a followed log is looked at: often enough to feel live, far too seldom to cost anything.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// # Errors
/// When there is no such job or turn, or a log cannot be read.
pub async fn run(app: &App, args: &LogsArgs) -> Outcome {
    let store = app.store_for(&args.job).await?;
    let job = store.job_find(&args.job).await.map_err(|error| find_error(&error))?;
    let dirs = app.dirs.job(&job.id);
    if args.checks {
        checks(app, &dirs)?;
        return Ok(ExitCode::Done);
    }
    if args.follow {
        return follow(app, &store, job, args).await;
    }
    let turns = turns(&job);
    if args.turn.is_some_and(|turn| turn == 0 || turn > turns) {
        let what = format!("{} has {}", job.key, crate::render::words::plural(u64::from(turns), "turn"));
        return Err(AppError::usage(what).help("--turn counts from 1; leave it out to see all"));
    }
    if turns == 0 {
        app.out.say(&format!("{} has not started an agent yet", job.key));
    } else if job.state.is_ended() && !dirs.log().exists() {
        app.out.say(&format!("the logs of {} are not kept any more, or are on another machine", job.key));
    }
    let mut log = TurnLog::new(&job.spec.agent, args.raw);
    for turn in 1..=turns {
        if args.turn.is_none_or(|wanted| wanted == turn) {
            log.start(turn, &dirs.turn_stdout(turn));
            app.out.data(&log.read()?)?;
            app.out.data(&errors(&dirs.turn_stderr(turn))?)?;
        }
    }
    if args.turn.is_none() && !args.raw {
        checks(app, &dirs)?;
    }
    Ok(ExitCode::Done)
}

fn turns(job: &Job) -> u32 {
    job.state.trail().map_or(0, |trail| trail.turns)
}

async fn follow(app: &App, store: &Store, mut job: Job, args: &LogsArgs) -> Outcome {
    let dirs = app.dirs.job(&job.id);
    let mut log = TurnLog::new(&job.spec.agent, args.raw);
    let mut turn = args.turn.unwrap_or(1).max(1);
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        job = store.job(&job.id).await.map_err(|error| store_error(&error))?;
        let over = matches!(job.state, JobState::Ended { .. } | JobState::Parked { .. });
        while turn <= turns(&job) {
            log.start(turn, &dirs.turn_stdout(turn));
            app.out.data(&log.read()?)?;
            if turn == turns(&job) || args.turn.is_some() {
                break;
            }
            turn += 1;
        }
        if over {
            for line in crate::work::summary(&job, &crate::commands::story(store, &job.id).await?) {
                app.out.say(&line);
            }
            return Ok(exit_code(&job.state));
        }
    }
}

/// Reads a turn's log on from where it stopped.
struct TurnLog {
    settings: AgentSettings,
    raw: bool,
    turn: u32,
    path: PathBuf,
    at: u64,
    /// Its heading is written.
    headed: bool,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    driver: Driver,
}

impl TurnLog {
    fn new(settings: &AgentSettings, raw: bool) -> Self {
        let driver = driver(settings, 1);
        Self {
            settings: settings.clone(),
            raw,
            turn: 0,
            path: PathBuf::new(),
            at: 0,
            headed: false,
            rest: Vec::new(),
            driver,
        }
    }

    /// Goes to this turn; stays where it is when that is the one at hand.
    fn start(&mut self, turn: u32, path: &Path) {
        if self.turn != turn {
            (self.turn, self.path, self.at) = (turn, path.to_owned(), 0);
            self.headed = false;
            self.rest.clear();
            self.driver = driver(&self.settings, turn);
        }
    }

    /// What was written since the last time, for people.
    fn read(&mut self) -> Result<String, AppError> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.headed, true) && !self.raw {
            let _ = writeln!(text, "{}", styled(BOLD, &format!("── turn {} ──", self.turn)));
        }
        let Some(mut file) = open(&self.path, self.at)? else { return Ok(text) };
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = file.read(&mut chunk).map_err(|error| unreadable(&self.path, &error))?;
            if count == 0 {
                return Ok(text);
            }
            self.at += count as u64;
            self.rest.extend_from_slice(&chunk[..count]);
            self.lines(&mut text);
        }
    }

    fn lines(&mut self, text: &mut String) {
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if self.raw {
                let line = for_terminal(&String::from_utf8_lossy(&line));
                let _ = writeln!(text, "{}", line.trim_end());
                continue;
            }
            for event in self.driver.on_line(Stream::Stdout, &line).events {
                text.push_str(&shown(&event));
            }
        }
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

fn errors(path: &Path) -> Result<String, AppError> {
    let text = whole(path)?;
    Ok(text.lines().map(|line| format!("{} {}\n", styled(DIM, "stderr"), for_terminal(line))).collect())
}

/// Every check's output, in the order of attempts.
fn checks(app: &App, dirs: &JobDirs) -> Result<(), AppError> {
    let Ok(entries) = std::fs::read_dir(dirs.log()) else { return Ok(()) };
    let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = files.map(|file| log_name(&file).to_owned()).collect();
    names.retain(|name| name.starts_with("check-") && name.ends_with(".log"));
    names.sort();
    names.dedup();
    for name in names {
        let what = name.trim_start_matches("check-").trim_end_matches(".log").to_owned();
        let mut parts = what.split('-');
        let (attempt, side) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let number = parts.next().and_then(|index| index.parse::<usize>().ok()).map_or(1, |index| index + 1);
        let side = if side == "base" { " on the base" } else { "" };
        let head = styled(BOLD, &format!("── check {number} of attempt {attempt}{side} ──"));
        let text: String =
            whole(&dirs.log().join(&name))?.lines().map(|line| for_terminal(line) + "\n").collect();
        app.out.data(&format!("{head}\n{text}"))?;
    }
    Ok(())
}

fn whole(path: &Path) -> Result<String, AppError> {
    let Some(mut file) = open(path, 0)? else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
