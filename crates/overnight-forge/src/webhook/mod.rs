//! What forges send us: first whether it is from them, over the raw bytes, and only then what it says.
//!
//! Owns no state. [`verify`] is the only way to a [`Verified`], and [`Verified::read`] the only way to an [`Event`]. An
//! event is a hint that something may have changed: whoever acts on it asks the forge first.

mod gitea;
mod github;
mod gitlab;
mod payload;
mod signature;
#[cfg(test)]
mod tests;

use overnight_core::git::CommitId;
use overnight_core::secret::Secret;
use overnight_core::units::Timestamp;
use reqwest::header::HeaderMap;

use crate::address::ForgeKind;
use crate::request::PullRequestState;
use crate::talk::Opinion;
use payload::Payload;

/// A longer body is refused before it is looked at. Titles and comments of the longest kind stay far below; a push of
/// thousands of commits does not, and is found by asking.
pub const MAX_BODY: usize = 5 << 20;
/// How far a signed time may be from ours, either way.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Bytes of a delivery's id.
const MAX_ID: usize = 200;

/// What a hook's forge and we both know. Never empty: an empty one would let everybody in.
#[derive(Debug, Clone)]
pub struct HookSecret(Secret);

impl HookSecret {
    /// `None` for an empty one.
    #[must_use]
    pub fn new(secret: Secret) -> Option<Self> {
        (!secret.expose().trim().is_empty()).then_some(Self(secret))
    }
}

/// Why a delivery is not believed. None of them tells the sender what the right answer would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("there is no signature of a kind that is accepted")]
    NoSignature,
    #[error("a header that must be there once is there several times")]
    Ambiguous,
    #[error("the signature is not that of this body")]
    WrongSignature,
    #[error("the delivery has no id")]
    NoDelivery,
    #[error("the delivery was signed too long ago, or in our future")]
    Stale,
}

/// Signed by the forge, but not what this forge is known to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event cannot be read: {0}")]
pub struct Malformed(pub(crate) &'static str);

/// By what a delivery is known again. Two texts, because GitHub's and Gitea's signature does not cover the id: a
/// delivery is new only when neither was seen before, so that a copy under another id is refused as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryKey {
    /// The forge's own id; the same when it delivers again.
    pub id: String,
    /// The body's digest.
    pub digest: String,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub login: String,
    /// By the forge's own word; GitHub alone tells.
    pub bot: bool,
}

/// A delivery in our own words. Texts in it are untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `owner/repo`, for the list of repositories that may send us anything. Empty for some pings.
    pub repository: String,
    pub actor: Option<Actor>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Ping,
    /// Labels changed, or an issue was opened with some: those that it has now.
    IssueLabeled {
        number: u64,
        labels: Vec<String>,
    },
    /// A new comment on an issue or a pull request.
    IssueComment {
        number: u64,
        on_pull_request: bool,
        body: String,
    },
    PullRequest {
        number: u64,
        state: PullRequestState,
        head: String,
        tip: Option<CommitId>,
    },
    Review {
        number: u64,
        opinion: Option<Opinion>,
    },
    /// Something that reports on this commit is done.
    CheckFinished {
        commit: CommitId,
    },
    Push {
        branch: String,
        tip: Option<CommitId>,
    },
    /// Nothing that concerns us.
    Ignored,
}

/// A delivery whose sender is known.
#[derive(Debug)]
pub struct Verified<'a> {
    kind: ForgeKind,
    event: String,
    body: &'a [u8],
    key: DeliveryKey,
}

/// Whether a delivery is from the forge. The body must be exactly what came over the wire.
///
/// # Errors
/// [`Refusal`]; nothing of the body was looked at.
pub fn verify<'a>(
    kind: ForgeKind,
    headers: &HeaderMap,
    body: &'a [u8],
    secret: &HookSecret,
    now: Timestamp,
) -> Result<Verified<'a>, Refusal> {
    if body.len() > MAX_BODY {
        return Err(Refusal::TooLarge);
    }
    match kind {
        ForgeKind::GitHub => signature::github(headers, body, &secret.0)?,
        ForgeKind::Gitea => signature::gitea(headers, body, &secret.0)?,
        ForgeKind::GitLab => signature::gitlab(headers, body, &secret.0, now)?,
    }
    let (ids, events): (&[&str], &[&str]) = match kind {
        ForgeKind::GitHub => (&["x-github-delivery"], &["x-github-event"]),
        ForgeKind::Gitea => {
            (&["x-forgejo-delivery", "x-gitea-delivery"], &["x-forgejo-event", "x-gitea-event"])
        }
        ForgeKind::GitLab => (&["webhook-id", "idempotency-key", "x-gitlab-event-uuid"], &["x-gitlab-event"]),
    };
    let id =
        first(headers, ids)?.filter(|id| !id.is_empty() && id.len() <= MAX_ID).ok_or(Refusal::NoDelivery)?;
    let key = DeliveryKey { id: id.to_owned(), digest: signature::digest(body) };
    let event = first(headers, events)?.unwrap_or("").to_owned();
    Ok(Verified { kind, event, body, key })
}

impl Verified<'_> {
    #[must_use]
    pub fn key(&self) -> &DeliveryKey {
        &self.key
    }

    /// What it says.
    ///
    /// # Errors
    /// [`Malformed`] when it is not what this forge is known to send. Events that do not concern us are no error.
    pub fn read(&self) -> Result<Event, Malformed> {
        let json = serde_json::from_slice(self.body).map_err(|_| Malformed("the body is not JSON"))?;
        let payload = Payload::new(&json);
        match self.kind {
            ForgeKind::GitHub => github::read(&self.event, payload),
            ForgeKind::Gitea => gitea::read(&self.event, payload),
            ForgeKind::GitLab => gitlab::read(payload),
        }
    }
}

/// The value of the first of `names` that is there. Two values of one name could be read differently by a proxy.
fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Result<Option<&'a str>, Refusal> {
    for name in names {
        let mut values = headers.get_all(*name).iter();
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => return Err(Refusal::Ambiguous),
            (Some(value), None) => return Ok(value.to_str().ok().map(str::trim)),
            (None, _) => {}
        }
    }
    Ok(None)
}
