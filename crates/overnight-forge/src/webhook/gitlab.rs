//! GitLab's events. Which one it is stands in the payload.
//!
//! Owns no state.

use super::payload::Payload;
use super::{Event, Malformed, What};
use crate::request::PullRequestState;
use crate::talk::Opinion;

pub(super) fn read(payload: Payload<'_>) -> Result<Event, Malformed> {
    let what = what(payload)?;
    let repository = payload.text("/project/path_with_namespace").unwrap_or("").to_owned();
    if repository.is_empty() && !matches!(what, What::Ignored) {
        return Err(Malformed("the project is missing"));
    }
    let actor = payload.actor("/user/username", "").or_else(|| payload.actor("/user_username", ""));
    Ok(Event { repository, actor, what })
}

fn what(payload: Payload<'_>) -> Result<What, Malformed> {
    let action = payload.text("/object_attributes/action").unwrap_or("");
    Ok(match payload.text("/object_kind").ok_or(Malformed("the kind of event is missing"))? {
        "issue" => {
            let labels = payload.texts("/labels", "title");
            let concerns = !labels.is_empty() && (action == "open" || payload.has("/changes/labels"));
            let number = payload.number("/object_attributes/iid")?;
            if concerns { What::IssueLabeled { number, labels } } else { What::Ignored }
        }
        "note" => note(payload)?,
        "merge_request" => merge_request(payload, action)?,
        "pipeline" => match payload.text("/object_attributes/status") {
            Some("success" | "failed" | "canceled" | "skipped") => {
                super::github::checked(payload, "/object_attributes/sha")?
            }
            Some(_) | None => What::Ignored,
        },
        "push" => super::github::pushed(payload)?,
        _ => What::Ignored,
    })
}

fn note(payload: Payload<'_>) -> Result<What, Malformed> {
    if payload.truth("/object_attributes/system") || payload.is("/object_attributes/action", "update") {
        return Ok(What::Ignored);
    }
    let body = payload.text("/object_attributes/note").unwrap_or("").to_owned();
    Ok(match payload.text("/object_attributes/noteable_type") {
        Some("Issue") => {
            What::IssueComment { number: payload.number("/issue/iid")?, on_pull_request: false, body }
        }
        Some("MergeRequest") => {
            What::IssueComment { number: payload.number("/merge_request/iid")?, on_pull_request: true, body }
        }
        Some(_) | None => What::Ignored,
    })
}

fn merge_request(payload: Payload<'_>, action: &str) -> Result<What, Malformed> {
    let number = payload.number("/object_attributes/iid")?;
    match action {
        "approved" | "approval" => return Ok(What::Review { number, opinion: Some(Opinion::Approved) }),
        "unapproved" | "unapproval" => return Ok(What::Review { number, opinion: None }),
        _ => {}
    }
    let state = match payload.text("/object_attributes/state") {
        Some("merged") => PullRequestState::Merged,
        Some("closed") => PullRequestState::Closed,
        Some("opened" | "locked") => PullRequestState::Open,
        Some(_) | None => return Err(Malformed("the merge request's state is missing")),
    };
    let head = payload.owned("/object_attributes/source_branch")?;
    Ok(What::PullRequest { number, state, head, tip: payload.commit("/object_attributes/last_commit/id") })
}
