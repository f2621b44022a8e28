//! Branches of Gitea and Forgejo: where they are, what they lack, and taking one away.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde::Deserialize;

use super::Gitea;
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::retry::Budget;

#[derive(Debug, Deserialize)]
struct Branch {
    commit: Tip,
}

#[derive(Debug, Deserialize)]
struct Tip {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Comparison {
    total_commits: u64,
}

impl Gitea {
    /// The commit of a branch; `None` when there is no such branch.
    pub(crate) async fn branch_tip(
        &self,
        name: &str,
        budget: &mut Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        let url = self.at(&["branches", name]);
        let branch: Option<Branch> = self.http.find_as(Operation::CompareBranches, url, budget).await?;
        Ok(branch.map(|branch| branch.commit.id))
    }

    /// How many commits of `tip` are not in `base`.
    pub(crate) async fn missing_from(
        &self,
        base: &str,
        tip: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<u64, ForgeError> {
        let url = self.at(&["compare", &format!("{base}...{tip}")]);
        let compared: Comparison = self.http.read_as(Operation::CompareBranches, url, budget).await?;
        Ok(compared.total_commits)
    }

    pub(crate) async fn drop_branch(&self, name: &str, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        let order = Order::delete(Operation::DeleteBranch, self.at(&["branches", name]));
        self.http.send(&order, budget).await.map(drop)
    }
}
