//! The steps of a cascade that change something on a forge. Each asks first, so that doing it again changes nothing.

use overnight_core::backlog::PullState;
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::EventNumber;
use overnight_core::job::{JobEvent, PullRequestRef};
use overnight_core::policy::cascade::{CascadeOutcome, CascadeResult, CascadeStep, Scope};
use overnight_forge::body::{self, CascadeCause};
use overnight_forge::{
    BranchRemoval, Forge, NewComment, NewPullRequest, PullRequest, PullRequestState, Thread, WhyKept,
};
use overnight_git::{
    Class, Endpoint, Expected, LockWait, Mirror, PushOutcome, Revert, RevertOrder, Reverted, Wanted,
};

use super::code;
use crate::cascade::{Work, cause};
use crate::seat::Seat;
use crate::trouble::{self, StageError};

/// What our comments of a cascade are known by.
const TOPIC: &str = "cascade";
/// Paths of a conflict that are named.
const PATHS: usize = 5;

pub(super) enum Outcome {
    Told(CascadeResult),
    /// The pull request was merged before it could be closed.
    Merged(CascadeResult),
}

pub(super) async fn perform(
    seat: &mut Seat<'_>,
    scope: &Scope,
    work: &Work,
    step: &CascadeStep,
) -> Result<Outcome, StageError> {
    let why = match seat.state().end() {
        Some(end) => cause(&seat.job, end, &scope.epic),
        None => return Err(trouble::bug("a cascade of a job that has no end")),
    };
    let forge = code::connect(seat.engine.forges(), seat.engine.host(), &work.fact.remote).await?;
    match step {
        // Of the store, and done before anything here.
        CascadeStep::CancelJob { .. } => Err(trouble::bug("a cancel among the steps on a forge")),
        CascadeStep::ClosePullRequest { pull_request, .. } => {
            close(seat, &forge, work, (pull_request, &why)).await
        }
        CascadeStep::OpenRevert { branch, .. } => {
            revert(seat, &forge, work, (branch, &why)).await.map(Outcome::Told)
        }
        CascadeStep::DeleteBranch { branch, .. } => {
            delete(seat, &forge, work, branch).await.map(Outcome::Told)
        }
    }
}

async fn close(
    seat: &Seat<'_>,
    forge: &Forge,
    work: &Work,
    (pull, why): (&PullRequestRef, &CascadeCause),
) -> Result<Outcome, StageError> {
    let comment =
        NewComment { job: why.job.clone(), topic: TOPIC.to_owned(), text: body::cascade_comment(why) };
    let closing = async {
        forge.comment(Thread::PullRequest(pull.number), &comment).await.map_err(trouble::forge)?;
        forge.close_pull_request(pull.number).await.map_err(trouble::forge)
    };
    let found = seat.unless_stopped_for_long(closing).await?;
    note(seat, work, &found).await?;
    let detail = match found.state {
        PullRequestState::Closed => "it is closed, and a comment says why",
        PullRequestState::Merged => {
            let result = CascadeResult::new(CascadeOutcome::AlreadySo, "somebody has merged it meanwhile");
            return Ok(Outcome::Merged(result));
        }
        PullRequestState::Open => {
            return Err(trouble::wait_unavailable(format!("{} is still open", pull.url)));
        }
    };
    Ok(Outcome::Told(CascadeResult::new(CascadeOutcome::Done, detail)))
}

/// The backlog sees at once what became of the pull request.
async fn note(seat: &Seat<'_>, work: &Work, found: &PullRequest) -> Result<(), StageError> {
    let state = match found.state {
        PullRequestState::Open => PullState::Open,
        PullRequestState::Closed => PullState::Closed,
        PullRequestState::Merged => PullState::Merged,
    };
    let now = seat.until(|| seat.engine.store().now()).await?;
    for job in &work.jobs {
        let seen = overnight_store::PullRequest {
            repository: job.repository.clone(),
            number: i64::try_from(found.number).unwrap_or(i64::MAX),
            url: found.url.clone(),
            branch: work.fact.branch.to_string(),
            job: job.id.clone(),
            state,
            updated_at: now,
        };
        if let Err(error) = seat.engine.store().pull_request_put(&seen).await {
            // It is a view only; whoever looks at the forge next puts it right.
            tracing::warn!(job.id = %job.id, %error, "what became of a pull request could not be written down");
        }
    }
    Ok(())
}

