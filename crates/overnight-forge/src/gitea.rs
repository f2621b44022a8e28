//! The REST API of Gitea and Forgejo, as far as we need it.
//!
//! Owns the connection. What differs from GitHub: the list of pull requests has no filter for the branch they come
//! from, there is no draft field (a title that begins with `WIP:` is a draft), and a duplicate is a 409.

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

const DIALECT: Dialect = Dialect { scheme: "token", headers: &[("accept", "application/json")] };
/// Gitea's largest page unless its owner changed it.
const PAGE: usize = 50;
/// Pages of open pull requests, newest change first: 2,000 of them.
const MAX_OPEN_PAGES: usize = 40;
/// Pages of closed pull requests, newest change first. One that a person closed while its job was running is among
/// the first; what is older does not concern a running job.
const MAX_CLOSED_PAGES: usize = 4;

/// A repository on Gitea or Forgejo.
#[derive(Debug)]
pub struct Gitea {
    address: ForgeAddress,
    http: Http,
}

impl Gitea {
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

    /// The pull requests from `head`: all open ones, and the closed ones of late.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let mut found = self.list("open", MAX_OPEN_PAGES, head, budget).await?;
        found.extend(self.list("closed", MAX_CLOSED_PAGES, head, budget).await?);
        Ok(found)
    }

    /// A page may hold fewer entries than asked for, where the server's own limit is lower: only an empty one is the last.
    async fn list(
        &self,
        state: &str,
        pages: usize,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let operation = Operation::FindPullRequests;
        let mut found = Vec::new();
        for page in 1..=pages {
            let mut url = self.address.repository_endpoint(&["pulls"]);
            url.query_pairs_mut()
                .append_pair("state", state)
                .append_pair("sort", "recentupdate")
                .append_pair("limit", &PAGE.to_string())
                .append_pair("page", &page.to_string());
            let answer = self.http.get(operation, url, budget).await?;
            let more = answer
                .headers
                .get("link")
                .and_then(|link| link.to_str().ok())
                .map(|link| link.contains("rel=\"next\""));
            let pulls: Vec<Pull> = self.decode(operation, answer.json)?;
            let last = pulls.is_empty() || more == Some(false) || (more.is_none() && pulls.len() < PAGE);
            found.extend(pulls.into_iter().map(Pull::into_found).filter(|pull| pull.head == head.as_str()));
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
        let title = if new.draft { format!("WIP: {}", new.title) } else { new.title.clone() };
        let json = json!({ "title": title, "body": new.body, "head": new.head.as_str(), "base": new.base });
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
        let user: User = self.decode(Operation::GetAccount, answer.json)?;
        Ok(Account { login: user.login, scopes: None })
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
    #[serde(default)]
    merged: bool,
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
    fn into_found(self) -> Found {
        let state = match (self.state, self.merged) {
            (State::Open, _) => PullRequestState::Open,
            (State::Closed, true) => PullRequestState::Merged,
            (State::Closed, false) => PullRequestState::Closed,
        };
        Found {
            number: self.number,
            url: self.html_url,
            state,
            base: self.base.branch(),
            head: self.head.branch(),
            head_commit: self.head.sha,
            head_repository: self.head.repo.map(|repo| repo.full_name),
            body: self.body.unwrap_or_default(),
        }
    }
}
