//! Issues and labels of Gitea and Forgejo, and who may do what.
//!
//! Owns no state. Labels are known by number there, and one that is not there yet must be made first.

use overnight_core::units::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Gitea, LIST};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::retry::Budget;
use crate::talk::{Issue, LabelChange, Thread};
use crate::time;
use crate::wire::{State, User};

/// Of labels that we make: a quiet grey.
const COLOR: &str = "#8a8f98";

#[derive(Debug, Deserialize)]
struct Wire {
    number: u64,
    html_url: String,
    title: String,
    body: Option<String>,
    state: State,
    user: Option<User>,
    labels: Option<Vec<Label>>,
    updated_at: String,
}

#[derive(Debug, Deserialize)]
struct Label {
    id: u64,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Granted {
    permission: String,
}

impl Gitea {
    /// There is no order by change, so all of them are read: 2,000 at most.
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
            .append_pair("type", "issues");
        time::only_since(&mut url, "since", since);
        let found = self.http.list::<Wire>(Operation::FindIssues, &url, LIST, budget).await?;
        let issues: Result<Vec<Issue>, _> =
            found.items.into_iter().map(|issue| self.issue_of(Operation::FindIssues, issue)).collect();
        // A label that does not exist is no filter to Gitea.
        let has_label = |issue: &Issue| issue.labels.iter().any(|name| name.eq_ignore_ascii_case(label));
        issues.map(|issues| issues.into_iter().filter(has_label).collect())
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
        Ok(Issue {
            number: issue.number,
            url: issue.html_url,
            title: issue.title,
            body: issue.body.unwrap_or_default(),
            open: matches!(issue.state, State::Open),
            author: issue.user.map(|user| user.login),
            labels: issue.labels.into_iter().flatten().map(|label| label.name).collect(),
            updated,
        })
    }

    pub(crate) async fn change_labels(
        &self,
        thread: Thread,
        change: &LabelChange,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        let operation = Operation::ChangeLabels;
        let at = thread.number().to_string();
        if !change.add.is_empty() {
            let ids = self.label_ids(&change.add, budget).await?;
            let json = json!({"labels": ids});
            self.http
                .send(&Order::post(operation, self.at(&["issues", &at, "labels"]), &json), budget)
                .await?;
        }
        if change.remove.is_empty() {
            return Ok(());
        }
        // From the issue itself, because a label may belong to the organisation.
        let there: Vec<Label> =
            self.http.read_as(operation, self.at(&["issues", &at, "labels"]), budget).await?;
        for label in there.iter().filter(|label| change.remove.contains(&label.name)) {
            let url = self.at(&["issues", &at, "labels", &label.id.to_string()]);
            self.http.delete_if_there(operation, url, budget).await?;
        }
        Ok(())
    }

    /// The numbers of labels; what is missing is made. Two that make one at once leave two of the same name, which the
    /// forge allows.
    async fn label_ids(&self, names: &[String], budget: &mut Budget<'_>) -> Result<Vec<u64>, ForgeError> {
        let operation = Operation::ChangeLabels;
        let url = self.at(&["labels"]);
        let known = self.http.list::<Label>(operation, &url, LIST, budget).await?.items;
        let mut ids = Vec::new();
        for name in names {
            if let Some(label) = known.iter().find(|label| label.name == *name) {
                ids.push(label.id);
                continue;
            }
            let json = json!({"name": name, "color": COLOR});
            let order = Order::post(operation, url.clone(), &json);
            ids.push(self.http.once_as::<Label>(order, budget).await?.id);
        }
        Ok(ids)
    }

    pub(crate) async fn can_write(&self, login: &str, budget: &mut Budget<'_>) -> Result<bool, ForgeError> {
        let url = self.at(&["collaborators", login, "permission"]);
        let granted: Option<Granted> = self.http.find_as(Operation::GetPermission, url, budget).await?;
        Ok(granted.is_some_and(|granted| matches!(granted.permission.as_str(), "owner" | "admin" | "write")))
    }
}
