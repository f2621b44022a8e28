//! Collect: the agent's work comes home. Everything that reads the agent's tree or its `.git` runs inside the job's
//! containment and leaves a bundle; the host only imports that bundle into the mirror, checked. Of a job that writes a document nothing
//! but that document comes home.

use overnight_core::command::Isolation;
use overnight_core::git::CommitId;
use overnight_core::job::{Ground, JobEvent, JobState, Notice, StageOutput};
use overnight_core::policy::preflight::{self, Level};
use overnight_core::verdict::DiffStat;
use overnight_git::Mirror;
use overnight_git::collect::{self, Facts};
use overnight_git::workspace::Workspace;

use crate::accounts;
use crate::guard;
use crate::seat::Seat;
use crate::stages::{code, document, talk};
use crate::trouble::{self, StageError};

/// Output of the collecting script that is kept: it has nothing to say.
const OUTPUT: usize = 64 << 10;

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<StageOutput, StageError> {
    let JobState::Collecting { trail, ground, report } = seat.state().clone() else {
        return Err(trouble::bug("collect outside its state"));
    };
    if let Some(path) = document::place(seat) {
        return document::collect(seat, path).await;
    }
    let mirror = code::open_mirror(seat).await?;
    collect::prepare_out(&seat.dirs.out()).await.map_err(trouble::git)?;
    run_contained(seat, &mirror, &ground).await?;
    let job = seat.job.id.clone();
    let collected =
        collect::finish_collect(&mirror, &seat.dirs.out(), &job, trail.turns).await.map_err(trouble::git)?;
    notices(seat, collected.facts).await?;
    let backend = seat.job.spec.agent_of(trail.who).backend;
    let asking = accounts::standing(seat, backend, trail.account.as_ref(), &report.outcome).await?;
    let talk = talk::at_home(seat).await?;
    // Where a workspace had to be made again on earlier commits, an agent that changed nothing leaves those.
    let tip = collected.tip.or_else(|| made_on_earlier_work(seat, &mirror, &ground));
    let Some(tip) = tip else {
        return Ok(StageOutput::Collected { tip: None, diff: DiffStat::default(), asking, talk });
    };
    // A graft has the tree of what was grafted, and so the same difference to the base.
    let (grafted, diff) =
        tokio::try_join!(mirror.graft(&ground.base, &tip), mirror.diff_stat(&ground.base, &tip))
            .map_err(trouble::git)?;
    if grafted != tip {
        seat.notice(Notice::HistoryGrafted).await?;
    }
    let tip = without_leaks(seat, &mirror, &ground, grafted).await?;
    Ok(StageOutput::Collected { tip: Some(tip), diff, asking, talk })
}

/// A branch goes out with all its commits: where one of them held a secret, or was refused, the tree goes out without them.
async fn without_leaks(
    seat: &mut Seat<'_>,
    mirror: &Mirror,
    ground: &Ground,
    tip: CommitId,
) -> Result<CommitId, StageError> {
    let base = &ground.base;
    if mirror.count_commits(base, &tip).await.map_err(trouble::git)? < 2 {
        return Ok(tip);
    }
    let refused = |event: &JobEvent| match event {
        JobEvent::Inspected { inspection, .. } => inspection.with(Level::Block).next().is_some(),
        _ => false,
    };
    let mut leaks = seat.history().await?.iter().any(|(_, event)| refused(event));
    if !leaks {
        let history = mirror.history(base, &tip, ground.target()).await.map_err(trouble::git)?;
        leaks = match history {
            Some(history) => trouble::blocking(move || preflight::has_secrets(&history)).await?,
            // What cannot be read cannot be vouched for.
            None => true,
        };
    }
    if !leaks {
        return Ok(tip);
    }
    seat.notice(Notice::HistorySquashed).await?;
    mirror.squash(base, &tip).await.map_err(trouble::git)
}

async fn run_contained(seat: &Seat<'_>, mirror: &Mirror, ground: &Ground) -> Result<(), StageError> {
    let path = seat.dirs.workspace();
    let workspace = Workspace {
        index: overnight_git::workspace::index_of(&path),
        path,
        base: ground.base.clone(),
        mirror: mirror.path().to_owned(),
        fresh: false,
    };
    let spec = &seat.job.spec;
    let message = format!("{}\n\nOvernight-Job: {}", spec.title, seat.job.key);
    let identity = code::identity(&spec.author);
    let env = seat.engine.git_env();
    let mut command = collect::plan(&workspace, &seat.dirs.out(), &message, &identity, env);
    command.isolation = Isolation::Contained(guard::for_job(seat.engine, &seat.job));
    command.limits.wall = Some(seat.engine.settings().collect_timeout);
    let running = overnight_proc::output(&command, OUTPUT);
    let output = seat.unless_stopped(async { running.await.map_err(trouble::spawn) }).await?;
    // What did not fit on the disk is only left out by git: a result without it would be half the work.
    if output.report.success() && !disk_full(&output.stderr) {
        return Ok(());
    }
    Err(not_collected(&output))
}

fn disk_full(said: &[u8]) -> bool {
    let words = ["No space left on device", "Disk quota exceeded", "Out of diskspace"];
    String::from_utf8_lossy(said).lines().any(|line| words.iter().any(|words| line.ends_with(words)))
}

fn not_collected(output: &overnight_proc::Output) -> StageError {
    let said = String::from_utf8_lossy(&output.stderr);
    let end = overnight_core::text::tail_chars(said.trim_end(), 300);
    let detail = format!(
        "the agent's work could not be collected ({:?}: {}); it is still in the workspace",
        output.report.exit,
        overnight_core::text::one_line(end, 300)
    );
    if disk_full(&output.stderr) {
        trouble::wait_disk_full(detail)
    } else {
        trouble::wait_unavailable(detail)
    }
}

fn made_on_earlier_work(seat: &Seat<'_>, mirror: &Mirror, ground: &Ground) -> Option<CommitId> {
    overnight_git::workspace::made_for(mirror, &seat.dirs.workspace()).filter(|commit| *commit != ground.base)
}

async fn notices(seat: &mut Seat<'_>, facts: Facts) -> Result<(), StageError> {
    let told = [
        (facts.salvaged, Notice::GitDirectorySalvaged),
        (facts.dirty && !facts.salvaged, Notice::LeftoversCommitted),
        (facts.rewound, Notice::HistoryGrafted),
        (facts.nested, Notice::NestedRepositoriesLeftOut),
        (facts.incomplete, Notice::UnreadableFilesLeftOut),
        (facts.missing, Notice::WorkspaceGone),
    ];
    for (_, notice) in told.into_iter().filter(|(is, _)| *is) {
        seat.notice(notice).await?;
    }
    Ok(())
}
