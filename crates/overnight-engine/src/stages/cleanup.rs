//! Cleanup: what only the work needed goes; logs and the commits in the mirror stay.

use overnight_core::job::StageOutput;
use overnight_git::remove_tree;

use crate::clean;
use crate::seat::Seat;
use crate::trouble::{self, StageError};

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<StageOutput, StageError> {
    // The workspace has files beside it. The checkouts are the other large tree; what is left of them is removed below.
    let (workspace, checkouts) = (seat.dirs.workspace(), seat.dirs.checkouts());
    let (workspace, _) = tokio::join!(overnight_git::workspace::remove(&workspace), remove_tree(&checkouts));
    if let Err(error) = workspace {
        tracing::warn!(job.id = %seat.job.id, %error, "the workspace could not be removed");
    }
    clean_tails(seat).await?;
    for path in seat.dirs.scratch().into_iter().chain([seat.dirs.given()]) {
        if let Err(error) = remove_tree(&path).await {
            // The job's result does not depend on it, and the sweeper comes by again.
            tracing::warn!(job.id = %seat.job.id, ?path, %error, "a directory could not be removed");
        }
    }
    Ok(StageOutput::Cleaned)
}

/// What a dead runner left unread stays among the logs: without secrets.
async fn clean_tails(seat: &Seat<'_>) -> Result<(), StageError> {
    let turns = seat.state().trail().map_or(0, |trail| trail.turns);
    let logs: Vec<_> = (1..=turns).map(|turn| seat.dirs.turn_stdout(turn)).collect();
    let redact = seat.engine.redactor();
    let cleaned =
        trouble::blocking(move || logs.iter().try_for_each(|log| clean::tail(log, redact.as_ref()))).await?;
    if let Err(error) = cleaned {
        tracing::warn!(job.id = %seat.job.id, %error, "what a dead runner left could not be cleaned");
    }
    Ok(())
}
