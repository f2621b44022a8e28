//! Pull requests of Gitea and Forgejo: found, opened, changed, closed, merged.
//!
//! Owns no state. There is no filter for the branch they come from, and a draft is a title that begins with `WIP:`.

use overnight_core::git::BranchName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Gitea, LIST};
use crate::draft;
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::merge::{MergeMethod, MergeOrder, Mergeability};
use crate::paging::Pages;
use crate::request::{Fit, Found, NewPullRequest, PullRequestChange, PullRequestState};
use crate::retry::Budget;
use crate::wire::{NamedRepository, State, put_some};

/// Of open pull requests, newest change first, 2,000; of closed ones 200: one that a person closed while its job was
/// running is among the first, and what is older does not concern a running job.
const CLOSED: Pages = Pages { most: 4, ..LIST };
const DRAFT: &str = "WIP:";

impl Gitea {
    /// The pull requests from `head`: all open ones, and the closed ones of late.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let mut found = Vec::new();
        for (state, pages) in [("open", LIST), ("closed", CLOSED)] {
            let mut url = self.at(&["pulls"]);
            url.query_pairs_mut().append_pair("state", state).append_pair("sort", "recentupdate");
            let pulls = self.http.list::<Pull>(Operation::FindPullRequests, &url, pages, budget).await?;
            found.extend(
                pulls.items.into_iter().map(Pull::into_found).filter(|pull| pull.head == head.as_str()),
            );
        }
        Ok(found)
    }

    pub(crate) async fn create(
        &self,
        new: &NewPullRequest,
        budget: &Budget<'_>,
    ) -> Result<Found, ForgeError> {
        let operation = Operation::CreatePullRequest;
        let title = if new.draft { draft::marked(DRAFT, &new.title, true) } else { new.title.clone() };
        let json = json!({ "title": title, "body": new.body, "head": new.head.as_str(), "base": new.base });
        let order = Order::post(operation, self.at(&["pulls"]), &json);
        self.http.once_as(order, budget).await.map(Pull::into_found)
    }

    pub(crate) async fn get(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let url = self.at(&["pulls", &number.to_string()]);
        self.http.read_as(Operation::GetPullRequest, url, budget).await.map(Pull::into_found)
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
        put_some(&mut json, [("body", &change.body), ("base", &change.base)]);
        self.patch(number, &json, budget).await
    }

    pub(crate) async fn set_draft(
        &self,
        found: &Found,
        draft: bool,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        let json = json!({"title": draft::marked(DRAFT, &found.title, draft)});
        self.patch(found.number, &json, budget).await.map(drop)
    }

    pub(crate) async fn close(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        self.patch(number, &json!({"state": "closed"}), budget).await
    }

    async fn patch(&self, number: u64, json: &Value, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let operation = Operation::UpdatePullRequest;
        let order = Order::patch(operation, self.at(&["pulls", &number.to_string()]), json);
        self.http.change_as(&order, budget).await.map(Pull::into_found)
    }

    /// Merges, once. What it made, only the pull request tells afterwards.
    pub(crate) async fn merge_once(
        &self,
        number: u64,
        wanted: &MergeOrder,
        budget: &Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        let way = match wanted.method {
            MergeMethod::Squash => "squash",
            MergeMethod::Merge => "merge",
            MergeMethod::Rebase => "rebase",
        };
        let mut json = json!({
            "Do": way, "head_commit_id": wanted.head.as_str(), "delete_branch_after_merge": false,
            "merge_when_checks_succeed": false, "force_merge": false,
        });
        put_some(&mut json, [("MergeTitleField", &wanted.title), ("MergeMessageField", &wanted.message)]);
        let order = Order::post(Operation::Merge, self.at(&["pulls", &number.to_string(), "merge"]), &json);
        self.http.send_once(order, budget.request_timeout()).await.map(|_| None)
    }
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    state: State,
    #[serde(default)]
    title: String,
    #[serde(default)]
    merged: bool,
    mergeable: Option<bool>,
    merge_commit_sha: Option<String>,
    merge_base: Option<String>,
    body: Option<String>,
    head: Side,
    base: Side,
}

#[derive(Debug, Deserialize)]
struct Side {
    /// `refs/pull/N/head` once the branch is deleted; the label keeps the name.
    #[serde(rename = "ref")]
    reference: String,
    label: Option<String>,
    #[serde(default)]
    sha: String,
    repo: Option<NamedRepository>,
}

impl Side {
    fn branch(&self) -> String {
        let name = if self.reference.starts_with("refs/pull/") { self.label.as_ref() } else { None };
        let name = name.unwrap_or(&self.reference);
        name.split_once(':').map_or(name.as_str(), |(_, branch)| branch).to_owned()
    }
}

impl Pull {
    /// `mergeable` is `false` for a conflict, for a draft, and while Gitea has not looked yet: one that stays `false` is a
    /// conflict, unless it is a draft.
    fn fit(&self, draft: bool) -> Fit {
        let behind = self
            .merge_base
            .as_ref()
            .is_some_and(|common| *common != self.base.sha && !self.base.sha.is_empty());
        match self.mergeable {
            Some(true) if behind => Fit::settled(Mergeability::Behind),
            Some(true) => Fit::settled(Mergeability::Clean),
            Some(false) if draft => Fit::settled(Mergeability::Unknown),
            Some(false) => Fit { mergeability: Mergeability::Conflict, settled: false },
            None => Fit::default(),
        }
    }

    fn into_found(self) -> Found {
        let (title, draft) = draft::split(&self.title);
        let (title, fit) = (title.to_owned(), self.fit(draft));
        let state = match (self.state, self.merged) {
            (State::Open, _) => PullRequestState::Open,
            (State::Closed, true) => PullRequestState::Merged,
            (State::Closed, false) => PullRequestState::Closed,
        };
        Found {
            number: self.number,
            url: self.html_url,
            state,
            title,
            draft,
            base: self.base.branch(),
            head: self.head.branch(),
            head_commit: self.head.sha,
            head_repository: self.head.repo.map(|repo| repo.full_name),
            body: self.body.unwrap_or_default(),
            merge_commit: self.merge_commit_sha,
            fit,
            node: None,
        }
    }
}
