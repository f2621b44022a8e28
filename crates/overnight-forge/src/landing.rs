//! How a pull request is merged: exactly the commit that was judged, once, and what stood against it told apart.
//!
//! Owns no state. Forges refuse with one status for many reasons, so after a refusal the pull request and its checks are
//! looked at, and what is found there is the answer.

use overnight_core::git::CommitId;

use crate::address::ForgeKind;
use crate::checks::Checks;
use crate::client::Forge;
use crate::error::ForgeError;
use crate::merge::{MergeAnswer, MergeOrder, Mergeability};
use crate::request::{Found, PullRequestState};
use crate::retry::Budget;

pub(crate) async fn merge(forge: &Forge, number: u64, order: &MergeOrder) -> Result<MergeAnswer, ForgeError> {
    let mut budget = forge.budget();
    let mut found = forge.get(number, &mut budget).await?;
    loop {
        if let Some(answer) = settled(&found, order) {
            return Ok(answer);
        }
        let error = match forge.merge_once(number, order, &mut budget).await {
            Ok(commit) => {
                let commit = commit.and_then(|id| CommitId::parse(&id).ok());
                return Ok(MergeAnswer::Merged {
                    commit: merged_as(forge, number, commit, &mut budget).await,
                });
            }
            Err(error) => error,
        };
        match &error {
            // It let us look a moment ago: GitLab's 401 is about merging, not about the token.
            ForgeError::Auth { message, .. } if forge.address().kind() == ForgeKind::GitLab => {
                return Ok(MergeAnswer::NotAllowed { why: message.clone() });
            }
            ForgeError::Permission { message, .. } => {
                return Ok(MergeAnswer::NotAllowed { why: message.clone() });
            }
            ForgeError::Refused { message, .. }
            | ForgeError::Conflict { message, .. }
            | ForgeError::Validation { message, .. } => {
                let why = message.clone();
                found = forge.get(number, &mut budget).await?;
                if let Some(answer) = explained(forge, &found, order, why, &mut budget).await? {
                    return Ok(answer);
                }
            }
            _ if error.leaves_doubt() => {
                // Lost answers: what it came to is looked up, before and after the pause.
                found = forge.get(number, &mut budget).await?;
                if settled(&found, order).is_some() {
                    continue;
                }
            }
            _ => {}
        }
        if !budget.pause_after_or_for_forge(&error).await {
            return refused_for_good(error);
        }
        found = forge.get(number, &mut budget).await?;
    }
}

/// The forge refused to the end without anything that explains it.
fn refused_for_good(error: ForgeError) -> Result<MergeAnswer, ForgeError> {
    match error {
        ForgeError::Refused { message, .. }
        | ForgeError::Conflict { message, .. }
        | ForgeError::Validation { message, .. } => Ok(MergeAnswer::NotAllowed { why: message }),
        other => Err(other),
    }
}

/// What needs no request any more.
fn settled(found: &Found, order: &MergeOrder) -> Option<MergeAnswer> {
    match found.state {
        PullRequestState::Merged => {
            let commit = found.merge_commit.as_deref().and_then(|id| CommitId::parse(id).ok());
            Some(MergeAnswer::AlreadyMerged { commit })
        }
        PullRequestState::Closed => {
            Some(MergeAnswer::NotAllowed { why: "the pull request is closed".to_owned() })
        }
        PullRequestState::Open if found.head_commit != order.head.as_str() => {
            Some(MergeAnswer::HeadMoved { now: CommitId::parse(&found.head_commit).ok() })
        }
        PullRequestState::Open if found.draft => {
            Some(MergeAnswer::NotAllowed { why: "the pull request is a draft".to_owned() })
        }
        PullRequestState::Open => None,
    }
}

/// Why it was refused. `None` when the forge is still finding out whether it can be merged, so that asking again helps.
async fn explained(
    forge: &Forge,
    found: &Found,
    order: &MergeOrder,
    why: String,
    budget: &mut Budget<'_>,
) -> Result<Option<MergeAnswer>, ForgeError> {
    if let Some(answer) = settled(found, order) {
        return Ok(Some(answer));
    }
    match (found.fit.mergeability, found.fit.settled) {
        (Mergeability::Conflict, true) => return Ok(Some(MergeAnswer::Conflict)),
        (Mergeability::Conflict, false) if budget.is_spent() => return Ok(Some(MergeAnswer::Conflict)),
        _ => {}
    }
    Ok(match forge.checks_within(&order.head, budget).await? {
        Checks::Failure { failing, .. } => {
            Some(MergeAnswer::ChecksFailed { failing: failing.into_iter().map(|check| check.name).collect() })
        }
        Checks::Pending { waiting } => Some(MergeAnswer::ChecksPending { waiting }),
        Checks::None | Checks::Success { .. } if found.fit.settled => Some(MergeAnswer::NotAllowed { why }),
        Checks::None | Checks::Success { .. } => None,
    })
}

/// The commit that merging made, where the answer did not say. Merged it is in any case.
async fn merged_as(
    forge: &Forge,
    number: u64,
    told: Option<CommitId>,
    budget: &mut Budget<'_>,
) -> Option<CommitId> {
    match told {
        Some(commit) => Some(commit),
        None => CommitId::parse(&forge.get(number, budget).await.ok()?.merge_commit?).ok(),
    }
}
