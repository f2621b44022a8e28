//! GitHub's events.
//!
//! Owns no state. Which event it is stands in a header that the signature does not cover: a payload that does not fit it
//! is malformed, never something else.

use super::payload::Payload;
use super::{Event, Malformed, What};
use crate::request::PullRequestState;
use crate::talk::Opinion;

pub(super) fn read(event: &str, payload: Payload<'_>) -> Result<Event, Malformed> {
    let what = what(event, payload)?;
    let repository = payload.text("/repository/full_name").unwrap_or("").to_owned();
    if repository.is_empty() && !matches!(what, What::Ping | What::Ignored) {
        return Err(Malformed("the repository is missing"));
    }
    Ok(Event { repository, actor: payload.actor("/sender/login", "/sender/type"), what })
}

fn what(event: &str, payload: Payload<'_>) -> Result<What, Malformed> {
    let action = payload.text("/action").unwrap_or("");
    Ok(match (event, action) {
        ("ping", _) => What::Ping,
        ("issues", "labeled" | "opened") if !payload.has("/issue/pull_request") => labeled(payload)?,
        ("issue_comment", "created") => What::IssueComment {
            number: payload.number("/issue/number")?,
            on_pull_request: payload.has("/issue/pull_request"),
            body: payload.text("/comment/body").unwrap_or("").to_owned(),
        },
        ("pull_request", _) => pull_request(payload)?,
        ("pull_request_review", "submitted" | "dismissed" | "edited") => {
            let opinion = match payload.text("/review/state") {
                Some("approved") => Some(Opinion::Approved),
                Some("changes_requested") => Some(Opinion::ChangesRequested),
                Some(_) | None => None,
            };
            What::Review { number: payload.number("/pull_request/number")?, opinion }
        }
        ("pull_request_review_comment", "created") => {
            What::Review { number: payload.number("/pull_request/number")?, opinion: None }
        }
        ("check_run", "completed") => checked(payload, "/check_run/head_sha")?,
        ("check_suite", "completed") => checked(payload, "/check_suite/head_sha")?,
        ("workflow_run", "completed") => checked(payload, "/workflow_run/head_sha")?,
        ("status", _) if !payload.is("/state", "pending") => checked(payload, "/sha")?,
        ("push", _) => pushed(payload)?,
        _ => What::Ignored,
    })
}

/// As Gitea's, which was modelled on it.
pub(super) fn labeled(payload: Payload<'_>) -> Result<What, Malformed> {
    let labels = payload.texts("/issue/labels", "name");
    let number = payload.number("/issue/number")?;
    Ok(if labels.is_empty() { What::Ignored } else { What::IssueLabeled { number, labels } })
}

pub(super) fn pull_request(payload: Payload<'_>) -> Result<What, Malformed> {
    let state = match (payload.text("/pull_request/state"), payload.truth("/pull_request/merged")) {
        (_, true) => PullRequestState::Merged,
        (Some("open"), false) => PullRequestState::Open,
        (Some("closed"), false) => PullRequestState::Closed,
        _ => return Err(Malformed("the pull request's state is missing")),
    };
    Ok(What::PullRequest {
        number: payload.number("/pull_request/number")?,
        state,
        head: payload.owned("/pull_request/head/ref")?,
        tip: payload.commit("/pull_request/head/sha"),
    })
}

pub(super) fn checked(payload: Payload<'_>, at: &str) -> Result<What, Malformed> {
    payload.commit(at).map(|commit| What::CheckFinished { commit }).ok_or(Malformed("the commit is missing"))
}

pub(super) fn pushed(payload: Payload<'_>) -> Result<What, Malformed> {
    payload.owned("/ref")?;
    Ok(payload
        .branch("/ref")
        .map_or(What::Ignored, |branch| What::Push { branch, tip: payload.commit("/after") }))
}
