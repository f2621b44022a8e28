//! What Gitea and Forgejo know of a commit: its statuses. Their Actions report there as well.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde::Deserialize;

use super::{Gitea, LIST};
use crate::checks::{Check, CheckResult};
use crate::error::{ForgeError, Operation};
use crate::paging::Pages;
use crate::retry::Budget;

/// The combined status: the latest of each context.
const STATUSES: Pages = Pages { field: Some("statuses"), ..LIST };

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    context: String,
    status: String,
    target_url: Option<String>,
    description: Option<String>,
}

impl Gitea {
    pub(crate) async fn checks(
        &self,
        commit: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Check>, ForgeError> {
        let url = self.at(&["commits", commit.as_str(), "status"]);
        let found = self.http.list::<Option<Status>>(Operation::ReadChecks, &url, STATUSES, budget).await?;
        let web = self.address.web_origin();
        let mut checks: Vec<Check> =
            found.items.into_iter().flatten().map(|status| status.into_check(&web)).collect();
        if found.cut {
            checks.push(Check::unread());
        }
        Ok(checks)
    }
}

impl Status {
    fn into_check(self, web: &str) -> Check {
        let result = match self.status.as_str() {
            "success" | "warning" | "skipped" => CheckResult::Passed,
            "pending" => CheckResult::Waiting,
            _ => CheckResult::Failed,
        };
        // Its own Actions name their page without a host.
        let absolute = |url: String| if url.starts_with('/') { format!("{web}{url}") } else { url };
        let url = self.target_url.filter(|url| !url.is_empty()).map(absolute);
        let text = self.description.filter(|text| !text.is_empty());
        Check { name: self.context, result, url, text, job: None }
    }
}
