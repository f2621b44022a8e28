//! A login of a vendor. Quotas are the vendor's, per login.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{BackendId, Billing};
use crate::job::Label;

/// Which login of which vendor. Shown as `claude`, or `claude/work` where it has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId {
    pub backend: BackendId,
    pub name: Label,
}

impl AccountId {
    /// The name of a vendor's only login.
    pub const ONLY: &'static str = "default";

    /// The login of a vendor for which none is configured.
    #[must_use]
    pub fn only(backend: BackendId) -> Self {
        match Label::parse(Self::ONLY) {
            Ok(name) => Self { backend, name },
            Err(_) => unreachable!("a plain word is a label"),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.as_str() == Self::ONLY {
            return write!(f, "{}", self.backend);
        }
        write!(f, "{}/{}", self.backend, self.name)
    }
}

/// A login as a worker has it. What is not said is as for a vendor with one login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Where the vendor's CLI keeps this login and its sessions: the value of its own variable for that.
    pub login_dir: Option<PathBuf>,
    pub billing: Option<Billing>,
    /// The variable of the runner's environment that holds this account's key, with key billing.
    pub key_env: Option<String>,
    /// No turn is started below this much of its quota, in per cent: the rest is kept for people.
    pub min_quota: Option<u8>,
    /// Program and arguments that print what is left of the quota, for vendors that do not say so by themselves.
    pub probe: Vec<String>,
}

impl Account {
    /// A login of which nothing is configured.
    #[must_use]
    pub fn new(id: AccountId) -> Self {
        Self { id, login_dir: None, billing: None, key_env: None, min_quota: None, probe: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_where_there_are_several() {
        let only = AccountId::only(BackendId::Claude);
        assert_eq!(only.to_string(), "claude");
        let work = AccountId { name: Label::parse("work").unwrap(), ..only };
        assert_eq!(work.to_string(), "claude/work");
    }
}
