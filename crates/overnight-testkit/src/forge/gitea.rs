//! Gitea's shapes, from its documentation; not compared with anything by a machine.
//!
//! Owns no state.

use serde_json::{Value, json};

use super::api::Reply;
use super::server::Hub;
use super::state::{FakePullRequest, PullState, Repository};

const WHEN: &str = "2024-02-29T00:00:00Z";

pub(super) fn error(hub: &Hub, status: u16, message: &str) -> Reply {
    let mut body = json!({"message": message, "url": format!("{}/api/swagger", hub.web_base())});
    if status == 404 {
        body["errors"] = json!([]);
    }
    Reply::json(status, &body)
}

pub(super) fn duplicate(hub: &Hub, repository: &Repository, twin: &FakePullRequest) -> Reply {
    let (number, id) = (twin.number, repository.id);
    let message = format!(
        "pull request already exists for these targets [id: {number}, issue_id: {number}, head_repo_id: {id}, \
         base_repo_id: {id}, head_branch: {}, base_branch: {}]",
        twin.head, twin.base
    );
    error(hub, 409, &message)
}

pub(super) fn user(hub: &Hub, login: &str) -> Value {
    let web = hub.web_base();
    json!({
        "id": 1, "login": login, "login_name": "", "source_id": 0, "full_name": "", "email": format!("{login}@example.com"),
        "avatar_url": format!("{web}/avatars/1"), "html_url": format!("{web}/{login}"), "language": "", "is_admin": false,
        "last_login": WHEN, "created": WHEN, "restricted": false, "active": true, "prohibit_login": false, "location": "",
        "website": "", "description": "", "visibility": "public", "followers_count": 0, "following_count": 0,
        "starred_repos_count": 0,
    })
}

pub(super) fn repository(hub: &Hub, repository: &Repository, can_push: bool) -> Value {
    let (full_name, web) = (&repository.full_name, hub.web_base());
    let open = repository.pulls.iter().filter(|pull| pull.state == PullState::Open).count();
    json!({
        "id": repository.id, "owner": user(hub, repository.owner()), "name": repository.name(), "full_name": full_name,
        "description": "", "empty": false, "private": true, "fork": false, "template": false, "mirror": false, "size": 0,
        "language": "", "html_url": format!("{web}/{full_name}"), "url": format!("{}/repos/{full_name}", hub.api_base()),
        "link": "", "ssh_url": format!("git@127.0.0.1:{full_name}.git"), "clone_url": format!("{web}/{full_name}.git"),
        "website": "", "stars_count": 0, "forks_count": 0, "watchers_count": 0, "open_issues_count": 0,
        "open_pr_counter": open, "release_counter": 0, "default_branch": "main", "archived": false, "created_at": WHEN,
        "updated_at": WHEN, "permissions": {"admin": false, "push": can_push, "pull": true}, "has_issues": true,
        "has_wiki": true, "has_pull_requests": true, "has_projects": true, "allow_merge_commits": true, "internal": false,
        "avatar_url": "", "object_format_name": "sha1",
    })
}

pub(super) fn pull(hub: &Hub, shown: &Repository, pull: &FakePullRequest) -> Value {
    let web = format!("{}/{}/pulls/{}", hub.web_base(), shown.full_name, pull.number);
    let open = pull.state == PullState::Open;
    let merged = pull.state == PullState::Merged;
    json!({
        "id": pull.number, "url": web, "number": pull.number, "user": user(hub, &pull.author), "title": pull.title,
        "body": pull.body, "labels": [], "milestone": null, "assignee": null, "assignees": null,
        "requested_reviewers": null, "state": if open { "open" } else { "closed" }, "draft": pull.draft,
        "is_locked": false, "comments": 0, "html_url": web, "diff_url": format!("{web}.diff"),
        "patch_url": format!("{web}.patch"), "mergeable": open, "merged": merged,
        "merged_at": if merged { json!(WHEN) } else { Value::Null }, "merge_commit_sha": null, "merged_by": null,
        "allow_maintainer_edit": false, "merge_base": pull.base_commit, "due_date": null, "created_at": WHEN,
        "updated_at": WHEN, "closed_at": if open { Value::Null } else { json!(WHEN) }, "pin_order": 0,
        "base": side(hub, shown, &shown.full_name, &pull.base, &pull.base, &pull.base_commit),
        "head": head(hub, shown, pull),
    })
}

/// Once its branch is gone, a head is known by the pull request's own ref; the label keeps the name.
fn head(hub: &Hub, shown: &Repository, pull: &FakePullRequest) -> Value {
    let is_here = pull.head_repository == shown.full_name;
    let gone = is_here && matches!(shown.bare.tip(&pull.head), Ok(None));
    let reference = if gone { format!("refs/pull/{}/head", pull.number) } else { pull.head.clone() };
    side(hub, shown, &pull.head_repository, &pull.head, &reference, &pull.head_commit)
}

fn side(hub: &Hub, shown: &Repository, full_name: &str, label: &str, reference: &str, commit: &str) -> Value {
    let mut repo = repository(hub, shown, true);
    repo["full_name"] = json!(full_name);
    json!({"label": label, "ref": reference, "sha": commit, "repo_id": shown.id, "repo": repo})
}
