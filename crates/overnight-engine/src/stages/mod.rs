//! The stages of a job, one file each. A stage does its work and says what came of it; what follows from that is decided
//! elsewhere. Each can be run again after a crash at any point.

mod agent;
mod agent_turn;
mod cleanup;
mod collect;
mod ground;
mod prepare;
mod publish;
mod verify;

use overnight_core::job::{Stage, StageOutput, Trouble};

pub(crate) use prepare::put_mirror_aside;

use crate::engine::WorkError;
use crate::seat::Seat;

/// Why a stage has no output.
#[derive(Debug)]
pub(crate) enum StageError {
    /// A signal ended it; which one, the signals know.
    Stopped,
    Trouble {
        trouble: Trouble,
        detail: String,
    },
    /// Objects of the mirror are broken: it has to be made anew.
    MirrorDamaged {
        detail: String,
    },
    /// The job can no longer be moved by this runner.
    Work(WorkError),
}

impl From<WorkError> for StageError {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

impl From<overnight_store::StoreError> for StageError {
    fn from(error: overnight_store::StoreError) -> Self {
        Self::Work(error.into())
    }
}

/// Runs one stage. `None`: the stage moved the job itself.
pub(crate) async fn run(stage: Stage, seat: &mut Seat<'_>) -> Result<Option<StageOutput>, StageError> {
    match stage {
        Stage::Prepare => prepare::run(seat).await.map(Some),
        Stage::Agent => agent::run(seat).await.map(Some),
        Stage::Collect => collect::run(seat).await.map(Some),
        Stage::Verify => verify::run(seat).await.map(Some),
        Stage::Publish => publish::run(seat).await,
        Stage::Cleanup => cleanup::run(seat).await.map(Some),
    }
}

/// Runs something that can be dropped at any point, until it is done or a signal comes.
pub(crate) async fn unless_stopped<T>(
    seat: &Seat<'_>,
    work: impl Future<Output = Result<T, StageError>>,
) -> Result<T, StageError> {
    let token = seat.signals.token().clone();
    tokio::select! {
        done = work => done,
        () = token.cancelled() => Err(StageError::Stopped),
    }
}
