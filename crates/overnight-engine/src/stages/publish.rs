//! Publish: the verified commit goes out from the mirror, and a pull request is opened where one was asked for. Both were
//! reserved in the store before; each first asks the other side whether it is done already.

use std::sync::Arc;

use overnight_core::git::{BranchName, CommitId};
use overnight_core::job::{
    Approval, EndReason, Input, JobEvent, JobState, ParkReason, Publication, PullRequestRef, StageOutput,
    Trouble,
};
use overnight_core::policy::preflight::Finding;
use overnight_core::units::Timestamp;
use overnight_forge::body::{self, CommitLine, PullRequestFacts};
use overnight_forge::{Forge, NewPullRequest, PullRequestState};
use overnight_git::{Endpoint, Expected, Mirror, PushOutcome, Remote};

use crate::seat::Seat;
use crate::stages::line_request::{self, Pushed};
use crate::stages::{code, talk};
use crate::trouble::{self, StageError};

/// Commits that a pull request's text lists at most.
const MOST_COMMITS: u32 = 50;

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<Option<StageOutput>, StageError> {
    talk::before_publishing(seat).await?;
    loop {
        let JobState::Publishing { ground, tip, branch, pushed, approval, .. } = seat.state().clone() else {
            return Ok(None);
        };
        if let Approval::Needed { why } = approval {
            // Whatever woke it: it goes on waiting until somebody has agreed.
            let trouble = Trouble::Wait { reason: ParkReason::Approval, wake: None };
            return Err(StageError::Trouble { trouble, detail: why });
        }
        seat.still_wanted().await?;
        if pushed {
            return open_pull_request(seat, &branch, &tip, ground.base_branch).await.map(Some);
        }
        let mirror = code::open_mirror(seat).await?;
        push(seat, &mirror, &branch, &tip).await?;
    }
}

/// Pushes to the reserved name, or finds that name taken. At the end the job has moved either way.
async fn push(
    seat: &mut Seat<'_>,
    mirror: &Mirror,
    branch: &BranchName,
    tip: &CommitId,
) -> Result<(), StageError> {
    let endpoint = endpoint(seat).await?;
    let expected = expected(seat);
    let pushing = Box::pin(mirror.push(&endpoint, branch, tip, &expected));
    let outcome = seat.unless_stopped_for_long(async { pushing.await.map_err(trouble::git) }).await?;
    match outcome {
        PushOutcome::Pushed | PushOutcome::AlreadyThere => {
            let elapsed = seat.stage_began.elapsed();
            seat.input(Input::BranchPushed { elapsed }).await?;
        }
        PushOutcome::Rejected { found: _ } => seat.input(Input::BranchTaken).await?,
        // The name is free, and the push was declined all the same: a lock or a hook on the other side.
        PushOutcome::Declined { said } => {
            let said = overnight_core::text::one_line(&said, 300);
            return Err(trouble::wait_unavailable(format!(
                "the push of {branch} was declined by the other side: {said}"
            )));
        }
    }
    Ok(())
}

/// A branch that others work on too is where the job began; any other is not there yet.
fn expected(seat: &Seat<'_>) -> Expected {
    let begins = seat.state().ground().and_then(|ground| seat.job.spec.expects(ground));
    begins.map_or(Expected::Absent, |commit| Expected::At(commit.clone()))
}

async fn endpoint(seat: &Seat<'_>) -> Result<Endpoint, StageError> {
    match &seat.job.spec.publication {
        Publication::LocalBranch { repository } => Ok(Endpoint::open(Remote::path(repository.as_ref()))),
        Publication::PullRequest { remote, .. } => code::remote_endpoint(seat, remote).await,
        Publication::Document { .. } => Err(trouble::bug("a document is published")),
    }
}

async fn open_pull_request(
    seat: &mut Seat<'_>,
    branch: &BranchName,
    tip: &CommitId,
    base_branch: Option<String>,
) -> Result<StageOutput, StageError> {
    let Publication::PullRequest { remote, draft } = seat.job.spec.publication.clone() else {
        return Err(trouble::bug("a pull request for a local branch"));
    };
    let forge = forge(seat, &remote).await?;
    let base = match base_branch {
        Some(base) => base,
        None => forge.repository().await.map_err(trouble::forge)?.default_branch,
    };
    if let Some(place) = seat.job.spec.line.clone() {
        return line_request::share(seat, &forge, &place, Pushed { branch, tip, base: &base }).await;
    }
    refuse_over(seat, &forge).await?;
    let facts = facts(seat, &base).await?;
    let request = NewPullRequest {
        job: seat.job.id.clone(),
        title: body::title(&seat.job.spec.title),
        body: body::render(&facts),
        head: branch.clone(),
        base,
        tip: tip.clone(),
        draft,
    };
    let opening = forge.open_pull_request(&request);
    let opened = seat.unless_stopped_for_long(async { opening.await.map_err(trouble::forge) }).await?;
    match opened.state {
        PullRequestState::Open | PullRequestState::Merged => {}
        PullRequestState::Closed => {
            let detail = format!("{} was closed by somebody; it is not opened again", opened.url);
            return Err(trouble::end(EndReason::BranchConflict, detail));
        }
    }
    let pull_request = PullRequestRef { number: opened.number, url: opened.url };
    Ok(StageOutput::PullRequest { pull_request, adopted: opened.adopted, open: None })
}

