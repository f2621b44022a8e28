//! Prepare: the mirror has the base commit, the checks are known, and the agent's private clone stands at the base.

use overnight_core::git::CommitId;
use overnight_core::job::{Base, Ground, JobState, Notice, OnLine, StageOutput};
use overnight_git::{Mirror, Wanted};

use crate::seat::Seat;
use crate::stages::{code, ground, line};
use crate::trouble::{self, StageError};

pub(crate) async fn run(seat: &mut Seat<'_>) -> Result<StageOutput, StageError> {
    let JobState::Preparing { .. } = seat.state() else {
        return Err(trouble::bug("prepare outside its state"));
    };
    settings(seat).await?;
    make_directories(seat).await?;
    let mirror = code::open_mirror(seat).await?;
    let (target, base_branch) = base(seat, &mirror).await?;
    // The branch of a line holds what agents wrote: it does not say how they are judged.
    let (check_source, checks) = ground::checks(&seat.job.spec.verify, &mirror, &target).await?;
    for notice in left_out(&mirror, &target).await? {
        seat.notice(notice).await?;
    }
    let endpoint = code::remote_endpoint(seat, seat.job.spec.remote()).await?;
    let start = line::look(seat, &mirror, &endpoint, (&target, base_branch.as_deref())).await?;
    let (base, on_line) = match start {
        Some(start) => (start.base, Some(Box::new(start.line))),
        None => {
            let beside =
                line::catching_up(seat, &mirror, &endpoint, (&target, base_branch.as_deref())).await?;
            (target, beside.map(Box::new))
        }
    };
    code::make_workspace(seat, &mirror, &begin(seat, &base, on_line.as_deref())).await?;
    let ground = Ground { base, base_branch, check_source, checks, line: on_line };
    let rejoined = line::rejoined(seat, &mirror, &ground).await?;
    Ok(rejoined.unwrap_or(StageOutput::Prepared { ground }))
}

/// The commit that the agent's workspace is made on: its own earlier work, where there is some that stands on the base.
fn begin(seat: &Seat<'_>, base: &CommitId, on_line: Option<&OnLine>) -> CommitId {
    let own = match on_line {
        Some(line) if seat.job.spec.line.is_some() => line.own.clone(),
        Some(_) | None => seat.job.spec.follows.as_ref().and_then(|follows| follows.preserved.clone()),
    };
    own.unwrap_or_else(|| base.clone())
}

/// The settings that hold from now on. Before the first turn the configuration of this worker may still change what nobody
/// asked for.
async fn settings(seat: &mut Seat<'_>) -> Result<(), StageError> {
    let begun = seat.state().trail().is_some_and(|trail| trail.turns > 0);
    if begun || seat.job.spec.choice.frozen {
        return Ok(());
    }
    match seat.engine.configure().configure(&seat.job) {
        Ok(None) => Ok(()),
        Ok(Some(settings)) => Ok(seat.configured(settings).await?),
        Err(why) => Err(trouble::config(why)),
    }
}

async fn make_directories(seat: &Seat<'_>) -> Result<(), StageError> {
    let dirs = [seat.dirs.log(), seat.dirs.tmp(), seat.dirs.out()];
    trouble::blocking(move || dirs.iter().try_for_each(|dir| trouble::private_dir(dir)))
        .await?
        .map_err(trouble::io)
}

async fn base(seat: &Seat<'_>, mirror: &Mirror) -> Result<(CommitId, Option<String>), StageError> {
    let spec = &seat.job.spec;
    seat.waiting("fetching");
    let (source, wanted, branch) = match &spec.base {
        Base::Commit { commit, branch } => {
            (spec.source.as_str(), Wanted::Commit(commit.clone()), branch.clone())
        }
        Base::RemoteDefault => (spec.remote(), Wanted::DefaultBranch, None),
        Base::RemoteBranch { branch } => (spec.remote(), Wanted::Branch(branch.clone()), None),
    };
    let endpoint = code::remote_endpoint(seat, source).await?;
    let fetching = mirror.fetch_commit(&endpoint, &wanted);
    let fetched = seat.unless_stopped(async { fetching.await.map_err(trouble::git) }).await?;
    // A follow-up begins on the branch of the job before it, whose target stays what it was.
    let target = spec.follows.as_ref().and_then(|follows| follows.base_branch.clone());
    Ok((fetched.commit, target.or(fetched.branch).or(branch)))
}

/// What a plain clone does not bring: said, because a check may stumble over it.
async fn left_out(mirror: &Mirror, base: &CommitId) -> Result<Vec<Notice>, StageError> {
    let mut notices = Vec::new();
    let root = mirror.list_root(base).await.map_err(trouble::git)?;
    if root.iter().any(|name| name == b".gitmodules") {
        notices.push(Notice::SubmodulesNotFetched);
    }
    if root.iter().any(|name| name == b".gitattributes") {
        let attributes = mirror.read_file(base, b".gitattributes", 1 << 20).await.map_err(trouble::git)?;
        if attributes.is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains("filter=lfs")) {
            notices.push(Notice::LfsPointersNotFetched);
        }
    }
    Ok(notices)
}
