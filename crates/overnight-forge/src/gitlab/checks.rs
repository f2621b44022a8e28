//! What GitLab knows of a commit: its pipelines' jobs and external statuses, and pipelines that came to nothing.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde::Deserialize;

use super::{GitLab, LIST};
use crate::checks::{Check, CheckResult, MAX_LOG, MAX_LOGS};
use crate::error::{ForgeError, Operation};
use crate::retry::Budget;

#[derive(Debug, Deserialize)]
struct Status {
    id: u64,
    name: String,
    status: String,
    #[serde(default)]
    allow_failure: bool,
    target_url: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Pipeline {
    id: u64,
    status: String,
    web_url: Option<String>,
}

impl GitLab {
    pub(crate) async fn checks(
        &self,
        commit: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Check>, ForgeError> {
        let operation = Operation::ReadChecks;
        let url = self.at(&["repository", "commits", commit.as_str(), "statuses"]);
        let statuses = self.http.list::<Status>(operation, &url, LIST, budget).await?;
        let mut url = self.at(&["pipelines"]);
        // Newest first, which is the one that counts.
        url.query_pairs_mut()
            .append_pair("sha", commit.as_str())
            .append_pair("order_by", "id")
            .append_pair("sort", "desc")
            .append_pair("per_page", "1");
        let pipelines: Vec<Pipeline> = self.http.read_as(operation, url, budget).await?;
        let mut checks: Vec<Check> = statuses.items.into_iter().map(Status::into_check).collect();
        if statuses.cut {
            checks.push(Check::unread());
        }
        let failed = |check: &Check| check.result == CheckResult::Failed;
        let waiting = |check: &Check| check.result == CheckResult::Waiting;
        if let Some(pipeline) = pipelines.into_iter().next().map(Pipeline::into_check)
            && ((failed(&pipeline) && !checks.iter().any(failed))
                || (waiting(&pipeline) && !checks.iter().any(waiting)))
        {
            // It failed before any of its jobs, or has not made them yet.
            checks.push(pipeline);
        }
        self.add_logs(&mut checks, budget).await;
        Ok(checks)
    }

    async fn add_logs(&self, checks: &mut [Check], budget: &Budget<'_>) {
        let failed =
            checks.iter_mut().filter(|check| check.result == CheckResult::Failed && check.job.is_some());
        for check in failed.take(MAX_LOGS) {
            let Some(job) = check.job else { continue };
            let url = self.at(&["jobs", &job.to_string(), "trace"]);
            let log = self.http.tail(Operation::ReadChecks, url, MAX_LOG, budget.request_timeout()).await;
            check.text = log.filter(|log| !log.trim().is_empty()).or(check.text.take());
        }
    }
}

fn result(status: &str, allow_failure: bool) -> CheckResult {
    match status {
        "success" | "skipped" => CheckResult::Passed,
        "failed" | "canceled" | "canceling" if allow_failure => CheckResult::Passed,
        "failed" | "canceled" | "canceling" => CheckResult::Failed,
        // A job that somebody may start by hand, and that nothing waits for.
        "manual" if allow_failure => CheckResult::Passed,
        _ => CheckResult::Waiting,
    }
}

impl Status {
    fn into_check(self) -> Check {
        // An external status has an address elsewhere and no log here.
        let job = self.target_url.as_ref().is_some_and(|url| url.contains("/-/jobs/")).then_some(self.id);
        let result = result(&self.status, self.allow_failure);
        Check { name: self.name, result, url: self.target_url, text: self.description, job }
    }
}

impl Pipeline {
    fn into_check(self) -> Check {
        let name = format!("pipeline {}", self.id);
        Check { name, result: result(&self.status, false), url: self.web_url, text: None, job: None }
    }
}
