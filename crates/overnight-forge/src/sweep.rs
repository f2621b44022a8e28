//! Taking away a branch whose work is safe elsewhere.
//!
//! Owns no state.

use overnight_core::git::{BranchName, CommitId};

use crate::client::Forge;
use crate::error::{ForgeError, Operation};
use crate::retry::Budget;

/// What became of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchRemoval {
    Removed {
        tip: CommitId,
    },
    /// There is none of that name.
    Gone,
    Kept(WhyKept),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyKept {
    /// It is the default branch, or the base itself.
    IsBase,
    /// Commits that are in no other place we know of.
    NotContained { commits: u64 },
    /// A rule of the forge, or a right that we lack.
    Forbidden { why: String },
}

/// Where a branch is, and whether its work is in another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchSight {
    Gone,
    /// It is the default branch, or the base itself.
    IsBase,
    Contained {
        tip: CommitId,
    },
    /// So many of its commits are not in the base.
    Ahead {
        tip: CommitId,
        commits: u64,
    },
}

pub(crate) async fn look(
    forge: &Forge,
    branch: &BranchName,
    base: Option<&str>,
    budget: &mut Budget<'_>,
) -> Result<BranchSight, ForgeError> {
    let default = forge.repository_within(budget).await?.default_branch;
    let base = base.unwrap_or(&default);
    if branch.as_str() == default || branch.as_str() == base {
        return Ok(BranchSight::IsBase);
    }
    let Some(tip) = forge.branch_tip(branch.as_str(), budget).await? else {
        return Ok(BranchSight::Gone);
    };
    let Ok(tip) = CommitId::parse(&tip) else {
        return Err(forge.unexpected(Operation::CompareBranches, "a branch's commit is no commit id"));
    };
    let commits = forge.missing_from(base, &tip, budget).await?;
    Ok(if commits > 0 { BranchSight::Ahead { tip, commits } } else { BranchSight::Contained { tip } })
}

pub(crate) async fn remove(
    forge: &Forge,
    branch: &BranchName,
    base: Option<&str>,
) -> Result<BranchRemoval, ForgeError> {
    let mut budget = forge.budget();
    let tip = match look(forge, branch, base, &mut budget).await? {
        BranchSight::Gone => return Ok(BranchRemoval::Gone),
        BranchSight::IsBase => return Ok(BranchRemoval::Kept(WhyKept::IsBase)),
        BranchSight::Ahead { commits, .. } => {
            return Ok(BranchRemoval::Kept(WhyKept::NotContained { commits }));
        }
        BranchSight::Contained { tip } => tip,
    };
    match forge.drop_branch(branch.as_str(), &mut budget).await {
        Ok(()) => Ok(BranchRemoval::Removed { tip }),
        Err(ForgeError::NotFound { .. }) => Ok(BranchRemoval::Gone),
        Err(error) => {
            // GitHub's word for "gone" and for "forbidden by a rule" is the same; so is a lost answer's.
            if forge.branch_tip(branch.as_str(), &mut budget).await?.is_none() {
                return Ok(BranchRemoval::Removed { tip });
            }
            match error {
                ForgeError::Permission { message, .. }
                | ForgeError::Validation { message, .. }
                | ForgeError::Refused { message, .. } => {
                    Ok(BranchRemoval::Kept(WhyKept::Forbidden { why: message }))
                }
                other => Err(other),
            }
        }
    }
}
