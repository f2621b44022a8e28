//! Branches of GitHub: where they are, what they lack, and taking one away.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde::Deserialize;

use super::GitHub;
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::retry::Budget;

#[derive(Debug, Deserialize)]
struct Branch {
    commit: Tip,
}

#[derive(Debug, Deserialize)]
struct Tip {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct Comparison {
    ahead_by: u64,
}

impl GitHub {
    /// The commit of a branch; `None` when there is no such branch.
    pub(crate) async fn branch_tip(
        &self,
        name: &str,
        budget: &mut Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        let url = self.at(&["branches", name]);
        let branch: Option<Branch> = self.http.find_as(Operation::CompareBranches, url, budget).await?;
        Ok(branch.map(|branch| branch.commit.sha))
    }

    /// How many commits of `tip` are not in `base`.
    pub(crate) async fn missing_from(
        &self,
        base: &str,
        tip: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<u64, ForgeError> {
        let mut url = self.at(&["compare", &format!("{base}...{tip}")]);
        // Only the count matters.
        url.query_pairs_mut().append_pair("per_page", "1");
        let compared: Comparison = self.http.read_as(Operation::CompareBranches, url, budget).await?;
        Ok(compared.ahead_by)
    }

    /// GitHub answers 422 when the branch is gone already.
    pub(crate) async fn drop_branch(&self, name: &str, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        let order =
            Order::delete(Operation::DeleteBranch, self.at(&["git", "refs", &format!("heads/{name}")]));
        self.http.send(&order, budget).await.map(drop)
    }
}
