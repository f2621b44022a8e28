//! Inspection: the imported commit is read from the mirror and looked at before anything is run. The tree that the agent could write is
//! never read; neither is a setting that the change itself brings.

use overnight_core::git::CommitId;
use overnight_core::job::line::UnmergedWork;
use overnight_core::job::{EndReason, Ground, Input};
use overnight_core::policy::alignment;
use overnight_core::policy::preflight::{self, Asked, Preflight};
use overnight_git::Mirror;

use crate::repo_file;
use crate::seat::Seat;
use crate::stages::code;
use crate::trouble::{self, StageError};

/// Bytes of `overnight.toml` that are read.
const MAX_FILE: u64 = 1 << 20;

/// Looks at the commit and moves the job: to its checks, or back to the agent.
pub(crate) async fn run(seat: &mut Seat<'_>, ground: &Ground, tip: &CommitId) -> Result<(), StageError> {
    let mirror = code::open_mirror(seat).await?;
    let policy = policy(seat, &mirror, &ground.base).await?;
    let exceptions = seat.until(|| seat.engine.store().exceptions_of(&seat.job.repository)).await?;
    let now = seat.until(|| seat.engine.store().now()).await?;
    let reading = Box::pin(mirror.change(&ground.base, tip, ground.target()));
    let change = seat.unless_stopped(async { reading.await.map_err(trouble::git) }).await?;
    let author = seat.job.spec.author.clone();
    let merged = merged(&mirror, ground).await?;
    let compared = seat.job.spec.task.as_ref().map(|task| task.plan.clone());
    let inspection = trouble::blocking(move || {
        let plan = compared.as_ref().and_then(Option::as_deref);
        let asked = Asked { author: &author, plan, merged: &merged };
        let mut inspection = preflight::inspect(&change, &policy, &exceptions, asked, now);
        inspection.alignment =
            compared.map(|plan| alignment::compare(plan.as_deref(), &change.files_changed()));
        inspection
    })
    .await?;
    let elapsed = seat.stage_began.elapsed();
    seat.input(Input::Inspected { inspection: Box::new(inspection), elapsed }).await?;
    Ok(())
}

/// This worker's policy, with what the repository's base asks for beyond it.
async fn policy(seat: &Seat<'_>, mirror: &Mirror, base: &CommitId) -> Result<Preflight, StageError> {
    let own = seat.engine.settings().preflight.clone();
    let Some(bytes) = mirror.read_file(base, b"overnight.toml", MAX_FILE).await.map_err(trouble::git)? else {
        return Ok(own);
    };
    let invalid = |why: String| trouble::end(EndReason::ConfigInvalid, format!("at {}: {why}", base.short()));
    let text = String::from_utf8(bytes).map_err(|_| invalid("overnight.toml is not UTF-8".to_owned()))?;
    match repo_file::preflight(&text) {
        Ok(Some(stricter)) => Ok(own.stricter(&stricter)),
        Ok(None) => Ok(own),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// What the job's agent was told to merge comes from others, and no plan of its task names it.
async fn merged(mirror: &Mirror, ground: &Ground) -> Result<Vec<String>, StageError> {
    let mut paths = Vec::new();
    for unmerged in ground.line.iter().flat_map(|line| &line.unmerged) {
        match unmerged.what {
            UnmergedWork::Target { .. } => {
                paths.extend(mirror.brings(&ground.base, &unmerged.commit).await.map_err(trouble::git)?);
            }
            UnmergedWork::Own => {}
        }
    }
    Ok(paths)
}
