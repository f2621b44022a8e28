//! What GitHub knows of a commit: check runs (Actions and Apps) and the older statuses, as one list.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde::Deserialize;

use super::{GitHub, LIST};
use crate::checks::{Check, CheckResult, MAX_LOG, MAX_LOGS, tail};
use crate::error::{ForgeError, Operation};
use crate::paging::Pages;
use crate::retry::Budget;

const RUNS: Pages = Pages { field: Some("check_runs"), ..LIST };
const STATUSES: Pages = Pages { field: Some("statuses"), ..LIST };

#[derive(Debug, Deserialize)]
struct Run {
    id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    html_url: Option<String>,
    output: Option<Output>,
    app: Option<App>,
}

#[derive(Debug, Deserialize)]
struct Output {
    title: Option<String>,
    summary: Option<String>,
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct App {
    slug: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Status {
    context: String,
    state: String,
    target_url: Option<String>,
    description: Option<String>,
}

impl GitHub {
    pub(crate) async fn checks(
        &self,
        commit: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Check>, ForgeError> {
        let operation = Operation::ReadChecks;
        let mut url = self.at(&["commits", commit.as_str(), "check-runs"]);
        url.query_pairs_mut().append_pair("filter", "latest");
        let runs = self.http.list::<Run>(operation, &url, RUNS, budget).await?;
        let url = self.at(&["commits", commit.as_str(), "status"]);
        let statuses = self.http.list::<Status>(operation, &url, STATUSES, budget).await?;
        let cut = runs.cut || statuses.cut;
        let mut checks: Vec<Check> = runs.items.into_iter().map(Run::into_check).collect();
        checks.extend(statuses.items.into_iter().map(Status::into_check));
        if cut {
            checks.push(Check::unread());
        }
        let mut read = 0;
        for check in checks.iter_mut().filter(|check| check.result == CheckResult::Failed) {
            if let Some(job) = check.job
                && read < MAX_LOGS
            {
                read += 1;
                let url = self.at(&["actions", "jobs", &job.to_string(), "logs"]);
                let log = self.http.tail(operation, url, MAX_LOG, budget.request_timeout()).await;
                check.text = log.filter(|log| !log.trim().is_empty()).or(check.text.take());
            }
        }
        Ok(checks)
    }
}

impl Run {
    fn into_check(self) -> Check {
        let result = match (self.status.as_str(), self.conclusion.as_deref()) {
            ("completed", Some("success" | "neutral" | "skipped")) => CheckResult::Passed,
            // Somebody has to do something there before it says anything.
            ("completed", Some("action_required")) => CheckResult::Waiting,
            ("completed", _) => CheckResult::Failed,
            _ => CheckResult::Waiting,
        };
        // A job of Actions has the number of its check run; other Apps keep their logs to themselves.
        let of_actions = self.app.and_then(|app| app.slug).as_deref() == Some("github-actions");
        let text = self.output.and_then(|output| {
            let parts: Vec<String> =
                [output.title, output.summary, output.text].into_iter().flatten().collect();
            (!parts.is_empty()).then(|| tail(&parts.join("\n")))
        });
        Check { name: self.name, result, url: self.html_url, text, job: of_actions.then_some(self.id) }
    }
}

impl Status {
    fn into_check(self) -> Check {
        let result = match self.state.as_str() {
            "success" => CheckResult::Passed,
            "pending" => CheckResult::Waiting,
            _ => CheckResult::Failed,
        };
        Check { name: self.context, result, url: self.target_url, text: self.description, job: None }
    }
}
