//! Merge requests of GitLab: found, opened, changed, closed, merged.
//!
//! Owns no state.

use overnight_core::git::BranchName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GitLab, LIST};
use crate::draft;
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::merge::{MergeMethod, MergeOrder, Mergeability};
use crate::paging::Pages;
use crate::request::{Fit, Found, NewPullRequest, PullRequestChange, PullRequestState};
use crate::retry::Budget;

/// One branch with more merge requests than 500 is not ours.
const MERGE_REQUESTS: Pages = Pages { most: 5, ..LIST };
const DRAFT: &str = "Draft:";

#[derive(Debug, Deserialize)]
struct MergeRequest {
    iid: u64,
    web_url: String,
    state: String,
    title: String,
    description: Option<String>,
    source_branch: String,
    target_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    sha: Option<String>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    detailed_merge_status: Option<String>,
    merge_status: Option<String>,
}

impl GitLab {
    /// Every merge request from `head`, open or not.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let mut url = self.at(&["merge_requests"]);
        url.query_pairs_mut().append_pair("state", "all").append_pair("source_branch", head.as_str());
        let found =
            self.http.list::<MergeRequest>(Operation::FindPullRequests, &url, MERGE_REQUESTS, budget).await?;
        Ok(found.items.into_iter().map(|request| self.found(request)).collect())
    }

    pub(crate) async fn create(
        &self,
        new: &NewPullRequest,
        budget: &Budget<'_>,
    ) -> Result<Found, ForgeError> {
        let operation = Operation::CreatePullRequest;
        let title = if new.draft { draft::marked(DRAFT, &new.title, true) } else { new.title.clone() };
        let json = json!({
            "title": title, "description": new.body, "source_branch": new.head.as_str(), "target_branch": new.base,
            "remove_source_branch": false,
        });
        let order = Order::post(operation, self.at(&["merge_requests"]), &json);
        self.http.once_as(order, budget).await.map(|request| self.found(request))
    }

    pub(crate) async fn get(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let url = self.at(&["merge_requests", &number.to_string()]);
        self.http.read_as(Operation::GetPullRequest, url, budget).await.map(|request| self.found(request))
    }

    /// A new title keeps the mark of a draft.
    pub(crate) async fn change(
        &self,
        number: u64,
        change: &PullRequestChange,
        budget: &mut Budget<'_>,
    ) -> Result<Found, ForgeError> {
        let mut json = json!({});
        if let Some(title) = &change.title {
            let draft = self.get(number, budget).await?.draft;
            json["title"] = json!(draft::marked(DRAFT, title, draft));
        }
        if let Some(body) = &change.body {
            json["description"] = json!(body);
        }
        if let Some(base) = &change.base {
            json["target_branch"] = json!(base);
        }
        self.put(number, &json, budget).await
    }

    pub(crate) async fn set_draft(
        &self,
        found: &Found,
        draft: bool,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        let json = json!({"title": draft::marked(DRAFT, &found.title, draft)});
        self.put(found.number, &json, budget).await.map(drop)
    }

    pub(crate) async fn close(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        self.put(number, &json!({"state_event": "close"}), budget).await
    }

    async fn put(&self, number: u64, json: &Value, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let operation = Operation::UpdatePullRequest;
        let order = Order::put(operation, self.at(&["merge_requests", &number.to_string()]), json);
        self.http.change_as(&order, budget).await.map(|request| self.found(request))
    }

    /// Merges, once. A rebase is not ours to order: the project's own method must be one.
    pub(crate) async fn merge_once(
        &self,
        number: u64,
        wanted: &MergeOrder,
        budget: &mut Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        let operation = Operation::Merge;
        if wanted.method == MergeMethod::Rebase {
            let method = self.project(budget).await?.merge_method;
            if !matches!(method.as_deref(), Some("rebase_merge" | "ff")) {
                let message =
                    "this project does not merge by rebase; its merge method is a setting on GitLab"
                        .to_owned();
                return Err(ForgeError::Refused { call: self.http.call(operation), message });
            }
        }
        let squash = wanted.method == MergeMethod::Squash;
        let mut json =
            json!({"sha": wanted.head.as_str(), "squash": squash, "should_remove_source_branch": false});
        let parts: Vec<&str> =
            [&wanted.title, &wanted.message].into_iter().flatten().map(String::as_str).collect();
        if !parts.is_empty() {
            let name = if squash { "squash_commit_message" } else { "merge_commit_message" };
            json[name] = json!(parts.join("\n\n"));
        }
        let order = Order::put(operation, self.at(&["merge_requests", &number.to_string(), "merge"]), &json);
        let merged: MergeRequest = self.http.once_as(order, budget).await?;
        Ok(merged.merge_commit())
    }

    fn found(&self, request: MergeRequest) -> Found {
        let (title, draft) = draft::split(&request.title);
        let state = match request.state.as_str() {
            "merged" => PullRequestState::Merged,
            "closed" => PullRequestState::Closed,
            // `locked` is one that is being merged at this moment.
            _ => PullRequestState::Open,
        };
        let here = request.source_project_id == Some(request.target_project_id);
        Found {
            number: request.iid,
            state,
            title: title.to_owned(),
            draft,
            fit: request.fit(),
            merge_commit: request.merge_commit(),
            url: request.web_url,
            base: request.target_branch,
            head: request.source_branch,
            head_commit: request.sha.unwrap_or_default(),
            head_repository: here.then(|| self.address.to_string()),
            body: request.description.unwrap_or_default(),
            node: None,
        }
    }
}

impl MergeRequest {
    /// A fast-forward makes no commit of its own.
    fn merge_commit(&self) -> Option<String> {
        let merged = self.state == "merged";
        let made = self.merge_commit_sha.clone().or(self.squash_commit_sha.clone());
        made.or_else(|| self.sha.clone().filter(|_| merged))
    }

    fn fit(&self) -> Fit {
        match (self.detailed_merge_status.as_deref(), self.merge_status.as_deref()) {
            (Some("conflict"), _) | (None, Some("cannot_be_merged")) => Fit::settled(Mergeability::Conflict),
            (Some("need_rebase"), _) => Fit::settled(Mergeability::Behind),
            (Some("checking" | "unchecked" | "preparing" | "approvals_syncing"), _) => Fit::default(),
            (Some("broken_status" | "commits_status"), _) => Fit::settled(Mergeability::Unknown),
            (_, Some("can_be_merged")) | (Some("mergeable"), _) => Fit::settled(Mergeability::Clean),
            (_, Some("cannot_be_merged")) => Fit::settled(Mergeability::Conflict),
            (Some(_) | None, _) => Fit::default(),
        }
    }
}
