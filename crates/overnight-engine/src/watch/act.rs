//! What is done about a pull request. Each act can be repeated: a job is known by its cause and round, a comment by its topic, and the rest
//! the forge itself refuses to do twice.

use overnight_core::agent::Agent;
use overnight_core::backlog::PullState;
use overnight_core::follow::{Wanted, follow_up, left_something};
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::EventNumber;
use overnight_core::job::{CancelledBy, Job, JobEvent, JobSpec, JobState, Queueing};
use overnight_core::watch::{
    Act, Cause, Decision, Memory, MergeStyle, PersonNeeded, PullNews, PullOrder, Running, message, not_merged,
};
use overnight_forge::{BranchRemoval, MergeAnswer, MergeMethod, MergeOrder, NewComment, Thread, body};
use overnight_store::{LookEnd, NewJob, StoreError};

use super::LookError;
use super::look::{Scene, short};
use crate::random;
use crate::trouble;

pub(super) async fn act(scene: Scene<'_>, decision: Decision) -> Result<(), LookError> {
    let Decision { act, memory, pause } = decision;
    let mut end = LookEnd { state: scene.sight.state, memory, pause, news: Vec::new() };
    if scene.watched.state == PullState::Closed && end.state == PullState::Open {
        end.news.push(PullNews::Reopened);
    }
    match act {
        Act::Nothing => {}
        Act::Over => over(&scene, &mut end).await?,
        Act::Continue { cause, round } => go_on(&scene, &mut end, cause, round).await?,
        Act::AskPerson(person) => ask(&scene, &mut end, &person).await,
        Act::MarkReady => {
            scene.connection.forge.set_draft(scene.watched.number, false).await?;
            end.memory.draft = false;
            end.news.push(PullNews::MarkedReady);
        }
        Act::Merge { head } => merge(&scene, &mut end, head).await?,
    }
    if !scene.engine.store().look_end(scene.watched, &end).await? {
        tracing::debug!(pull_request = %scene.watched.url, "what was seen of it is old already");
    }
    Ok(())
}

