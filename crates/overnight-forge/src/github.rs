//! GitHub's REST API (also GitHub Enterprise Server), as far as we need it.
//!
//! Owns the connection. Must not believe GitHub's filters: a filter that GitHub does not understand is ignored by it.

use overnight_core::git::BranchName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::address::ForgeAddress;
use crate::error::{ForgeError, Operation};
use crate::http::{Dialect, Http, Order};
use crate::request::{Account, Found, NewPullRequest, PullRequestState, RepositoryInfo};
use crate::retry::{Budget, Settings};
use crate::wire::{NamedRepository, Repository, State, User};
use overnight_core::secret::Secret;

const DIALECT: Dialect = Dialect {
    scheme: "Bearer",
    headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
};
/// GitHub's largest page.
const PAGE: usize = 100;
/// One branch with more pull requests than this is not ours.
const MAX_PAGES: usize = 5;

/// A repository on GitHub.
#[derive(Debug)]
pub struct GitHub {
    address: ForgeAddress,
    http: Http,
}

impl GitHub {
    pub(crate) fn connect(
        address: ForgeAddress,
        token: Secret,
        settings: Settings,
    ) -> Result<Self, ForgeError> {
        let http = Http::new(&DIALECT, token, settings, &address.to_string())?;
        Ok(Self { address, http })
    }

    pub(crate) fn address(&self) -> &ForgeAddress {
        &self.address
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Every pull request from `head` of this repository, open or not.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let operation = Operation::FindPullRequests;
        let mut found = Vec::new();
        for page in 1..=MAX_PAGES {
            let mut url = self.address.repository_endpoint(&["pulls"]);
            url.query_pairs_mut()
                .append_pair("state", "all")
                .append_pair("head", &format!("{}:{head}", self.address.owner()))
                .append_pair("per_page", &PAGE.to_string())
                .append_pair("page", &page.to_string());
            let answer = self.http.get(operation, url, budget).await?;
            let pulls: Vec<Pull> = self.decode(operation, answer.json)?;
            let last = pulls.len() < PAGE;
            found.extend(pulls.into_iter().map(Pull::into_found));
            if last {
                break;
            }
        }
        Ok(found)
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
        let url = self.address.repository_endpoint(&["pulls"]);
        let order = Order { operation, url, json: Some(&json), patch: false };
        let answer = self.http.send_once(order, budget.request_timeout()).await?;
        self.decode(operation, answer.json).map(Pull::into_found)
    }

    pub(crate) async fn get(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        let url = self.address.repository_endpoint(&["pulls", &number.to_string()]);
        let answer = self.http.get(Operation::GetPullRequest, url, budget).await?;
        self.decode(Operation::GetPullRequest, answer.json).map(Pull::into_found)
    }

    pub(crate) async fn repository(&self, budget: &mut Budget<'_>) -> Result<RepositoryInfo, ForgeError> {
        let url = self.address.repository_endpoint(&[]);
        let answer = self.http.get(Operation::GetRepository, url, budget).await?;
        let repository: Repository = self.decode(Operation::GetRepository, answer.json)?;
        Ok(repository.into_info())
    }

    pub(crate) async fn account(&self, budget: &mut Budget<'_>) -> Result<Account, ForgeError> {
        let answer = self.http.get(Operation::GetAccount, self.address.endpoint(&["user"]), budget).await?;
        let scopes = answer.headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok()).map(|list| {
            list.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect()
        });
        let user: User = self.decode(Operation::GetAccount, answer.json)?;
        Ok(Account { login: user.login, scopes })
    }

    fn decode<T: for<'de> Deserialize<'de>>(
        &self,
        operation: Operation,
        json: Value,
    ) -> Result<T, ForgeError> {
        serde_json::from_value(json).map_err(|error| self.http.unexpected(operation, error.to_string()))
    }
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    state: State,
    merged_at: Option<String>,
    body: Option<String>,
    head: Side,
    base: Side,
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
    fn into_found(self) -> Found {
        let state = match (self.state, self.merged_at) {
            (State::Open, _) => PullRequestState::Open,
            (State::Closed, Some(_)) => PullRequestState::Merged,
            (State::Closed, None) => PullRequestState::Closed,
        };
        Found {
            number: self.number,
            url: self.html_url,
            state,
            base: self.base.branch,
            head: self.head.branch,
            head_commit: self.head.sha,
            head_repository: self.head.repo.map(|repo| repo.full_name),
            body: self.body.unwrap_or_default(),
        }
    }
}
