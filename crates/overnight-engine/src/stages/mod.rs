//! The stages of a job, one file each. A stage does its work and says what came of it; what follows from that is decided
//! elsewhere. Each can be run again after a crash at any point.

mod agent;
mod agent_turn;
mod cascade;
mod cascade_steps;
mod cleanup;
pub(crate) mod code;
mod collect;
mod document;
mod ground;
mod inspect;
mod line;
mod line_request;
mod prepare;
mod publish;
mod talk;
mod verify;

use overnight_core::job::{Stage, StageOutput};

pub(crate) use code::put_mirror_aside;

use crate::purse;
use crate::seat::Seat;
use crate::trouble::StageError;

/// Runs one stage. `None`: the stage moved the job itself.
pub(crate) async fn run(stage: Stage, seat: &mut Seat<'_>) -> Result<Option<StageOutput>, StageError> {
    match stage {
        Stage::Prepare => {
            purse::check(seat).await?;
            prepare::run(seat).await.map(Some)
        }
        Stage::Agent => agent::run(seat).await,
        Stage::Collect => collect::run(seat).await.map(Some),
        Stage::Verify => verify::run(seat).await,
        Stage::Publish => publish::run(seat).await,
        Stage::Cleanup => cleanup::run(seat).await.map(Some),
        Stage::Cascade => Box::pin(cascade::run(seat)).await.map(Some),
    }
}
