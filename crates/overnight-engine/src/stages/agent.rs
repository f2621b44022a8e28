//! Agent: one turn of the agent CLI in the workspace. A turn whose end a dead runner left in the logs is read, not run
//! again; one that had no end is taken up again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use overnight_agents::{HostFacts, Salvage};
use overnight_core::agent::{
    AgentSettings, RemainingLimits, SessionStart, TurnOutcome, TurnReport, TurnRequest,
};
use overnight_core::command::{Containment, Exit, ExitReport};
use overnight_core::git::CommitId;
use overnight_core::handover;
use overnight_core::id::{EventNumber, SessionId};
use overnight_core::job::{EndReason, Ground, Input, JobEvent, JobState, Notice, StageOutput, Trail, Turn};
use overnight_core::prompt;
use overnight_core::talk::Told;
use overnight_git::GitError;
use overnight_proc::{Capture, KillOutcome, Redact};

use crate::accounts::{self, Chosen, Go, Renewal};
use crate::clean;
use crate::desk::Desk;
use crate::guard;
use crate::masks::Masks;
use crate::purse::Purse;
use crate::seat::Seat;
use crate::stages::agent_turn::TurnWatch;
use crate::stages::{code, document, talk};
use crate::trouble::{self, StageError};

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<Option<StageOutput>, StageError> {
    if let JobState::Working { turn: Some(turn), trail, .. } = seat.state().clone() {
        match left_by_a_dead_runner(seat, &turn, &trail).await? {
            Left::Finished(report) => return Ok(Some(StageOutput::Turn { report })),
            Left::Interrupted(Salvage { session, usage }) => {
                seat.input(Input::TurnInterrupted { session, used: usage }).await?;
            }
        }
    }
    let Some(told) = talk::before_a_turn(seat).await? else { return Ok(None) };
    let JobState::Working { trail, ground, turn: None } = seat.state().clone() else {
        return Err(trouble::bug("agent outside its state"));
    };
    let purse = Purse::open(seat, &trail).await?;
    ensure_workspace(seat, &ground, &trail).await?;
    let backend = seat.job.spec.agent_of(trail.who).backend;
    match accounts::choose(seat, backend, trail.account.as_ref()).await? {
        Chosen::Go(go) => {
            let taken = announced_turn(seat, &ground, &trail, (&go, purse, &told)).await;
            go.over(seat, taken.as_ref().ok().map(|report| &report.outcome)).await;
            Ok(Some(StageOutput::Turn { report: taken? }))
        }
        Chosen::NotAsked { reason, detail, since, until } => {
            seat.input(Input::NotAsked { reason, detail, since, until }).await?;
            Ok(None)
        }
    }
}

async fn announced_turn(
    seat: &mut Seat<'_>,
    ground: &Ground,
    trail: &Trail,
    (go, mut purse, told): (&Go, Purse, &Told),
) -> Result<TurnReport, StageError> {
    let session = session(seat, trail, go);
    let resumed = matches!(session, SessionStart::Resume(_));
    let handover = if resumed { None } else { handover(seat, trail).await? };
    let (result, said) = (document::place(seat), told.text());
    let (handover, result) = (handover.as_deref(), result.as_deref());
    let text = prompt::assemble(&seat.job.spec, ground, trail, resumed, handover, (&said, result));
    seat.input(Input::TurnAnnounced { session: session.clone(), account: go.name() }).await?;
    let number = trail.turns + 1;
    let mut request = request(seat, session, text, number, trail);
    request.settings = go.settings(request.settings);
    request.remaining = purse.meter().left();
    request.instructions = instructions(seat, ground).await?;
    write_prompt(seat, &request).await?;
    let mut desk = Desk::open(seat, request.remaining, redactor(seat)).await;
    request.tools = desk.server();
    take_turn(seat, &request, trail, go, (&mut purse, &mut desk)).await
}

/// What a fresh conversation is told of the ones before it.
async fn handover(seat: &Seat<'_>, trail: &Trail) -> Result<Option<String>, StageError> {
    let follows = seat.job.spec.follows.as_ref().map(|follows| follows.handover.clone());
    let earlier = follows.into_iter().chain(before_on_line(seat, trail).await?);
    let own = if trail.turns == 0 {
        None
    } else {
        let events: Vec<JobEvent> = seat.history().await?.into_iter().map(|(_, event)| event).collect();
        handover::note(&events, trail)
    };
    let notes: Vec<String> = earlier.chain(own).filter(|note| !note.is_empty()).collect();
    Ok((!notes.is_empty()).then(|| notes.join("\n")))
}