async fn delete(
    seat: &Seat<'_>,
    forge: &Forge,
    work: &Work,
    branch: &BranchName,
) -> Result<CascadeResult, StageError> {
    let base = work.pull.as_ref().map(|pull| pull.base.as_str());
    let removing = async { forge.remove_branch(branch, base).await.map_err(trouble::forge) };
    Ok(match seat.unless_stopped_for_long(removing).await? {
        BranchRemoval::Removed { tip } => {
            let detail = format!("it was at {}, which its target holds", tip.short());
            CascadeResult::new(CascadeOutcome::Done, detail)
        }
        BranchRemoval::Gone => CascadeResult::new(CascadeOutcome::AlreadySo, "it is gone"),
        BranchRemoval::Kept(why) => CascadeResult::new(CascadeOutcome::Left, kept(&why)),
    })
}

fn kept(why: &WhyKept) -> String {
    match why {
        WhyKept::IsBase => "it is what others are merged into".to_owned(),
        WhyKept::NotContained { commits } => format!("{commits} of its commits are on no other branch"),
        WhyKept::Forbidden { why } => format!("the forge does not let it be deleted: {why}"),
    }
}

async fn revert(
    seat: &mut Seat<'_>,
    forge: &Forge,
    work: &Work,
    (branch, why): (&BranchName, &CascadeCause),
) -> Result<CascadeResult, StageError> {
    let Some(pull) = &work.pull else { return Err(trouble::bug("a revert of no pull request")) };
    let endpoint = code::remote_endpoint(seat, &work.fact.remote).await?;
    let mirror = mirror(seat, &endpoint).await?;
    let target = Wanted::Branch(pull.base.clone());
    let fetching = mirror.fetch_commit(&endpoint, &target);
    let tip = seat.unless_stopped(async { fetching.await.map_err(trouble::git) }).await?.commit;
    let Some(merged) = merged(&mirror, pull, &tip).await? else {
        let left = CascadeResult::new(CascadeOutcome::Left, "the forge does not say which commit merged it");
        return Ok(left.by_hand(by_hand(pull, branch, None)));
    };
    let made = match made(seat, &mirror, &endpoint, (work, pull, &tip, &merged)).await? {
        Revert::Clean(made) => made,
        Revert::Nothing => {
            let detail = format!("{} is not on {} any more, or undone already", merged.short(), pull.base);
            return Ok(CascadeResult::new(CascadeOutcome::AlreadySo, detail));
        }
        Revert::Conflicts { paths, what } => {
            let named: Vec<&str> = paths.iter().take(PATHS).map(String::as_str).collect();
            let detail =
                format!("later work changed the same, so a person has to decide: {}", named.join(", "));
            let left = CascadeResult::new(CascadeOutcome::Left, detail);
            return Ok(left.by_hand(by_hand(pull, branch, Some(&what))));
        }
        Revert::Unclear { why } => {
            let detail = format!("which commits were merged cannot be told for certain: {why}");
            let left = CascadeResult::new(CascadeOutcome::Left, detail);
            return Ok(left.by_hand(by_hand(pull, branch, None)));
        }
    };
    propose(seat, forge, (&mirror, &endpoint), Proposal { pull, branch, why, merged: &merged, made }).await
}

/// The mirror of the repository that the work is in, which need not be that of the job that failed.
async fn mirror(seat: &mut Seat<'_>, endpoint: &Endpoint) -> Result<Mirror, StageError> {
    let wait = LockWait::silent(seat.engine.settings().git_timeout);
    let opening = seat.engine.mirrors().open_or_create(endpoint, &wait);
    let mirror = seat.unless_stopped(async { opening.await.map_err(trouble::git) }).await?;
    // Known to whoever puts a damaged one aside.
    seat.mirror = Some(mirror.clone());
    Ok(mirror)
}

/// The commit that merging has made: as the forge says, or the pull request's own head where the branch was only moved forward.
async fn merged(mirror: &Mirror, pull: &PullRequest, tip: &CommitId) -> Result<Option<CommitId>, StageError> {
    if let Some(merged) = &pull.merge_commit {
        return Ok(Some(merged.clone()));
    }
    let Some(head) = &pull.tip else { return Ok(None) };
    let inside = mirror.has(head).await.map_err(trouble::git)?
        && mirror.is_ancestor(head, tip).await.map_err(trouble::git)?;
    Ok(inside.then(|| head.clone()))
}