async fn over(scene: &Scene<'_>, end: &mut LookEnd) -> Result<(), LookError> {
    // Whatever still works on it works for nothing.
    if let Some(running) = &scene.watched.memory.running {
        match scene.engine.store().cancel_request(&running.job, CancelledBy::Command).await {
            Ok(_) | Err(StoreError::UnknownJob { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if scene.watched.state == end.state {
        return Ok(());
    }
    match end.state {
        PullState::Merged => {
            end.news.push(PullNews::Merged { by_us: false });
            sweep(scene, end).await;
        }
        PullState::Closed => end.news.push(PullNews::Closed),
        PullState::Open => {}
    }
    Ok(())
}

/// Takes the branch of a merged pull request away, where that was asked for and everything of it is in its target.
async fn sweep(scene: &Scene<'_>, end: &mut LookEnd) {
    let Some(branch) =
        scene.policy.delete_branch.then(|| BranchName::parse(&scene.watched.branch).ok()).flatten()
    else {
        return;
    };
    match scene.connection.forge.remove_branch(&branch, Some(&scene.sight.target)).await {
        Ok(BranchRemoval::Removed { .. }) => end.news.push(PullNews::BranchRemoved),
        Ok(BranchRemoval::Gone | BranchRemoval::Kept(_)) => {}
        Err(error) => {
            tracing::warn!(why = %trouble::chain(&error), %branch, "the branch of a merged pull request stays");
        }
    }
}

/// Writes down that a person is needed, and tells them on the pull request, once.
async fn ask(scene: &Scene<'_>, end: &mut LookEnd, person: &PersonNeeded) {
    let key = &scene.job.key;
    let text = format!(
        "Overnight does nothing more about this by itself: {}.\n\nIt was looking at {}. To let it go on: `overnight continue {key} -m \"…\"`, \
         or push to the branch.",
        body::defuse(&person.why),
        short(person.head.as_ref()),
    );
    let topic = format!("person-{}-{}", person.about.as_str(), short(person.head.as_ref()));
    let new = NewComment { job: scene.job.id.clone(), topic, text };
    if let Err(error) = scene.connection.forge.comment(Thread::PullRequest(scene.watched.number), &new).await
    {
        tracing::warn!(why = %trouble::chain(&error), pull_request = %scene.watched.url, "a comment could not be written");
    }
    end.news.push(PullNews::PersonNeeded { about: person.about, why: person.why.clone() });
}

async fn merge(scene: &Scene<'_>, end: &mut LookEnd, head: CommitId) -> Result<(), LookError> {
    let method = match scene.policy.method {
        MergeStyle::Squash => MergeMethod::Squash,
        MergeStyle::Merge => MergeMethod::Merge,
        MergeStyle::Rebase => MergeMethod::Rebase,
    };
    let order = MergeOrder { head, method, title: None, message: None };
    let by_us = match scene.connection.forge.merge(scene.watched.number, &order).await? {
        MergeAnswer::Merged { .. } => true,
        MergeAnswer::AlreadyMerged { .. } => false,
        // What was seen a moment ago is not so any more: the next look decides anew.
        MergeAnswer::HeadMoved { .. }
        | MergeAnswer::Conflict
        | MergeAnswer::ChecksPending { .. }
        | MergeAnswer::ChecksFailed { .. } => {
            end.pause = Some(scene.policy.first);
            return Ok(());
        }
        MergeAnswer::NotAllowed { why } => {
            let why = format!("the forge does not merge it: {}", overnight_core::text::one_line(&why, 300));
            let (memory, person) = not_merged(end.memory.clone(), why, scene.sight.now);
            end.memory = memory;
            ask(scene, end, &person).await;
            return Ok(());
        }
    };
    (end.state, end.pause) = (PullState::Merged, None);
    end.news.push(PullNews::Merged { by_us });
    sweep(scene, end).await;
    Ok(())
}

/// Makes the job that goes on, or finds the one that was made before this runner was killed.
async fn go_on(scene: &Scene<'_>, end: &mut LookEnd, cause: Cause, round: u32) -> Result<(), LookError> {
    let order = PullOrder { number: scene.watched.number, cause, read_to: end.memory.read_to.clone() };
    let new = order_of(scene, order, round).await?;
    let job = match scene.engine.store().job_enqueue(&new).await {
        Err(StoreError::RequestReused { key, .. }) => {
            let found = scene.engine.store().job_find(key.as_str()).await;
            found.map_err(|error| LookError::Other(error.to_string()))?
        }
        made => made?,
    };
    remember(&mut end.memory, &job, cause);
    end.news.push(PullNews::Continued { cause, key: job.key });
    Ok(())
}

/// What was said counts as told as far as the job was told it, which is not what was seen now if the job was there already.
fn remember(memory: &mut Memory, job: &Job, cause: Cause) {
    if let Some(order) = job.spec.follows.as_ref().and_then(|follows| follows.pull.as_ref()) {
        memory.read_to.clone_from(&order.read_to);
    }
    memory.running = Some(Running { job: job.id.clone(), key: job.key.clone(), cause });
}

async fn order_of(scene: &Scene<'_>, order: PullOrder, round: u32) -> Result<NewJob, LookError> {
    let old = &scene.job;
    let JobState::Ended { trail, end } = &old.state else {
        return Err(LookError::Other(format!("{} has not ended", old.key)));
    };
    if !left_something(trail, end) {
        return Err(LookError::Other(format!("{} left nothing to go on with", old.key)));
    }
    let records = scene.engine.store().events(&old.id, EventNumber(0), u32::MAX).await?;
    let history: Vec<JobEvent> = records.into_iter().filter_map(|record| record.event.ok()).collect();
    let nonce = random::word();
    let spec = again(&old.spec, order.cause);
    let agent = spec.agent_of(trail.who);
    let keeps_session = Agent::of(agent).is_of(old.spec.agent_of(trail.who))
        && overnight_agents::session_travels(agent.backend);
    let request =
        format!("pull {} {} {} {round}", old.repository, scene.watched.number, order.cause.as_str());
    let wanted =
        Wanted { message: message(order.cause, &scene.sight, &nonce), keeps_session, pull: Some(order) };
    let spec = follow_up(spec, old, (trail, end), &history, wanted);
    let queueing = Queueing { not_before: None, ..old.queueing.clone() };
    Ok(NewJob { queueing, request: Some(request), ..NewJob::new(old.repository.clone(), spec) })
}

/// The order again. What only a configuration decided is decided anew by the worker that claims it.
fn again(old: &JobSpec, cause: Cause) -> JobSpec {
    const TITLES: [(Cause, &str); 3] =
        [(Cause::Ci, "Checks: "), (Cause::Review, "Review: "), (Cause::Conflict, "Conflict: ")];
    let mut spec = old.clone();
    spec.choice.frozen = false;
    let plain = TITLES.iter().find_map(|(_, word)| old.title.strip_prefix(word)).unwrap_or(&old.title);
    let word = TITLES.iter().find(|(of, _)| *of == cause).map(|(_, word)| *word).unwrap_or_default();
    spec.title = format!("{word}{plain}");
    spec
}
