//! What the end of a job means for those that wait for it: counted down in the transaction of the end itself, so that two
//! that end at the same time cannot both leave a waiting job behind.

use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{AfterRule, EndReason, Input};

use crate::error::StoreError;
use crate::free;
use crate::row;
use crate::sql::{places, sql};
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
    while !ended.is_empty() {
        let waiting = waiting_for(tx, &ended).await?;
        let mut next = Vec::new();
        for wait in &waiting {
            next.extend(release(tx, wait).await?);
        }
        ended = next;
    }
    Ok(())
}

/// A job that waits for one that has ended.
struct Wait<'a> {
    child: String,
    rule: String,
    on: &'a Ending,
}

/// Locks the jobs that wait for these, in one order for everybody: two ends that free the same jobs wait for each other, but
/// not in a circle.
async fn waiting_for<'a>(tx: &mut WriteTx, ended: &'a [Ending]) -> Result<Vec<Wait<'a>>, StoreError> {
    let mut waiting = Vec::new();
    for ending in ended {
        let text = "SELECT child_id, rule FROM job_dependencies WHERE parent_id = $1";
        for found in tx.all(sql(text).bind(ending.job.as_str())).await? {
            let (child, rule) = (row::text(&found, "?", "child_id")?, row::text(&found, "?", "rule")?);
            waiting.push(Wait { child, rule, on: ending });
        }
    }
    waiting.sort_by(|a, b| a.child.cmp(&b.child));
    for some in waiting.chunks(64).filter(|_| waiting.len() > 1) {
        let text = format!(
            "SELECT j.id FROM jobs j WHERE j.id IN ({}) ORDER BY j.id {{lock}}",
            places(1, some.len())
        );
        tx.all(sql(text).bind_all(some.iter().map(|wait| wait.child.as_str()))).await?;
    }
    Ok(waiting)
}

async fn release(tx: &mut WriteTx, wait: &Wait<'_>) -> Result<Option<Ending>, StoreError> {
    let Wait { child, rule, on } = wait;
    let fits = rule != AfterRule::Done.as_str() || on.reason.is_done();
    let text = "UPDATE jobs SET blocked_by = blocked_by - 1 WHERE id = $1 AND NOT ended AND blocked_by > 0 \
                RETURNING blocked_by";
    let Some(counted) = tx.optional(sql(text).bind(child)).await? else { return Ok(None) };
    let input = match (fits, row::number(&counted, child, "blocked_by")?) {
        (false, _) => Input::DependencyFailed { key: on.key.clone(), reason: on.reason },
        (true, 0) => Input::Woken,
        (true, _) => return Ok(None),
    };
    free::move_free(tx, child, input).await
}