/// What was to go on with a pull request opens no other one when somebody has merged or closed it meanwhile.
async fn refuse_over(seat: &Seat<'_>, forge: &Forge) -> Result<(), StageError> {
    let order = seat.job.spec.follows.as_ref().and_then(|follows| follows.pull.as_ref());
    let Some(number) = order.map(|order| order.number) else { return Ok(()) };
    let looking = forge.pull_request(number);
    let found = seat.unless_stopped(async { looking.await.map_err(trouble::forge) }).await?;
    let what = match found.state {
        PullRequestState::Open => return Ok(()),
        PullRequestState::Closed => "closed",
        PullRequestState::Merged => "merged",
    };
    let detail = format!("{} was {what} while this was worked on; its branch has the work", found.url);
    Err(trouble::end(EndReason::BranchConflict, detail))
}

async fn forge(seat: &Seat<'_>, remote: &str) -> Result<Arc<Forge>, StageError> {
    code::connect(seat.engine.forges(), seat.engine.host(), remote).await
}

async fn facts(seat: &mut Seat<'_>, base_branch: &str) -> Result<PullRequestFacts, StageError> {
    let mirror = code::open_mirror(seat).await?;
    let JobState::Publishing { trail, pairs, ground, tip, diff, .. } = seat.state() else {
        return Err(trouble::bug("publish outside its state"));
    };
    let commits = mirror.log(&ground.base, tip, MOST_COMMITS).await.map_err(trouble::git)?;
    let history = seat.history().await?;
    let started =
        history.iter().find(|(_, event)| matches!(event, JobEvent::Claimed { .. })).map(|(at, _)| *at);
    let now = seat.engine.store().now().await?;
    let agent = seat.job.spec.agent_of(trail.who);
    let model = agent.model.as_deref().map(|model| format!(", {model}")).unwrap_or_default();
    let tokens = trail.used.counted_tokens();
    Ok(PullRequestFacts {
        job: seat.job.id.clone(),
        task: seat.job.key.clone(),
        asked: seat.job.spec.prompt.clone(),
        base_branch: base_branch.to_owned(),
        base: ground.base.clone(),
        tip: tip.clone(),
        commits: commits.into_iter().rev().map(|(id, subject)| CommitLine { id, subject }).collect(),
        diff: *diff,
        checks: pairs.clone(),
        check_source: ground.check_source,
        agent: format!("{}{model}", agent.name()),
        attempts: trail.attempt,
        elapsed: started.map(|at| now.since(at)).unwrap_or_default(),
        tokens: (tokens > 0).then_some(tokens),
        cost: trail.used.cost.filter(|_| !trail.cost_unknown),
        final_text: trail.final_text.clone(),
        found: found(&history, tip),
        approved: approved(&history, tip),
        link_hosts: Vec::new(),
    })
}

/// What was found in the commit that goes out: a reviewer should know it too.
fn found(history: &[(Timestamp, JobEvent)], tip: &CommitId) -> Vec<String> {
    let last = history.iter().rev().find_map(|(_, event)| match event {
        JobEvent::Inspected { commit, inspection } if commit == tip => Some(inspection),
        _ => None,
    });
    let told = |finding: &Finding| match &finding.excused {
        Some(id) => format!("{}, under exception {id}", finding.line_of_text()),
        None => finding.line_of_text(),
    };
    last.map(|inspection| inspection.findings.iter().map(told).collect()).unwrap_or_default()
}

/// Who agreed to it.
fn approved(history: &[(Timestamp, JobEvent)], tip: &CommitId) -> Option<String> {
    history.iter().rev().find_map(|(_, event)| match event {
        JobEvent::Approved { by, commit, message } if commit == tip => {
            Some(message.as_ref().map_or_else(|| by.clone(), |message| format!("{by}: {message}")))
        }
        _ => None,
    })
}
