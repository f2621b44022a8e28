//! Jobs that share a branch: their places on its line, the limit of one at a time, and for a sprint the order.

use overnight_core::id::TaskKey;
use overnight_core::job::{AfterRule, BranchLine, LineKind};

use super::{After, NewJob, Parent};

/// Puts these jobs, in this order, on the line of a story or sprint that has `before` jobs already. To be enqueued together and
/// with nothing before them, because the jobs of a sprint name each other by their place.
///
/// Where a line's job is not done, the jobs of a sprint behind it end too; those of a story do not depend on each other, and only
/// run one at a time.
#[must_use]
pub fn on_line(
    mut jobs: Vec<NewJob>,
    kind: LineKind,
    key: &TaskKey,
    title: &str,
    before: u32,
) -> Vec<NewJob> {
    let count = before.saturating_add(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
    for ((at, job), number) in jobs.iter_mut().enumerate().zip(before.saturating_add(1)..) {
        let line = BranchLine::of(kind, key.clone(), title, (number, count));
        job.queueing.group = Some(line.group());
        job.spec.line = Some(Box::new(line));
        if let (LineKind::Sprint, Some(earlier)) = (kind, at.checked_sub(1)) {
            job.after.push(After { on: Parent::Earlier(earlier), rule: AfterRule::Done });
        }
    }
    jobs
}
