//! The parts of their answers that GitHub and Gitea have in common, because the one was modelled on the other.
//!
//! Owns no state. What differs stays with each client.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::RepositoryInfo;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Open,
    Closed,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NamedRepository {
    pub(crate) full_name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    pub(crate) default_branch: String,
    #[serde(default)]
    pub(crate) archived: bool,
    pub(crate) permissions: Option<Permissions>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Permissions {
    pub(crate) push: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) login: String,
}

/// Puts those fields into an object that have a value.
pub(crate) fn put_some<const N: usize>(json: &mut Value, fields: [(&str, &Option<String>); N]) {
    for (name, value) in fields {
        if let Some(value) = value {
            json[name] = json!(value);
        }
    }
}

impl Repository {
    pub(crate) fn into_info(self) -> RepositoryInfo {
        RepositoryInfo {
            default_branch: self.default_branch,
            can_push: self.permissions.map(|granted| granted.push),
            archived: self.archived,
        }
    }
}
