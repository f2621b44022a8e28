//! Changes of a pull request: title, text and draft, in the ways in which GitHub and Gitea take them.
//!
//! Owns no state.

use serde_json::{Value, json};

use super::api::{Reply, error, show_pull};
use super::log::LoggedRequest;
use super::server::{Flavour, Hub};
use super::state::{FakePullRequest, FakeToken, Repository, State};

/// `PATCH` on a pull request. What a forge does not take this way, such as GitHub a draft, is left as it is.
pub(super) fn change(
    hub: &Hub,
    repository: &mut Repository,
    token: &FakeToken,
    number: u64,
    request: &LoggedRequest,
) -> Reply {
    if !token.can_push {
        return error(hub, 403, "Resource not accessible by personal access token");
    }
    let Ok(json) = serde_json::from_slice::<Value>(&request.body) else {
        return error(hub, 400, "Problems parsing JSON");
    };
    let Some(at) = repository.pulls.iter().position(|pull| pull.number == number) else {
        return error(hub, 404, "Not Found");
    };
    let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
    let pull = &mut repository.pulls[at];
    if let Some(title) = text("title") {
        if hub.flavour == Flavour::Gitea {
            pull.draft = title.starts_with("WIP:") || title.starts_with("[WIP]");
        }
        pull.title = title;
    }
    if let Some(body) = text("body") {
        pull.body = body;
    }
    let pull = repository.pulls[at].clone();
    let status = if hub.flavour == Flavour::Gitea { 201 } else { 200 };
    Reply::json(status, &show_pull(hub, repository, &pull, true))
}

/// GitHub's two mutations of a draft.
pub(super) fn graphql(state: &mut State, token: &FakeToken, request: &LoggedRequest) -> Reply {
    let json: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let query = json["query"].as_str().unwrap_or_default();
    let id = json["variables"]["id"].as_str().unwrap_or_default();
    let draft = match (
        query.contains("markPullRequestReadyForReview"),
        query.contains("convertPullRequestToDraft"),
    ) {
        (true, false) => false,
        (false, true) => true,
        (_, _) => return refused("the query is not known here"),
    };
    let pulls = state.repositories.iter_mut().flat_map(|repository| repository.pulls.iter_mut());
    let named = |pull: &&mut FakePullRequest| format!("PR_{}", pull.number) == id;
    let Some(pull) = pulls.into_iter().find(named) else { return refused("Could not resolve to a node") };
    if !token.can_push {
        return refused("Resource not accessible by personal access token");
    }
    pull.draft = draft;
    let name = if draft { "convertPullRequestToDraft" } else { "markPullRequestReadyForReview" };
    Reply::json(200, &json!({ "data": { name: { "pullRequest": { "isDraft": draft } } } }))
}

/// GraphQL says no with a status of success.
fn refused(why: &str) -> Reply {
    Reply::json(200, &json!({ "data": null, "errors": [{ "message": why }] }))
}
