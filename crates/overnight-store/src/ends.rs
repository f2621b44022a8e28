//! What the end of a job means for those that wait for it: counted down in the transaction of the end itself, so that two
//! that end at the same time cannot both leave a waiting job behind.

use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{AfterRule, EndReason, Input};

use crate::error::StoreError;
use crate::free;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::WriteTx;

/// A job that has ended and that others wait for.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) job: JobId,
    pub(crate) key: TaskKey,
    pub(crate) reason: EndReason,
}

/// Unblocks, or ends, the jobs that wait for these, and those that wait for them in turn.
pub(crate) async fn release_dependents(tx: &mut WriteTx, mut ended: Vec<Ending>) -> Result<(), StoreError> {
    while let Some(ending) = ended.pop() {
        let text = "SELECT child_id, rule FROM job_dependencies WHERE parent_id = $1 ORDER BY child_id";
        for found in tx.all(sql(text).bind(ending.job.as_str())).await? {
            ended.extend(release(tx, &ending, &found).await?);
        }
    }
    Ok(())
}

async fn release(tx: &mut WriteTx, ending: &Ending, found: &Row) -> Result<Option<Ending>, StoreError> {
    let child = row::text(found, "?", "child_id")?;
    let fits = match row::text(found, &child, "rule")?.as_str() {
        rule if rule == AfterRule::Done.as_str() => ending.reason == EndReason::Published,
        _ => true,
    };
    let text = "UPDATE jobs SET blocked_by = blocked_by - 1 WHERE id = $1 AND NOT ended AND blocked_by > 0 \
                RETURNING blocked_by";
    let Some(counted) = tx.optional(sql(text).bind(&child)).await? else { return Ok(None) };
    let input = match (fits, row::number(&counted, &child, "blocked_by")?) {
        (false, _) => Input::DependencyFailed { key: ending.key.clone(), reason: ending.reason },
        (true, 0) => Input::Woken,
        (true, _) => return Ok(None),
    };
    free::move_free(tx, &child, input).await
}
