//! The REST API of Gitea and Forgejo, as far as we need it.
//!
//! Owns the connection. What differs from GitHub: the list of pull requests has no filter for the branch they come
//! from, there is no draft field (a title that begins with `WIP:` is a draft), and a duplicate is a 409.

mod branches;
mod checks;
mod issues;
mod pulls;
mod reviews;

use crate::address::ForgeAddress;
use crate::error::{ForgeError, Operation};
use crate::http::{Auth, Dialect, Http};
use crate::paging::Pages;
use crate::request::{Account, RepositoryInfo};
use crate::retry::{Budget, Settings};
use crate::wire::{Repository, User};
use overnight_core::secret::Secret;

const DIALECT: Dialect = Dialect { scheme: "token", headers: &[("accept", "application/json")] };
/// Gitea's largest page unless its owner changed it; 2,000 entries of a list in all.
const LIST: Pages = Pages { size_key: "limit", size: 50, most: 40, field: None };

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
        let http = Http::new(&DIALECT, Auth::Token(token), settings, &address.to_string())?;
        Ok(Self { address, http })
    }

    pub(crate) fn address(&self) -> &ForgeAddress {
        &self.address
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) async fn repository(&self, budget: &mut Budget<'_>) -> Result<RepositoryInfo, ForgeError> {
        let url = self.at(&[]);
        let repository: Repository = self.http.read_as(Operation::GetRepository, url, budget).await?;
        Ok(repository.into_info())
    }

    pub(crate) async fn account(&self, budget: &mut Budget<'_>) -> Result<Account, ForgeError> {
        let url = self.address.endpoint(&["user"]);
        let user: User = self.http.read_as(Operation::GetAccount, url, budget).await?;
        Ok(Account { login: user.login, scopes: None })
    }

    fn at(&self, segments: &[&str]) -> reqwest::Url {
        self.address.repository_endpoint(segments)
    }
}
