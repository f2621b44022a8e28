//! A job's place on its line: where the shared branch is, whose it is, what is on it already, and how the job's own work comes onto it.
//! Decides nothing but that: what follows is `core::job::turns` and `core::job::publishing`.

use overnight_core::agent::Agent;
use overnight_core::git::CommitId;
use overnight_core::job::line::{Before, EarlierTask, Made, Unmerged, UnmergedWork};
use overnight_core::job::{BranchLine, EndReason, Feedback, Ground, Job, JobState, OnLine, StageOutput, Who};
use overnight_core::watch::Cause;
use overnight_git::{Endpoint, Merge, Mirror, Wanted};

use crate::seat::Seat;
use crate::trouble::{self, StageError};

/// Where a job of a line begins.
pub(super) struct Start {
    /// What the job's own work is compared with.
    pub(super) base: CommitId,
    pub(super) line: OnLine,
}

/// Looks at the line's branch. `target`: the tip of the branch that the pull request is for.
pub(super) async fn look(
    seat: &Seat<'_>,
    mirror: &Mirror,
    endpoint: &Endpoint,
    (target, target_name): (&CommitId, Option<&str>),
) -> Result<Option<Start>, StageError> {
    let Some(place) = seat.job.spec.line.as_deref() else { return Ok(None) };
    let others = others(seat, place).await?;
    let fetching = mirror.fetch_branch(endpoint, &place.branch);
    let tip = seat.unless_stopped(async { fetching.await.map_err(trouble::git) }).await?;
    let mut line = OnLine { begins: tip.clone(), target: Some(target.clone()), ..OnLine::default() };
    let base = match tip {
        None => target.clone(),
        Some(tip) => {
            refuse_foreign(mirror, place, &tip, &others).await?;
            line.earlier = earlier(&others);
            on_branch(mirror, &tip, (target, target_name), &mut line).await?
        }
    };
    own_work(seat, mirror, place, &base, &mut line).await?;
    line.before = before(&seat.job, place, &others);
    Ok(Some(Start { base, line }))
}

/// A follow-up that is to bring in what its pull request is for: where that branch is by now, and what git cannot merge by itself.
pub(super) async fn catching_up(
    seat: &Seat<'_>,
    mirror: &Mirror,
    endpoint: &Endpoint,
    (tip, target): (&CommitId, Option<&str>),
) -> Result<Option<OnLine>, StageError> {
    let wanted = seat.job.spec.follows.as_ref().and_then(|follows| follows.pull.as_ref());
    let conflicts = wanted.is_some_and(|order| order.cause == Cause::Conflict);
    let Some(name) = target.filter(|_| conflicts) else { return Ok(None) };
    let wanted = Wanted::Branch(name.to_owned());
    let fetching = mirror.fetch_commit(endpoint, &wanted);
    let target = seat.unless_stopped(async { fetching.await.map_err(trouble::git) }).await?.commit;
    let mut line = OnLine { target: Some(target.clone()), ..OnLine::default() };
    on_branch(mirror, tip, (&target, Some(name)), &mut line).await?;
    Ok(Some(line))
}

/// The job was sent back because the branch had moved, and git could put its work there: only the verdict is missing.
pub(super) async fn rejoined(
    seat: &Seat<'_>,
    mirror: &Mirror,
    ground: &Ground,
) -> Result<Option<StageOutput>, StageError> {
    let moved = seat.state().trail().is_some_and(|trail| trail.feedback == Some(Feedback::BranchMoved));
    let own = ground.line.as_ref().and_then(|line| line.own.clone()).filter(|_| moved);
    let Some(tip) = own else { return Ok(None) };
    let diff = mirror.diff_stat(&ground.base, &tip).await.map_err(trouble::git)?;
    // Somebody else has done the same: there is nothing to verify, and the agent is told so.
    Ok((diff.files > 0).then(|| StageOutput::Rejoined { ground: ground.clone(), tip, diff }))
}

/// The other jobs of the line, oldest first.
pub(super) async fn others(seat: &Seat<'_>, place: &BranchLine) -> Result<Vec<Job>, StageError> {
    let jobs = || seat.engine.store().jobs_of_line(&seat.job.repository_name, place);
    let mut jobs = seat.until(jobs).await?;
    jobs.retain(|job| job.id != seat.job.id);
    Ok(jobs)
}

/// The branch is ours where it is at something that a job of the line made, goes on from that, or was taken back within it.
async fn refuse_foreign(
    mirror: &Mirror,
    place: &BranchLine,
    tip: &CommitId,
    others: &[Job],
) -> Result<(), StageError> {
    let made = Made::by(others.iter().map(|job| &job.state));
    if made.published.contains(tip) || made.perhaps.contains(tip) {
        return Ok(());
    }
    for ours in &made.published {
        // Where another machine pushed it and the branch has left it since, it may never have come here.
        if mirror.has(ours).await.map_err(trouble::git)? && related(mirror, ours, tip).await? {
            return Ok(());
        }
    }
    let kind = place.kind.as_str();
    let detail = format!(
        "there is a branch {} at {} that no job of the {kind} {} has made; rename or delete it there, then run this again with \
         overnight retry",
        place.branch,
        tip.short(),
        place.key
    );
    Err(trouble::end(EndReason::BranchConflict, detail))
}