async fn made(
    seat: &Seat<'_>,
    mirror: &Mirror,
    endpoint: &Endpoint,
    (work, pull, tip, merged): (&Work, &PullRequest, &CommitId, &CommitId),
) -> Result<Revert, StageError> {
    if !mirror.has(merged).await.map_err(trouble::git)? {
        return Ok(Revert::Nothing);
    }
    if let Some(head) = &pull.tip
        && !mirror.has(head).await.map_err(trouble::git)?
        && let Err(error) = mirror.fetch_commit(endpoint, &Wanted::Commit(head.clone())).await
        && error.class() == Class::Transient
    {
        return Err(trouble::git(error));
    }
    let author = code::identity(&seat.job.spec.author);
    let base = begun_on(seat, work).await?;
    let order = RevertOrder {
        tip,
        merged,
        head: pull.tip.as_ref(),
        base: base.as_ref(),
        author: &author,
        title: &pull.title,
    };
    mirror.revert(&order).await.map_err(trouble::git)
}

/// What the first of the jobs began on.
async fn begun_on(seat: &Seat<'_>, work: &Work) -> Result<Option<CommitId>, StageError> {
    let Some(first) = work.jobs.first() else { return Ok(None) };
    let events = seat.until(|| seat.engine.store().events(&first.id, EventNumber(0), u32::MAX)).await?;
    Ok(events.into_iter().find_map(|record| {
        if let Ok(JobEvent::Grounded { base, .. }) = record.event { Some(base) } else { None }
    }))
}

struct Proposal<'a> {
    pull: &'a PullRequest,
    branch: &'a BranchName,
    why: &'a CascadeCause,
    merged: &'a CommitId,
    made: CommitId,
}

async fn propose(
    seat: &Seat<'_>,
    forge: &Forge,
    (mirror, endpoint): (&Mirror, &Endpoint),
    proposal: Proposal<'_>,
) -> Result<CascadeResult, StageError> {
    let Proposal { pull, branch, why, merged, made } = proposal;
    let pushing = Box::pin(mirror.push(endpoint, branch, &made, &Expected::Absent));
    let pushed = seat.unless_stopped_for_long(async { pushing.await.map_err(trouble::git) }).await?;
    let tip = match pushed {
        PushOutcome::Pushed | PushOutcome::AlreadyThere => made,
        // Pushed by an earlier try, or by another cascade, while the branch below it was somewhere else.
        PushOutcome::Rejected { .. } => match ours(mirror, endpoint, branch, merged).await? {
            Some(found) => found,
            None => {
                let detail = format!("there is a branch {branch} that no cascade has made");
                let left = CascadeResult::new(CascadeOutcome::Left, detail);
                return Ok(left.by_hand(format!("git push --delete origin {branch}, or revert it by hand")));
            }
        },
        PushOutcome::Declined { said } => {
            let said = overnight_core::text::one_line(&said, 300);
            return Err(trouble::wait_unavailable(format!("the push of {branch} was declined: {said}")));
        }
    };
    let request = NewPullRequest {
        job: why.job.clone(),
        title: body::revert_title(&pull.title),
        body: body::revert_body(why, &pull.url),
        head: branch.clone(),
        base: pull.base.clone(),
        tip,
        draft: true,
    };
    let opening = async { forge.open_pull_request(&request).await.map_err(trouble::forge) };
    let opened = seat.unless_stopped_for_long(opening).await?;
    let outcome = if opened.adopted { CascadeOutcome::AlreadySo } else { CascadeOutcome::Done };
    let mut result = CascadeResult::new(outcome, format!("{} proposes it, as a draft", opened.url));
    result.pull_request = Some(reference(&opened));
    Ok(result)
}

/// Where the branch is, if that is a revert of the same that one of us has made.
async fn ours(
    mirror: &Mirror,
    endpoint: &Endpoint,
    branch: &BranchName,
    merged: &CommitId,
) -> Result<Option<CommitId>, StageError> {
    let Some(found) = mirror.fetch_branch(endpoint, branch).await.map_err(trouble::git)? else {
        return Err(trouble::wait_unavailable(format!(
            "{branch} was there a moment ago, and is not any more"
        )));
    };
    let ours = mirror.is_revert_of(&found, merged).await.map_err(trouble::git)?;
    Ok(ours.then_some(found))
}

pub(super) fn reference(pull: &PullRequest) -> PullRequestRef {
    PullRequestRef { number: pull.number, url: pull.url.clone() }
}

/// The same for a person, in a clone of the repository.
fn by_hand(pull: &PullRequest, branch: &BranchName, what: Option<&Reverted>) -> String {
    let base = quoted(&format!("origin/{}", pull.base));
    match what {
        Some(what) => {
            format!("git fetch origin && git switch -c {branch} {base} && git revert {}", what.arguments())
        }
        None => format!(
            "git fetch origin && git log --first-parent {base}, then git revert what {} brought",
            pull.url
        ),
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
