//! GitHub's REST API (also GitHub Enterprise Server), as far as we need it.
//!
//! Owns the connection. Must not believe GitHub's filters: a filter that GitHub does not understand is ignored by it.

mod branches;
mod checks;
mod issues;
mod pulls;
mod reviews;

use crate::address::ForgeAddress;
use crate::app::{AppKey, AppTokens};
use crate::error::{ForgeError, Operation};
use crate::http::{Auth, Dialect, Http};
use crate::paging::Pages;
use crate::request::{Account, RepositoryInfo};
use crate::retry::{Budget, Settings};
use crate::wire::{Repository, User};
use overnight_core::secret::Secret;

const DIALECT: Dialect = Dialect {
    scheme: "Bearer",
    headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
};
/// GitHub's largest page; 2,000 entries of a list in all.
const LIST: Pages = Pages { size_key: "per_page", size: 100, most: 20, field: None };

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
        let http = Http::new(&DIALECT, Auth::Token(token), settings, &address.to_string())?;
        Ok(Self { address, http })
    }

    pub(crate) fn connect_app(
        address: ForgeAddress,
        app: &AppKey,
        settings: Settings,
    ) -> Result<Self, ForgeError> {
        let Some(tokens) = AppTokens::new(app, &address) else {
            let call =
                crate::error::Call { operation: Operation::Connect, repository: address.to_string().into() };
            let problem = "the App's private key is no RSA key in PEM";
            return Err(ForgeError::Unusable { call, problem, source: None });
        };
        let http = Http::new(&DIALECT, Auth::App(Box::new(tokens)), settings, &address.to_string())?;
        Ok(Self { address, http })
    }

    pub(crate) fn address(&self) -> &ForgeAddress {
        &self.address
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) async fn repository(&self, budget: &mut Budget<'_>) -> Result<RepositoryInfo, ForgeError> {
        let url = self.address.repository_endpoint(&[]);
        let repository: Repository = self.http.read_as(Operation::GetRepository, url, budget).await?;
        Ok(repository.into_info())
    }

    pub(crate) async fn account(&self, budget: &mut Budget<'_>) -> Result<Account, ForgeError> {
        if let Some(app) = self.http.app() {
            let login = app.login(&self.http, budget.request_timeout()).await?;
            return Ok(Account { login, scopes: None });
        }
        let answer = self.http.get(Operation::GetAccount, self.address.endpoint(&["user"]), budget).await?;
        let scopes = answer.headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok()).map(|list| {
            list.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect()
        });
        let user: User = self.http.decode(Operation::GetAccount, answer.json)?;
        Ok(Account { login: user.login, scopes })
    }

    /// `<repository>/<segments…>` with numbers where GitHub wants them.
    fn at(&self, segments: &[&str]) -> reqwest::Url {
        self.address.repository_endpoint(segments)
    }
}
