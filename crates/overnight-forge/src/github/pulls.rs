//! Pull requests of GitHub: found, opened, changed, closed, merged.
//!
//! Owns no state. A draft is made ready, and the other way round, by GraphQL alone.

use overnight_core::git::BranchName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GitHub, LIST};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::merge::{MergeMethod, MergeOrder, Mergeability};
use crate::paging::Pages;
use crate::request::{Fit, Found, NewPullRequest, PullRequestChange, PullRequestState};
use crate::retry::Budget;
use crate::wire::{NamedRepository, State, put_some};

/// One branch with more pull requests than 500 is not ours.
const PULLS: Pages = Pages { most: 5, ..LIST };

impl GitHub {
    /// Every pull request from `head` of this repository, open or not.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let mut url = self.at(&["pulls"]);
        url.query_pairs_mut()
            .append_pair("state", "all")
            .append_pair("head", &format!("{}:{head}", self.address.owner()));
        let pulls = self.http.list::<Pull>(Operation::FindPullRequests, &url, PULLS, budget).await?;
        Ok(pulls.items.into_iter().map(Pull::into_found).collect())
    }

    pub(crate) async fn create(
        &self,
        new: &NewPullRequest,
        budget: &Budget<'_>,
    ) -> Result<Found, ForgeError> {
        let operation = Operation::CreatePullRequest;
        let json = json!({
            "title": new.title, "body": new.body, "head": new.head.as_str(), "base": new.base, "draft": new.draft,
        });
        let order = Order::post(operation, self.at(&["pulls"]), &json);
        self.http.once_as(order, budget).await.map(Pull::into_found)
    }

    pub(crate) async fn get(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let url = self.at(&["pulls", &number.to_string()]);
        self.http.read_as(Operation::GetPullRequest, url, budget).await.map(Pull::into_found)
    }

    pub(crate) async fn change(
        &self,
        number: u64,
        change: &PullRequestChange,
        budget: &mut Budget<'_>,
    ) -> Result<Found, ForgeError> {
        let mut json = json!({});
        put_some(&mut json, [("title", &change.title), ("body", &change.body), ("base", &change.base)]);
        self.patch(number, &json, budget).await
    }

    pub(crate) async fn close(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        self.patch(number, &json!({"state": "closed"}), budget).await
    }

    async fn patch(&self, number: u64, json: &Value, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let operation = Operation::UpdatePullRequest;
        let order = Order::patch(operation, self.at(&["pulls", &number.to_string()]), json);
        self.http.change_as(&order, budget).await.map(Pull::into_found)
    }

    pub(crate) async fn set_draft(
        &self,
        found: &Found,
        draft: bool,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        let operation = Operation::UpdatePullRequest;
        let Some(node) = &found.node else {
            return Err(self.http.unexpected(operation, "the pull request has no node id"));
        };
        let mutation = if draft { "convertPullRequestToDraft" } else { "markPullRequestReadyForReview" };
        let query = format!(
            "mutation($id: ID!) {{ {mutation}(input: {{pullRequestId: $id}}) {{ pullRequest {{ isDraft }} }} }}"
        );
        let json = json!({"query": query, "variables": {"id": node}});
        let order = Order::post(operation, self.address.graphql_endpoint(), &json);
        let answer = self.http.send(&order, budget).await?;
        graphql_problem(&answer.json).map_or(Ok(()), |(kind, message)| {
            let call = self.http.call(operation);
            Err(match kind {
                "FORBIDDEN" => ForgeError::Permission { call, message },
                "NOT_FOUND" => ForgeError::NotFound { call, message },
                "RATE_LIMITED" => ForgeError::RateLimited { call, retry_after: None, reset: None, message },
                _ => ForgeError::Validation { call, message },
            })
        })
    }

    /// Merges, once. The commit that was made.
    pub(crate) async fn merge_once(
        &self,
        number: u64,
        wanted: &MergeOrder,
        budget: &Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        let operation = Operation::Merge;
        let method = match wanted.method {
            MergeMethod::Squash => "squash",
            MergeMethod::Merge => "merge",
            MergeMethod::Rebase => "rebase",
        };
        let mut json = json!({"sha": wanted.head.as_str(), "merge_method": method});
        put_some(&mut json, [("commit_title", &wanted.title), ("commit_message", &wanted.message)]);
        let order = Order::put(operation, self.at(&["pulls", &number.to_string(), "merge"]), &json);
        let merged: Merged = self.http.once_as(order, budget).await?;
        Ok(Some(merged.sha))
    }
}

/// GraphQL answers 200 to what it does not do: kind and text of its first error.
fn graphql_problem(json: &Value) -> Option<(&str, String)> {
    let error = json.get("errors")?.as_array()?.first()?;
    let text = |name| error.get(name).and_then(Value::as_str);
    let message = crate::body::one_line(text("message").unwrap_or("no reason given"));
    Some((text("type").unwrap_or(""), message.chars().take(500).collect()))
}

#[derive(Debug, Deserialize)]
struct Merged {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    node_id: Option<String>,
    html_url: String,
    state: State,
    title: String,
    #[serde(default)]
    draft: bool,
    merged_at: Option<String>,
    merge_commit_sha: Option<String>,
    body: Option<String>,
    head: Side,
    base: Side,
    mergeable: Option<bool>,
    mergeable_state: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
    /// `null` once a fork is deleted.
    repo: Option<NamedRepository>,
}

impl Pull {
    /// GitHub computes `mergeable` in its background, and says `null` meanwhile.
    fn fit(&self) -> Fit {
        match (self.mergeable, self.mergeable_state.as_deref()) {
            (_, Some("dirty")) | (Some(false), _) => Fit::settled(Mergeability::Conflict),
            (_, Some("behind")) => Fit::settled(Mergeability::Behind),
            (Some(true), _) => Fit::settled(Mergeability::Clean),
            (None, _) => Fit::default(),
        }
    }

    fn into_found(self) -> Found {
        let fit = self.fit();
        let state = match (self.state, self.merged_at) {
            (State::Open, _) => PullRequestState::Open,
            (State::Closed, Some(_)) => PullRequestState::Merged,
            (State::Closed, None) => PullRequestState::Closed,
        };
        Found {
            number: self.number,
            url: self.html_url,
            state,
            title: self.title,
            draft: self.draft,
            base: self.base.branch,
            head: self.head.branch,
            head_commit: self.head.sha,
            head_repository: self.head.repo.map(|repo| repo.full_name),
            body: self.body.unwrap_or_default(),
            merge_commit: self.merge_commit_sha,
            fit,
            node: self.node_id,
        }
    }
}
