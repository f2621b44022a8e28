//! Who may do what through the API: scopes, tokens' text, and who stands behind a request. Pure; whoever keeps tokens keeps only
//! their hash.

mod token;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Fence, InvalidId, JobId};

pub use token::{InvalidToken, TOKEN_BYTES, TokenKind, TokenText, same};

/// How much a token may do. A higher one of the first three may all that a lower one may; `worker` is apart from them: a
/// machine that claims jobs needs neither to read other people's prompts nor to order anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    Read,
    /// Order, cancel, resume and retry jobs; answer, tell, approve and reject.
    Operate,
    /// Limits, workers, exceptions, and repositories that nobody has registered yet.
    Admin,
    Worker,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Operate, Self::Admin, Self::Worker];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
            Self::Worker => "worker",
        }
    }

    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Whether a token of this scope may do what `needed` is needed for.
    #[must_use]
    pub fn allows(self, needed: Self) -> bool {
        match (self.rank(), needed.rank()) {
            (Some(own), Some(needed)) => own >= needed,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// `None`: not one of those that stand above each other.
    fn rank(self) -> Option<u8> {
        match self {
            Self::Read => Some(0),
            Self::Operate => Some(1),
            Self::Admin => Some(2),
            Self::Worker => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token's row. A UUID v7.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

impl TokenId {
    /// # Errors
    /// [`InvalidId`] for what is no id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::new("token id", text, "only letters, digits and '-' are allowed"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

/// Who stands behind a request, once its token was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A person, or a program of theirs.
    Person { token: TokenId, scope: Scope },
    /// The agent of one job, for as long as the claim with this fence lasts.
    Agent { job: JobId, fence: Fence },
}

impl Principal {
    /// Whether it may do what needs this scope. An agent's token is good for its own job's tools and for nothing here.
    #[must_use]
    pub fn may(&self, needed: Scope) -> bool {
        match self {
            Self::Person { scope, .. } => scope.allows(needed),
            Self::Agent { .. } => false,
        }
    }

    /// Whether it may act as the agent of this job under this claim.
    #[must_use]
    pub fn is_agent_of(&self, wanted: &JobId, current: Fence) -> bool {
        match self {
            Self::Person { .. } => false,
            Self::Agent { job, fence } => job == wanted && *fence == current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_those_below_it_and_workers_stand_apart() {
        let table = |own: Scope| Scope::ALL.map(|needed| own.allows(needed));
        assert_eq!(table(Scope::Read), [true, false, false, false]);
        assert_eq!(table(Scope::Operate), [true, true, false, false]);
        assert_eq!(table(Scope::Admin), [true, true, true, false]);
        assert_eq!(table(Scope::Worker), [false, false, false, true]);
        for scope in Scope::ALL {
            assert_eq!(Scope::find(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
    }

    #[test]
    fn an_agent_is_good_for_its_job_and_its_claim_only() {
        let job = JobId::parse("0190-1").unwrap();
        let agent = Principal::Agent { job: job.clone(), fence: Fence(3) };
        assert!(agent.is_agent_of(&job, Fence(3)));
        assert!(!agent.is_agent_of(&job, Fence(4)));
        assert!(!agent.is_agent_of(&JobId::parse("0190-2").unwrap(), Fence(3)));
        assert!(Scope::ALL.into_iter().all(|scope| !agent.may(scope)));
        let person = Principal::Person { token: TokenId::parse("t-1").unwrap(), scope: Scope::Admin };
        assert!(person.may(Scope::Read) && !person.is_agent_of(&job, Fence(3)));
    }
}