/// What the job before it came to, on a line that is one conversation.
async fn before_on_line(seat: &Seat<'_>, trail: &Trail) -> Result<Option<String>, StageError> {
    let line = seat.state().ground().and_then(|ground| ground.line.as_ref());
    let Some(before) = line.and_then(|line| line.before.as_ref()) else { return Ok(None) };
    let records = seat.until(|| seat.engine.store().events(&before.job, EventNumber(0), u32::MAX)).await?;
    let events: Vec<JobEvent> = records.into_iter().filter_map(|record| record.event.ok()).collect();
    // Its last words belong to a conversation that is not gone on with, and are not in its events.
    let nothing_said = Trail { final_text: None, ..trail.clone() };
    let note = handover::note(&events, &nothing_said);
    Ok(note.map(|note| format!("## The task before this one, {}\n\n{note}", before.key)))
}

/// What a dead runner left of a turn.
enum Left {
    Finished(TurnReport),
    Interrupted(Salvage),
}

/// What a turn of a dead runner came to, if it had come to its end; otherwise its tree is gone afterwards.
async fn left_by_a_dead_runner(seat: &Seat<'_>, turn: &Turn, trail: &Trail) -> Result<Left, StageError> {
    if let Some(process) = &turn.process {
        seat.waiting("ending what an interrupted runner left");
        let killed = overnight_proc::kill_tree(process, seat.job.agent().grace).await;
        if killed == KillOutcome::StillThere {
            // Two agents in one workspace would be worse than waiting.
            let detail = format!("process {} of an interrupted runner does not end", process.pid);
            return Err(trouble::wait_unavailable(detail));
        }
    }
    let stdout = seat.dirs.turn_stdout(trail.turns);
    let record = seat.dirs.turn_exit(trail.turns);
    let request = request(seat, turn.session.clone(), String::new(), trail.turns, trail);
    let redact = redactor(seat);
    trouble::blocking(move || {
        let mut output = std::fs::read(&stdout).unwrap_or_default();
        output.extend(overnight_proc::read_tail(&stdout).unwrap_or_default());
        let exit = overnight_proc::read_exit_record(&record).ok().flatten().unwrap_or(Exit::Unknown);
        match overnight_agents::replay(&request, &output, exit) {
            Some(report) => Left::Finished(clean::report(report, redact.as_ref())),
            None => Left::Interrupted(overnight_agents::salvage(&request, &output)),
        }
    })
    .await
}

/// The workspace as the last turn left it, or a new one on the last commits that were brought home.
async fn ensure_workspace(seat: &mut Seat<'_>, ground: &Ground, trail: &Trail) -> Result<(), StageError> {
    let mirror = code::open_mirror(seat).await?;
    let place = seat.dirs.workspace();
    if overnight_git::workspace::made_for(&mirror, &place).is_some() {
        // Nothing of the job runs now.
        return overnight_git::workspace::unlock(&place).await.map_err(trouble::git);
    }
    let commit: &CommitId = trail.preserved.as_ref().unwrap_or(&ground.base);
    code::make_workspace(seat, &mirror, commit).await
}

/// A conversation is known to the login that it was begun with, and to no other.
fn session(seat: &Seat<'_>, trail: &Trail, go: &Go) -> SessionStart {
    let agent = seat.job.spec.agent_of(trail.who);
    let goes_on = overnight_agents::capabilities_of(agent).resume && trail.account == go.name();
    let known = trail.session.clone().filter(|_| goes_on);
    known.map_or_else(|| SessionStart::Fresh(fresh_session()), SessionStart::Resume)
}

/// Several CLIs want a UUID; the others take what they get, or choose themselves.
fn fresh_session() -> SessionId {
    let uuid = uuid::Uuid::now_v7().to_string();
    match SessionId::parse(&uuid) {
        Ok(id) => id,
        Err(_) => unreachable!("a UUID is a valid id"),
    }
}

fn request(seat: &Seat<'_>, session: SessionStart, prompt: String, turn: u32, trail: &Trail) -> TurnRequest {
    TurnRequest {
        settings: seat.job.spec.agent_of(trail.who).clone(),
        prompt,
        prompt_file: seat.dirs.given().join("prompt.md"),
        instructions: None,
        workspace: seat.dirs.workspace(),
        tmp: seat.dirs.tmp(),
        tools: None,
        session,
        remaining: RemainingLimits::default(),
        used_before: trail.used,
        turn,
        attempt: trail.attempt,
    }
}

/// Files with which a repository speaks to agents, best first.
const INSTRUCTIONS: [&str; 2] = ["CLAUDE.md", "AGENTS.md"];
/// Bytes of them that are passed on: more than any model reads with care. A larger file is left out.
const MAX_INSTRUCTIONS: u64 = 256 << 10;

