//! Verify: the checks run on a clean checkout of exactly the imported commit, contained, and their exit status is the
//! verdict. What does not pass is measured on the base as well.

use std::path::{Path, PathBuf};
use std::time::Instant;

use overnight_core::command::{CommandSpec, Exit, Isolation, StopReason};
use overnight_core::git::CommitId;
use overnight_core::job::{JobState, Notice, StageOutput};
use overnight_core::verdict::{Check, CheckReport, CheckedPair, CouldNotRun, Verdict};
use overnight_git::Mirror;
use overnight_git::workspace::{self, Setup};
use overnight_proc::{Capture, Line, Reply, SpawnError};

use crate::guard;
use crate::progress::Progress;
use crate::seat::Seat;
use crate::stages::{code, inspect};
use crate::trouble::{self, StageError};

/// Characters of a check's output that its report keeps.
const TAIL: usize = 8_000;
/// Whether a check brings in what the others need (`install`, `install (npm)`), so that it also comes first on the base.
fn is_setup(check: &Check) -> bool {
    check.name == "install" || check.name.starts_with("install (")
}

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<Option<StageOutput>, StageError> {
    let JobState::Verifying { trail, ground, tip, inspected, .. } = seat.state().clone() else {
        return Err(trouble::bug("verify outside its state"));
    };
    if inspected.is_none() {
        // A leaked key is no reason to run checks for ten minutes.
        inspect::run(seat, &ground, &tip).await?;
        return Ok(None);
    }
    if ground.checks.is_empty() {
        return Ok(Some(StageOutput::Verified { pairs: Vec::new() }));
    }
    let mirror = code::open_mirror(seat).await?;
    let mut bench = Bench { mirror, attempt: trail.attempt, base_ready: false };
    let tmp = seat.dirs.checkout("tmp");
    trouble::blocking(move || trouble::private_dir(&tmp)).await?.map_err(trouble::io)?;
    let checkout = seat.dirs.checkout("tip");
    bench.checkout(seat, &tip, &checkout).await?;
    let mut pairs = Vec::new();
    for (index, check) in ground.checks.iter().enumerate() {
        let report = bench.measure(seat, Measured { check, index, commit: &tip, on_base: false }).await?;
        let passed = report.verdict == Verdict::Pass;
        let base =
            if passed { None } else { Some(bench.on_base(seat, &ground.checks, index, &ground.base).await?) };
        pairs.push(CheckedPair { tip: report, base });
        if !passed && is_setup(check) {
            // Without what it brings in, the other checks would only repeat its failure.
            break;
        }
    }
    Ok(Some(StageOutput::Verified { pairs }))
}

/// One run of one check.
struct Measured<'a> {
    check: &'a Check,
    index: usize,
    commit: &'a CommitId,
    on_base: bool,
}

impl Measured<'_> {
    fn side(&self) -> &'static str {
        if self.on_base { "base" } else { "tip" }
    }
}

struct Bench {
    mirror: Mirror,
    attempt: u32,
    base_ready: bool,
}

impl Bench {
    async fn checkout(&self, seat: &Seat<'_>, commit: &CommitId, path: &Path) -> Result<(), StageError> {
        // A checkout that an interrupted verification left was written by checks: it is not clean any more.
        workspace::remove(path).await.map_err(trouble::git)?;
        let made = workspace::ready(&self.mirror, commit, path, &Setup { branch: None, identity: None });
        seat.unless_stopped(async { made.await.map_err(trouble::git) }).await?;
        Ok(())
    }

    /// Measures a check on the base. The result of an earlier attempt of this job is taken again: the base is the same.
    async fn on_base(
        &mut self,
        seat: &mut Seat<'_>,
        checks: &[Check],
        index: usize,
        base: &CommitId,
    ) -> Result<CheckReport, StageError> {
        if let Some(known) = known_on_base(seat, &checks[index].name, base).await? {
            return Ok(known);
        }
        if !self.base_ready {
            self.checkout(seat, base, &seat.dirs.checkout("base")).await?;
            self.base_ready = true;
            for (setup, check) in checks[..index].iter().enumerate().filter(|(_, check)| is_setup(check)) {
                self.measure(seat, Measured { check, index: setup, commit: base, on_base: true }).await?;
            }
        }
        self.measure(seat, Measured { check: &checks[index], index, commit: base, on_base: true }).await
    }

    async fn measure(&self, seat: &mut Seat<'_>, what: Measured<'_>) -> Result<CheckReport, StageError> {
        let name = what.check.name.clone();
        seat.tell(Progress::CheckStarted { check: name.clone(), on_base: what.on_base });
        let began = Instant::now();
        let log = seat.dirs.check_log(self.attempt, what.side(), what.index);
        let verdict = run_check(seat, &what, &log).await?;
        let elapsed = began.elapsed();
        seat.tell(Progress::CheckFinished {
            check: name.clone(),
            on_base: what.on_base,
            verdict: verdict.clone(),
            elapsed,
        });
        let output_tail = trouble::blocking(move || tail_of(&log)).await?;
        Ok(CheckReport { check: name, commit: what.commit.clone(), verdict, output_tail, elapsed })
    }
}

