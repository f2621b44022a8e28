//! Branches of GitLab: where they are, what they lack, and taking one away.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde::Deserialize;
use serde_json::Value;

use super::GitLab;
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
    commits: Vec<Value>,
}

impl GitLab {
    /// The commit of a branch; `None` when there is no such branch.
    pub(crate) async fn branch_tip(
        &self,
        name: &str,
        budget: &mut Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        let url = self.at(&["repository", "branches", name]);
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
        let mut url = self.at(&["repository", "compare"]);
        url.query_pairs_mut().append_pair("from", base).append_pair("to", tip.as_str());
        let compared: Comparison = self.http.read_as(Operation::CompareBranches, url, budget).await?;
        Ok(compared.commits.len() as u64)
    }

    pub(crate) async fn drop_branch(&self, name: &str, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        let order = Order::delete(Operation::DeleteBranch, self.at(&["repository", "branches", name]));
        self.http.send(&order, budget).await.map(drop)
    }
}
