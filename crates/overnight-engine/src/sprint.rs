//! What is still to be done of a sprint: asked before its draft becomes ready, by the job that was its last when it was ordered and by
//! whoever looks at the pull request later.

use overnight_core::backlog;
use overnight_core::id::TaskKey;
use overnight_core::job::{BranchLine, Job};
use overnight_store::{Store, StoreError};

/// The first task that stands in the sprint of this line, is to be done in the job's repository, and has not been started, or failed.
/// Tasks come to a sprint while it works, so the answer holds for this moment.
pub(crate) async fn open_task(
    store: &Store,
    job: &Job,
    place: &BranchLine,
) -> Result<Option<TaskKey>, StoreError> {
    let Some((sprint, backlog)) = store.sprint(&place.key).await? else { return Ok(None) };
    let here = (&job.repository, job.repository_name.as_str());
    let task = backlog::still_open(&backlog.items, &backlog.facts, &sprint, here);
    Ok(task.map(|task| task.key.clone()))
}
