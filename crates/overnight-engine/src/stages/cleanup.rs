//! Cleanup: what only the work needed goes; logs and the commits in the mirror stay.

use overnight_core::job::StageOutput;
use overnight_git::remove_tree;

use crate::seat::Seat;
use crate::trouble::StageError;

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<StageOutput, StageError> {
    // The workspace has files beside it.
    let workspace = overnight_git::workspace::remove(&seat.dirs.workspace()).await;
    if let Err(error) = workspace {
        tracing::warn!(job.id = %seat.job.id, %error, "the workspace could not be removed");
    }
    for path in seat.dirs.scratch() {
        if let Err(error) = remove_tree(&path).await {
            // The job's result does not depend on it, and the sweeper comes by again.
            tracing::warn!(job.id = %seat.job.id, ?path, %error, "a directory could not be removed");
        }
    }
    Ok(StageOutput::Cleaned)
}
