//! Issues and labels of GitLab, and who may do what.
//!
//! Owns no state. A label that is not there yet is made by GitLab.

use overnight_core::units::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Access, DEVELOPER, GitLab, LIST, User};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::paging::Pages;
use crate::retry::Budget;
use crate::talk::{Issue, LabelChange, Thread};
use crate::time;

/// What one call hands on at most: 500. The cursor leads to the rest.
const ISSUES: Pages = Pages { most: 5, ..LIST };

#[derive(Debug, Deserialize)]
struct Wire {
    iid: u64,
    web_url: String,
    title: String,
    description: Option<String>,
    state: String,
    author: Option<User>,
    #[serde(default)]
    labels: Vec<String>,
    updated_at: String,
}

#[derive(Debug, Deserialize)]
struct Person {
    id: u64,
    username: String,
}

impl GitLab {
    pub(crate) async fn issues(
        &self,
        label: &str,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Issue>, ForgeError> {
        let mut url = self.at(&["issues"]);
        url.query_pairs_mut()
            .append_pair("labels", label)
            .append_pair("state", "opened")
            .append_pair("order_by", "updated_at")
            .append_pair("sort", "asc");
        time::only_since(&mut url, "updated_after", since);
        let found = self.http.list::<Wire>(Operation::FindIssues, &url, ISSUES, budget).await?;
        found.items.into_iter().map(|issue| self.issue_of(Operation::FindIssues, issue)).collect()
    }

    pub(crate) async fn issue(&self, number: u64, budget: &mut Budget<'_>) -> Result<Issue, ForgeError> {
        let url = self.at(&["issues", &number.to_string()]);
        let issue = self.http.read_as(Operation::GetIssue, url, budget).await?;
        self.issue_of(Operation::GetIssue, issue)
    }

    pub(crate) async fn close_issue(&self, number: u64, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        let json = json!({"state_event": "close"});
        let order = Order::put(Operation::CloseIssue, self.at(&["issues", &number.to_string()]), &json);
        self.http.send(&order, budget).await.map(drop)
    }

    fn issue_of(&self, operation: Operation, issue: Wire) -> Result<Issue, ForgeError> {
        let updated = self.http.time_of(operation, "an issue", &issue.updated_at)?;
        Ok(Issue {
            number: issue.iid,
            url: issue.web_url,
            title: issue.title,
            body: issue.description.unwrap_or_default(),
            open: issue.state == "opened",
            author: issue.author.map(|user| user.username),
            labels: issue.labels,
            updated,
        })
    }

    pub(crate) async fn change_labels(
        &self,
        thread: Thread,
        change: &LabelChange,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        let (kind, number) = match thread {
            Thread::PullRequest(number) => ("merge_requests", number),
            Thread::Issue(number) => ("issues", number),
        };
        let mut json = json!({});
        for (name, labels) in [("add_labels", &change.add), ("remove_labels", &change.remove)] {
            if !labels.is_empty() {
                json[name] = json!(labels.join(","));
            }
        }
        if json.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(());
        }
        let order = Order::put(Operation::ChangeLabels, self.at(&[kind, &number.to_string()]), &json);
        self.http.send(&order, budget).await.map(drop)
    }

    /// Members by themselves or through a group.
    pub(crate) async fn can_write(&self, login: &str, budget: &mut Budget<'_>) -> Result<bool, ForgeError> {
        let operation = Operation::GetPermission;
        let mut url = self.address.endpoint(&["users"]);
        url.query_pairs_mut().append_pair("username", login);
        let people: Vec<Person> = self.http.read_as(operation, url, budget).await?;
        let Some(person) = people.into_iter().find(|person| person.username.eq_ignore_ascii_case(login))
        else {
            return Ok(false);
        };
        let url = self.at(&["members", "all", &person.id.to_string()]);
        let access: Option<Access> = self.http.find_as(operation, url, budget).await?;
        Ok(access.is_some_and(|access| access.access_level >= DEVELOPER))
    }
}
