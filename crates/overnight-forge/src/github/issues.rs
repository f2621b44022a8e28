//! Issues and labels of GitHub, and who may do what.
//!
//! Owns no state. To GitHub a pull request is an issue as well: lists are cleaned of them.

use overnight_core::units::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reviews::Author;
use super::{GitHub, LIST};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::paging::Pages;
use crate::retry::Budget;
use crate::talk::{Issue, LabelChange, Thread};
use crate::time;
use crate::wire::State;

/// What one call hands on at most: 500. The cursor leads to the rest.
const ISSUES: Pages = Pages { most: 5, ..LIST };

#[derive(Debug, Deserialize)]
struct Wire {
    number: u64,
    html_url: String,
    title: String,
    body: Option<String>,
    state: State,
    user: Option<Author>,
    labels: Vec<Label>,
    updated_at: String,
    pull_request: Option<Value>,
}

/// Old issues have bare names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Label {
    Named { name: Option<String> },
    Bare(String),
}

#[derive(Debug, Deserialize)]
struct Granted {
    permission: String,
}

impl GitHub {
    pub(crate) async fn issues(
        &self,
        label: &str,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Issue>, ForgeError> {
        let mut url = self.at(&["issues"]);
        url.query_pairs_mut()
            .append_pair("labels", label)
            .append_pair("state", "open")
            .append_pair("sort", "updated")
            .append_pair("direction", "asc");
        time::only_since(&mut url, "since", since);
        let found = self.http.list::<Wire>(Operation::FindIssues, &url, ISSUES, budget).await?;
        let issues = found.items.into_iter().filter(|issue| issue.pull_request.is_none());
        issues.map(|issue| self.issue_of(Operation::FindIssues, issue)).collect()
    }

    pub(crate) async fn issue(&self, number: u64, budget: &mut Budget<'_>) -> Result<Issue, ForgeError> {
        let url = self.at(&["issues", &number.to_string()]);
        let issue = self.http.read_as(Operation::GetIssue, url, budget).await?;
        self.issue_of(Operation::GetIssue, issue)
    }

    pub(crate) async fn close_issue(&self, number: u64, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        let json = json!({"state": "closed"});
        let order = Order::patch(Operation::CloseIssue, self.at(&["issues", &number.to_string()]), &json);
        self.http.send(&order, budget).await.map(drop)
    }

    fn issue_of(&self, operation: Operation, issue: Wire) -> Result<Issue, ForgeError> {
        let updated = self.http.time_of(operation, "an issue", &issue.updated_at)?;
        let name = |label| match label {
            Label::Named { name } => name,
            Label::Bare(name) => Some(name),
        };
        Ok(Issue {
            number: issue.number,
            url: issue.html_url,
            title: issue.title,
            body: issue.body.unwrap_or_default(),
            open: matches!(issue.state, State::Open),
            author: issue.user.map(|user| user.login),
            labels: issue.labels.into_iter().filter_map(name).collect(),
            updated,
        })
    }

    /// GitHub makes a label that is not there yet.
    pub(crate) async fn change_labels(
        &self,
        thread: Thread,
        change: &LabelChange,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        let operation = Operation::ChangeLabels;
        let at = thread.number().to_string();
        if !change.add.is_empty() {
            let json = json!({"labels": change.add});
            self.http
                .send(&Order::post(operation, self.at(&["issues", &at, "labels"]), &json), budget)
                .await?;
        }
        for label in &change.remove {
            let url = self.at(&["issues", &at, "labels", label]);
            self.http.delete_if_there(operation, url, budget).await?;
        }
        Ok(())
    }

    pub(crate) async fn can_write(&self, login: &str, budget: &mut Budget<'_>) -> Result<bool, ForgeError> {
        let url = self.at(&["collaborators", login, "permission"]);
        let granted: Option<Granted> = self.http.find_as(Operation::GetPermission, url, budget).await?;
        // `maintain` is told as `write`, `triage` as `read`.
        Ok(granted.is_some_and(|granted| matches!(granted.permission.as_str(), "admin" | "write")))
    }
}
