//! Jobs that share a branch: their places on its line, the limit of one at a time, and for a sprint the order.

use overnight_core::id::TaskKey;
use overnight_core::job::{AfterRule, BranchLine, LineKind};

use super::{After, NewJob, Parent};

/// Puts these jobs, in this order, on the line of a story or sprint that has `before` jobs already. To be enqueued together and
/// with nothing before them, because the jobs of a sprint name each other by their place.
#[must_use]
pub fn on_line(
    mut jobs: Vec<NewJob>,
    kind: LineKind,
    key: &TaskKey,
    title: &str,
    before: u32,
) -> Vec<NewJob> {
    let count = before.saturating_add(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
    let places: Vec<(usize, u32)> = (0..jobs.len()).zip(before.saturating_add(1)..).collect();
    put_on_line(&mut jobs, &places, (kind, key, title), count);
    jobs
}

/// Puts some jobs of a batch on the line of a story or sprint that has `count` jobs then. `places`: where each stands in the batch, and
/// its number on the line, in the order of the line.
///
/// Where a line's job is not done, the jobs of a sprint behind it end too; those of a story do not depend on each other, and only
/// run one at a time.
pub fn put_on_line(
    jobs: &mut [NewJob],
    places: &[(usize, u32)],
    (kind, key, title): (LineKind, &TaskKey, &str),
    count: u32,
) {
    let mut earlier = None;
    for (at, number) in places {
        let Some(job) = jobs.get_mut(*at) else { continue };
        let line = BranchLine::of(kind, key.clone(), title, (*number, count));
        job.queueing.group = Some(line.group());
        job.spec.line = Some(Box::new(line));
        if let (LineKind::Sprint, Some(earlier)) = (kind, earlier.replace(*at)) {
            job.after.push(After { on: Parent::Earlier(earlier), rule: AfterRule::Done });
        }
    }
}