async fn known_on_base(
    seat: &Seat<'_>,
    check: &str,
    base: &CommitId,
) -> Result<Option<CheckReport>, StageError> {
    use overnight_core::job::JobEvent;
    let history = seat.history().await?;
    Ok(history.into_iter().rev().find_map(|(_, event)| match event {
        JobEvent::Checked { report, on_base: true } if report.check == check && report.commit == *base => {
            Some(report)
        }
        _ => None,
    }))
}

async fn run_check(seat: &mut Seat<'_>, what: &Measured<'_>, log: &Path) -> Result<Verdict, StageError> {
    let spec = check_spec(seat, what);
    let capture = Capture { stdout: log.to_owned(), stderr: log.with_extension("err"), exit_record: None };
    let running = match overnight_proc::spawn(&spec, &capture, seat.engine.redactor()) {
        Ok(running) => running,
        Err(error) => return not_started(error),
    };
    let report = running.drive(&mut |_: Line<'_>| Reply::default(), seat.signals.token()).await;
    if report.stopped == Some(StopReason::Asked) {
        return Err(StageError::Stopped);
    }
    if report.left_processes {
        seat.notice(Notice::ProcessesKilled(format!("check {}", what.check.name))).await?;
    }
    Ok(verdict(report.exit, report.stopped))
}

/// A machine that is out of something says nothing about the commit; any other failure is a verdict.
fn not_started(error: SpawnError) -> Result<Verdict, StageError> {
    match error {
        SpawnError::NoSpace { .. } | SpawnError::OutOfResources { .. } => Err(trouble::spawn(error)),
        SpawnError::ProgramNotFound { .. }
        | SpawnError::NotExecutable { .. }
        | SpawnError::CwdMissing { .. }
        | SpawnError::Log { .. }
        | SpawnError::Guard { .. }
        | SpawnError::ArgumentsTooLong { .. }
        | SpawnError::NulByte { .. }
        | SpawnError::Setup { .. } => {
            Ok(Verdict::CouldNotRun { why: CouldNotRun::NotStarted(trouble::chain(&error)) })
        }
    }
}

fn check_spec(seat: &Seat<'_>, what: &Measured<'_>) -> CommandSpec {
    let checkout = seat.dirs.checkout(what.side());
    let tmp = seat.dirs.checkout("tmp");
    // Both streams are one text for people, in the order in which they were written.
    let script = format!("exec 2>&1\n{}", what.check.command);
    let mut spec = CommandSpec::new("/bin/sh", &checkout).arg("-c").arg(script);
    spec.env = overnight_agents::environment::check_environment(&seat.engine.host().env, &tmp);
    spec.limits.wall = Some(what.check.timeout);
    spec.limits.log_bytes = seat.engine.settings().log_bytes;
    spec.limits.grace = seat.job.agent().grace;
    spec.isolation = Isolation::Contained(guard::for_job(seat.engine, &seat.job));
    spec
}

/// The verdict of a check that was started: 126 and 127 are the shell's own words for "could not run".
fn verdict(exit: Exit, stopped: Option<StopReason>) -> Verdict {
    let could_not = |why| Verdict::CouldNotRun { why };
    match (stopped, exit) {
        (Some(_), _) => could_not(CouldNotRun::TimedOut),
        (None, Exit::Code(0)) => Verdict::Pass,
        (None, Exit::Code(126)) => could_not(CouldNotRun::NotExecutable),
        (None, Exit::Code(127)) => could_not(CouldNotRun::CommandMissing),
        // A shell whose child was killed says 128 + signal; 137 is KILL, most often for want of memory.
        (None, Exit::Code(137)) => could_not(CouldNotRun::Killed(9)),
        (None, Exit::Code(status)) => Verdict::Fail { status },
        (None, Exit::Signal(signal)) => could_not(CouldNotRun::Killed(signal)),
        (None, Exit::Unknown) => could_not(CouldNotRun::NotStarted("nobody saw it end".to_owned())),
    }
}

fn tail_of(log: &PathBuf) -> String {
    use std::io::{Read, Seek, SeekFrom};
    // Four bytes is the most that one character takes.
    let want = (TAIL * 4) as u64;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(want)))?;
        let mut bytes = Vec::new();
        file.take(want).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    overnight_core::text::tail_chars(&String::from_utf8_lossy(&bytes), TAIL).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_become_verdicts_and_never_guesses() {
        let table = [
            (Exit::Code(0), None, Verdict::Pass),
            (Exit::Code(1), None, Verdict::Fail { status: 1 }),
            (Exit::Code(127), None, Verdict::CouldNotRun { why: CouldNotRun::CommandMissing }),
            (Exit::Code(126), None, Verdict::CouldNotRun { why: CouldNotRun::NotExecutable }),
            (Exit::Signal(9), None, Verdict::CouldNotRun { why: CouldNotRun::Killed(9) }),
            // A check that was stopped says nothing, even when it managed to exit with 0 meanwhile.
            (
                Exit::Code(0),
                Some(StopReason::WallTimeout),
                Verdict::CouldNotRun { why: CouldNotRun::TimedOut },
            ),
        ];
        for (exit, stopped, wanted) in table {
            assert_eq!(verdict(exit, stopped), wanted, "{exit:?} {stopped:?}");
        }
    }
}