async fn related(mirror: &Mirror, one: &CommitId, other: &CommitId) -> Result<bool, StageError> {
    let ahead = mirror.is_ancestor(one, other).await.map_err(trouble::git)?;
    Ok(ahead || mirror.is_ancestor(other, one).await.map_err(trouble::git)?)
}

/// The base of a job whose branch is at `tip`, and what keeps it from being merged.
async fn on_branch(
    mirror: &Mirror,
    tip: &CommitId,
    (target, name): (&CommitId, Option<&str>),
    line: &mut OnLine,
) -> Result<CommitId, StageError> {
    // Merged already: what follows begins on the result.
    if mirror.is_ancestor(tip, target).await.map_err(trouble::git)? {
        return Ok(target.clone());
    }
    if !mirror.is_ancestor(target, tip).await.map_err(trouble::git)? {
        let paths = mirror.conflicts(tip, target).await.map_err(trouble::git)?;
        if !paths.is_empty() {
            let branch = name.unwrap_or("of the pull request").to_owned();
            line.unmerged.push(Unmerged {
                commit: target.clone(),
                what: UnmergedWork::Target { branch },
                paths,
            });
        }
    }
    Ok(tip.clone())
}

/// What this job, or the one that it follows up on, did before comes onto the branch as it is by now.
async fn own_work(
    seat: &Seat<'_>,
    mirror: &Mirror,
    place: &BranchLine,
    base: &CommitId,
    line: &mut OnLine,
) -> Result<(), StageError> {
    let trail = seat.state().trail();
    let kept = match &seat.job.spec.follows {
        Some(follows) if trail.is_none_or(|trail| trail.turns == 0) => follows.preserved.clone(),
        Some(_) | None => trail.and_then(|trail| trail.preserved.clone()),
    };
    let Some(kept) = kept else { return Ok(()) };
    if !mirror.has(&kept).await.map_err(trouble::git)? {
        return Ok(());
    }
    let message = format!(
        "Merge the branch of the {} {}\n\nOvernight-Job: {}",
        place.kind.as_str(),
        place.key,
        seat.job.key
    );
    match mirror.merge(base, &kept, &message).await.map_err(trouble::git)? {
        Merge::Contained(outer) => line.own = Some(outer).filter(|outer| outer != base),
        Merge::Clean(made) => line.own = Some(made),
        Merge::Conflicts { paths } => {
            line.unmerged.push(Unmerged { commit: kept, what: UnmergedWork::Own, paths });
        }
    }
    Ok(())
}

/// The tasks whose work was published, by their places.
fn earlier(others: &[Job]) -> Vec<EarlierTask> {
    let mut done: Vec<&Job> = published(others).collect();
    done.sort_by_key(|job| job.spec.line.as_ref().map(|line| line.number));
    done.into_iter().map(|job| EarlierTask { key: key_of(job), title: job.spec.title.clone() }).collect()
}

/// The name of the task where the job carries one out, else that of the job.
pub(super) fn key_of(job: &Job) -> overnight_core::id::TaskKey {
    job.spec.task.as_ref().map_or_else(|| job.key.clone(), |task| task.key.clone())
}

pub(super) fn published(jobs: &[Job]) -> impl Iterator<Item = &Job> {
    let is = |job: &&Job| job.state.end().is_some_and(|end| end.published.is_some());
    jobs.iter().filter(is)
}

/// The job whose conversation is gone on with: the nearest one before, where the line is one conversation. Its session only where
/// the same agent can take it up.
fn before(job: &Job, place: &BranchLine, others: &[Job]) -> Option<Before> {
    let number = |other: &Job| other.spec.line.as_ref().map(|line| line.number).unwrap_or_default();
    let earlier = published(others).filter(|other| place.keep_session && number(other) < place.number);
    let last = earlier.max_by_key(|other| (number(other), other.id.as_str().to_owned()))?;
    let JobState::Ended { trail, .. } = &last.state else { return None };
    let agent = job.spec.agent_of(Who::First);
    let same = Agent::of(agent).is_of(last.spec.agent_of(trail.who))
        && trail.who == Who::First
        && overnight_agents::session_travels(agent.backend);
    Some(Before {
        job: last.id.clone(),
        key: key_of(last),
        session: trail.session.clone().filter(|_| same),
        account: trail.account.clone().filter(|_| same),
    })
}