/// The repository's instructions as of the base commit, on a line as of the branch that its work is for, in a file that the CLI is pointed to.
async fn instructions(seat: &mut Seat<'_>, ground: &Ground) -> Result<Option<PathBuf>, StageError> {
    let mirror = code::open_mirror(seat).await?;
    let target = ground.target();
    for name in INSTRUCTIONS {
        let found =
            match mirror.read_file(target.unwrap_or(&ground.base), name.as_bytes(), MAX_INSTRUCTIONS).await {
                Err(GitError::TooLarge { .. }) => None,
                found => found.map_err(trouble::git)?,
            };
        if let Some(text) = found {
            let path = seat.dirs.given().join("instructions.md");
            let file = path.clone();
            trouble::blocking(move || write_given(&file, &text)).await?.map_err(trouble::io)?;
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// One copy for the agent, one that the agent cannot change for people.
async fn write_prompt(seat: &Seat<'_>, request: &TurnRequest) -> Result<(), StageError> {
    let (kept, given, text) =
        (seat.dirs.prompt(request.turn), request.prompt_file.clone(), request.prompt.clone());
    trouble::blocking(move || std::fs::write(kept, &text).and_then(|()| write_given(&given, text.as_bytes())))
        .await?
        .map_err(trouble::io)
}

/// What the CLI reads beside its prompt.
async fn write_files(request: &TurnRequest) -> Result<(), StageError> {
    let files = overnight_agents::given_files(request);
    trouble::blocking(move || files.iter().try_for_each(|file| write_given(&file.path, &file.content)))
        .await?
        .map_err(trouble::io)
}

/// Writes a file for the agent. Always a new one: where files are not guarded, the agent may have put a link there.
fn write_given(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        trouble::private_dir(dir)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)
}

async fn take_turn(
    seat: &mut Seat<'_>,
    request: &TurnRequest,
    trail: &Trail,
    go: &Go,
    (purse, desk): (&mut Purse, &mut Desk),
) -> Result<TurnReport, StageError> {
    let host = host_facts(seat, &request.settings, go)?;
    let renewal = Renewal::wait(seat, &go.account, go.began).await?;
    write_files(request).await?;
    let mut spec = overnight_agents::plan(request, &host)
        .map_err(|error| trouble::config(format!("{error}; {}", error.hint())))?;
    if let Some(result) = document::place(seat) {
        spec.env.insert(document::VARIABLE.into(), result.into());
    }
    spec.limits.log_bytes = seat.engine.settings().log_bytes;
    let capture = Capture {
        stdout: seat.dirs.turn_stdout(request.turn),
        stderr: seat.dirs.turn_stderr(request.turn),
        exit_record: Some(seat.dirs.turn_exit(request.turn)),
    };
    let redact = redactor(seat);
    let running = overnight_proc::spawn(&spec, &capture, Arc::clone(&redact)).map_err(trouble::spawn)?;
    let process = running.identity().clone();
    let containment = process.containment;
    seat.input(Input::TurnStarted { process }).await?;
    if containment != Containment::PidNamespace {
        let why = "namespaces are not permitted here: files are not guarded; see overnight doctor";
        seat.notice(Notice::WeakContainment(why.to_owned())).await?;
    }
    let mut watch = TurnWatch::new(request, trail, purse.meter(), seat.watcher, redact.as_ref())
        .listening(go.ear(), renewal);
    let stop = seat.signals.token().child_token();
    let session = Box::pin(running.drive(&mut watch, &stop));
    let exit = Box::pin(purse.watch(seat, session, (&stop, desk))).await?;
    let report = watch.finish(&exit);
    purse.settle(seat, report.outcome == TurnOutcome::Stopped).await;
    notices(seat, &exit).await?;
    if report.outcome == TurnOutcome::Stopped && seat.signals.cause().is_some() {
        return Err(StageError::Stopped);
    }
    Ok(report)
}

/// The keys of an agent that was described go by names that say nothing to us.
pub(super) fn redactor(seat: &Seat<'_>) -> Arc<dyn Redact> {
    match seat.job.agent().adapter.as_deref() {
        Some(adapter) if !adapter.env.is_empty() => Arc::new(Masks::new(seat.engine.host(), &adapter.env)),
        Some(_) | None => seat.engine.redactor(),
    }
}

fn host_facts(seat: &Seat<'_>, settings: &AgentSettings, go: &Go) -> Result<HostFacts, StageError> {
    let host = seat.engine.host();
    let program = crate::program::find(settings, host).ok_or_else(|| {
        let backend = settings.backend;
        let described = settings.adapter.as_ref().map(|adapter| adapter.argv.program().to_owned());
        let usual = described.unwrap_or_else(|| overnight_agents::usual_programs(backend).join(", "));
        let hint = overnight_agents::login_hint(backend);
        let name = settings.name();
        let detail =
            format!("no program for the {name} agent was found (looked for {usual} in PATH); {hint}");
        trouble::end(EndReason::AgentMissing, detail)
    })?;
    Ok(HostFacts {
        env: go.environment(host),
        program,
        root: host.root,
        guard: guard::for_job(seat.engine, &seat.job),
        self_exe: host.self_exe.clone(),
    })
}

async fn notices(seat: &mut Seat<'_>, exit: &ExitReport) -> Result<(), StageError> {
    if exit.left_processes {
        seat.notice(Notice::ProcessesKilled("the agent".to_owned())).await?;
    }
    if exit.dropped_bytes > 0 {
        seat.notice(Notice::OutputTruncated(exit.dropped_bytes)).await?;
    }
    Ok(())
}
