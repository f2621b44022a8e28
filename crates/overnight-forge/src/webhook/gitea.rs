//! The events of Gitea and Forgejo.
//!
//! Owns no state. Labels come as the whole list, and each kind of review is an event of its own.

use super::github::{checked, labeled, pull_request, pushed};
use super::payload::Payload;
use super::{Event, Malformed, What};
use crate::talk::Opinion;

pub(super) fn read(event: &str, payload: Payload<'_>) -> Result<Event, Malformed> {
    let what = what(event, payload)?;
    let repository = payload.text("/repository/full_name").unwrap_or("").to_owned();
    if repository.is_empty() && !matches!(what, What::Ping | What::Ignored) {
        return Err(Malformed("the repository is missing"));
    }
    let actor =
        payload.actor("/sender/login", "/sender/type").or_else(|| payload.actor("/sender/username", ""));
    Ok(Event { repository, actor, what })
}

fn what(event: &str, payload: Payload<'_>) -> Result<What, Malformed> {
    let action = payload.text("/action").unwrap_or("");
    let review = |opinion| Ok(What::Review { number: payload.number("/pull_request/number")?, opinion });
    Ok(match (event, action) {
        ("issues" | "issue_label", "opened" | "label_updated") => labeled(payload)?,
        ("pull_request_approved", _) => review(Some(Opinion::Approved))?,
        ("pull_request_rejected", _) => review(Some(Opinion::ChangesRequested))?,
        ("pull_request_comment" | "pull_request_review_comment", "reviewed") => review(None)?,
        ("issue_comment" | "pull_request_comment", "created") => What::IssueComment {
            number: payload.number("/issue/number")?,
            on_pull_request: payload.truth("/is_pull") || payload.has("/issue/pull_request"),
            body: payload.text("/comment/body").unwrap_or("").to_owned(),
        },
        ("pull_request" | "pull_request_sync" | "pull_request_label", _) => pull_request(payload)?,
        ("status", _) if !payload.is("/state", "pending") => checked(payload, "/sha")?,
        ("workflow_run", "completed") => checked(payload, "/workflow_run/head_sha")?,
        ("action_run_failure" | "action_run_success" | "action_run_recover", _) => {
            checked(payload, "/run/commit_sha")?
        }
        ("push", _) => pushed(payload)?,
        _ => What::Ignored,
    })
}
