//! Taking away a branch whose work is safe elsewhere.
//!
//! Owns no state.

use overnight_core::git::{BranchName, CommitId};

use crate::client::Forge;
use crate::error::{ForgeError, Operation};

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

pub(crate) async fn remove(
    forge: &Forge,
    branch: &BranchName,
    base: Option<&str>,
) -> Result<BranchRemoval, ForgeError> {
    let mut budget = forge.budget();
    let default = forge.repository_within(&mut budget).await?.default_branch;
    let base = base.unwrap_or(&default);
    if branch.as_str() == default || branch.as_str() == base {
        return Ok(BranchRemoval::Kept(WhyKept::IsBase));
    }
    let Some(tip) = forge.branch_tip(branch.as_str(), &mut budget).await? else {
        return Ok(BranchRemoval::Gone);
    };
    let Ok(tip) = CommitId::parse(&tip) else {
        return Err(forge.unexpected(Operation::CompareBranches, "a branch's commit is no commit id"));
    };
    let commits = forge.missing_from(base, &tip, &mut budget).await?;
    if commits > 0 {
        return Ok(BranchRemoval::Kept(WhyKept::NotContained { commits }));
    }
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
