//! Follow-ups: the order of a job that goes on where another has ended. Whoever orders one, a person or what looks after pull requests,
//! comes here.

use crate::handover;
use crate::job::{Base, End, Follows, Job, JobEvent, JobSpec, Trail};
use crate::text::{cut_chars, one_line};
use crate::watch::PullOrder;

/// What is to be done now, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub message: String,
    /// The agent of the new order can take up the conversation of the old one.
    pub keeps_session: bool,
    /// Where it answers what happened to a pull request.
    pub pull: Option<PullOrder>,
}

/// Whether an ended job has left anything to go on with.
#[must_use]
pub fn left_something(trail: &Trail, end: &End) -> bool {
    end.published.is_some() || end.tip.is_some() || trail.session.is_some()
}

/// The order of the follow-up. `spec`: the order as it is given now, whose base and predecessor are set here.
#[must_use]
pub fn follow_up(
    mut spec: JobSpec,
    old: &Job,
    (trail, end): (&Trail, &End),
    history: &[JobEvent],
    wanted: Wanted,
) -> JobSpec {
    let branch = end.published.as_ref().map(|published| published.branch.clone());
    let preserved = end.tip.clone().filter(|_| branch.is_none());
    let (base, base_branch) = base(history, branch.as_ref().map(ToString::to_string), &old.spec);
    // A line knows its branch, and whose that is; what it is for stays.
    spec.base = if spec.line.is_some() { old.spec.base.clone() } else { base };
    spec.budget.first = spec.budget.first.or_else(|| Some(old.id.clone()));
    spec.follows = Some(Box::new(Follows {
        job: old.id.clone(),
        key: old.key.clone(),
        message: wanted.message,
        branch,
        base_branch,
        preserved,
        session: trail.session.clone().filter(|_| wanted.keeps_session),
        who: trail.who,
        account: trail.account.clone(),
        handover: note(old, history, trail),
        pull: wanted.pull,
    }));
    spec
}

/// Where the work begins, and the target of its pull request: the published branch as it is by then, else the base of the earlier job.
fn base(history: &[JobEvent], branch: Option<String>, old: &JobSpec) -> (Base, Option<String>) {
    let grounded = history.iter().rev().find_map(|event| match event {
        JobEvent::Grounded { base, base_branch, .. } => Some((base.clone(), base_branch.clone())),
        _ => None,
    });
    let target = grounded.as_ref().and_then(|(_, branch)| branch.clone());
    let base = match (branch, grounded) {
        (Some(branch), _) => Base::RemoteBranch { branch },
        (None, Some((commit, branch))) => Base::Commit { commit, branch },
        (None, None) => old.base.clone(),
    };
    (base, target)
}

fn note(old: &Job, history: &[JobEvent], trail: &Trail) -> String {
    let earlier = old.spec.follows.as_ref().map(|follows| follows.handover.clone()).unwrap_or_default();
    let own = handover::note(history, trail).unwrap_or_default();
    let end = old.state.end().map(|end| format!("It ended: {}.\n", one_line(&end.detail, 300)));
    cut_chars(&format!("{earlier}{own}{}", end.unwrap_or_default()), 2 * handover::MOST_CHARS)
}
