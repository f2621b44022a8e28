//! GitLab's REST API, as far as we need it.
//!
//! Owns the connection. What differs from GitHub: a project is named by its whole path, a pull request is a merge request
//! with a number of its own sequence, a draft is a title that begins with `Draft:`, and how merging works is a setting of
//! the project.

mod branches;
mod checks;
mod issues;
mod pulls;
mod reviews;

use overnight_core::secret::Secret;
use serde::Deserialize;

use crate::address::ForgeAddress;
use crate::error::{ForgeError, Operation};
use crate::http::{Auth, Dialect, Http};
use crate::paging::Pages;
use crate::request::{Account, RepositoryInfo};
use crate::retry::{Budget, Settings};

/// Personal, project, group and OAuth tokens are all taken this way.
const DIALECT: Dialect = Dialect { scheme: "Bearer", headers: &[("accept", "application/json")] };
/// GitLab's largest page; 2,000 entries of a list in all.
const LIST: Pages = Pages { size_key: "per_page", size: 100, most: 20, field: None };
/// The access level "Developer", which may push and merge.
const DEVELOPER: u64 = 30;

/// A project on GitLab.
#[derive(Debug)]
pub struct GitLab {
    address: ForgeAddress,
    http: Http,
}

#[derive(Debug, Deserialize)]
struct Project {
    /// `null` before the first push.
    default_branch: Option<String>,
    #[serde(default)]
    archived: bool,
    permissions: Option<Permissions>,
    merge_method: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Permissions {
    project_access: Option<Access>,
    group_access: Option<Access>,
}

#[derive(Debug, Deserialize)]
struct Access {
    access_level: u64,
}

#[derive(Debug, Deserialize)]
struct User {
    username: String,
}

impl GitLab {
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
        let project = self.project(budget).await?;
        let Some(default_branch) = project.default_branch else {
            return Err(self
                .http
                .unexpected(Operation::GetRepository, "the project has no default branch yet"));
        };
        let can_push = project.permissions.map(|granted| {
            [granted.project_access, granted.group_access]
                .into_iter()
                .flatten()
                .any(|access| access.access_level >= DEVELOPER)
        });
        Ok(RepositoryInfo { default_branch, can_push, archived: project.archived })
    }

    async fn project(&self, budget: &mut Budget<'_>) -> Result<Project, ForgeError> {
        self.http.read_as(Operation::GetRepository, self.at(&[]), budget).await
    }

    pub(crate) async fn account(&self, budget: &mut Budget<'_>) -> Result<Account, ForgeError> {
        let url = self.address.endpoint(&["user"]);
        let user: User = self.http.read_as(Operation::GetAccount, url, budget).await?;
        Ok(Account { login: user.username, scopes: None })
    }

    fn at(&self, segments: &[&str]) -> reqwest::Url {
        self.address.project_endpoint(segments)
    }
}
