//! GitHub's shapes. Complete in the sense of its published description: every required field is there.
//!
//! Owns no state.

use serde_json::{Map, Value, json};

use super::api::Reply;
use super::server::Hub;
use super::state::{FakePullRequest, PullState, Repository};

const WHEN: &str = "2024-02-29T00:00:00Z";
const DOCUMENTATION: &str = "https://docs.github.com/rest";

pub(super) fn error(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()}),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "callers build the value in place")]
pub(super) fn invalid(problem: Value) -> Reply {
    Reply::json(
        422,
        &json!({
            "message": "Validation Failed",
            "errors": [problem],
            "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
            "status": "422",
        }),
    )
}

/// Fields that are `<base><suffix>`.
fn urls(base: &str, fields: &[(&str, &str)]) -> Map<String, Value> {
    fields
        .iter()
        .map(|(name, suffix)| ((*name).to_owned(), Value::String(format!("{base}{suffix}"))))
        .collect()
}

/// `first` with the fields of `more`, which must be an object as well.
fn joined(mut first: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        first.extend(more);
    }
    Value::Object(first)
}

pub(super) fn user(hub: &Hub, login: &str) -> Value {
    let api = format!("{}/users/{login}", hub.api_base());
    let fields = urls(
        &api,
        &[
            ("url", ""),
            ("followers_url", "/followers"),
            ("following_url", "/following{/other_user}"),
            ("gists_url", "/gists{/gist_id}"),
            ("starred_url", "/starred{/owner}{/repo}"),
            ("subscriptions_url", "/subscriptions"),
            ("organizations_url", "/orgs"),
            ("repos_url", "/repos"),
            ("events_url", "/events{/privacy}"),
            ("received_events_url", "/received_events"),
        ],
    );
    let web = hub.web_base();
    joined(
        fields,
        json!({
            "login": login, "id": 1, "node_id": "U_1", "avatar_url": format!("{web}/avatars/1"), "gravatar_id": "",
            "html_url": format!("{web}/{login}"), "type": "User", "user_view_type": "public", "site_admin": false,
        }),
    )
}

/// The authenticated user.
pub(super) fn account(hub: &Hub, login: &str) -> Value {
    let Value::Object(fields) = user(hub, login) else { return Value::Null };
    joined(
        fields,
        json!({
            "name": null, "company": null, "blog": "", "location": null, "email": null, "hireable": null, "bio": null,
            "twitter_username": null, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": WHEN, "updated_at": WHEN,
        }),
    )
}

fn repository_urls(api: &str) -> Map<String, Value> {
    urls(
        api,
        &[
            ("url", ""),
            ("archive_url", "/{archive_format}{/ref}"),
            ("assignees_url", "/assignees{/user}"),
            ("blobs_url", "/git/blobs{/sha}"),
            ("branches_url", "/branches{/branch}"),
            ("collaborators_url", "/collaborators{/collaborator}"),
            ("comments_url", "/comments{/number}"),
            ("commits_url", "/commits{/sha}"),
            ("compare_url", "/compare/{base}...{head}"),
            ("contents_url", "/contents/{+path}"),
            ("contributors_url", "/contributors"),
            ("deployments_url", "/deployments"),
            ("downloads_url", "/downloads"),
            ("events_url", "/events"),
            ("forks_url", "/forks"),
            ("git_commits_url", "/git/commits{/sha}"),
            ("git_refs_url", "/git/refs{/sha}"),
            ("git_tags_url", "/git/tags{/sha}"),
            ("hooks_url", "/hooks"),
            ("issue_comment_url", "/issues/comments{/number}"),
            ("issue_events_url", "/issues/events{/number}"),
            ("issues_url", "/issues{/number}"),
            ("keys_url", "/keys{/key_id}"),
            ("labels_url", "/labels{/name}"),
            ("languages_url", "/languages"),
            ("merges_url", "/merges"),
            ("milestones_url", "/milestones{/number}"),
            ("notifications_url", "/notifications{?since,all,participating}"),
            ("pulls_url", "/pulls{/number}"),
            ("releases_url", "/releases{/id}"),
            ("stargazers_url", "/stargazers"),
            ("statuses_url", "/statuses/{sha}"),
            ("subscribers_url", "/subscribers"),
            ("subscription_url", "/subscription"),
            ("tags_url", "/tags"),
            ("teams_url", "/teams"),
            ("trees_url", "/git/trees{/sha}"),
        ],
    )
}

/// The repository as it stands inside of other objects.
fn repository(hub: &Hub, repository: &Repository) -> Value {
    let (full_name, web) = (&repository.full_name, hub.web_base());
    let open = repository.pulls.iter().filter(|pull| pull.state == PullState::Open).count();
    joined(
        repository_urls(&format!("{}/repos/{full_name}", hub.api_base())),
        json!({
            "id": repository.id, "node_id": format!("R_{}", repository.id), "name": repository.name(), "full_name": full_name,
            "owner": user(hub, repository.owner()), "private": true, "fork": false, "description": null,
            "html_url": format!("{web}/{full_name}"), "clone_url": format!("{web}/{full_name}.git"),
            "git_url": format!("git://127.0.0.1/{full_name}.git"), "ssh_url": format!("git@127.0.0.1:{full_name}.git"),
            "svn_url": format!("{web}/{full_name}"), "mirror_url": null, "homepage": null, "language": null,
            "license": null, "default_branch": "main", "archived": false, "disabled": false, "visibility": "private",
            "has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true,
            "has_discussions": false, "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0,
            "watchers_count": 0, "open_issues": open, "open_issues_count": open, "size": 0,
            "pushed_at": WHEN, "created_at": WHEN, "updated_at": WHEN,
        }),
    )
}

/// The repository as its own endpoint shows it.
pub(super) fn full_repository(hub: &Hub, shown: &Repository, can_push: bool) -> Value {
    let Value::Object(fields) = repository(hub, shown) else { return Value::Null };
    let permissions =
        json!({"admin": false, "maintain": false, "push": can_push, "triage": can_push, "pull": true});
    joined(fields, json!({"network_count": 0, "subscribers_count": 0, "permissions": permissions}))
}

/// A pull request in a list, or whole as its own endpoint shows it.
pub(super) fn pull(hub: &Hub, shown: &Repository, pull: &FakePullRequest, whole: bool) -> Value {
    let api = format!("{}/repos/{}", hub.api_base(), shown.full_name);
    let at = format!("{api}/pulls/{}", pull.number);
    let issue = format!("{api}/issues/{}", pull.number);
    let web = format!("{}/{}/pull/{}", hub.web_base(), shown.full_name, pull.number);
    let statuses = format!("{api}/statuses/{}", pull.head_commit);
    let open = pull.state == PullState::Open;
    let merged = pull.state == PullState::Merged;
    let link = |href: &str| json!({"href": href});
    let fields = urls(
        &at,
        &[
            ("url", ""),
            ("commits_url", "/commits"),
            ("review_comments_url", "/comments"),
            ("review_comment_url", "/comments{/number}"),
        ],
    );
    let shared = json!({
        "id": pull.number, "node_id": format!("PR_{}", pull.number), "number": pull.number, "html_url": web,
        "diff_url": format!("{web}.diff"), "patch_url": format!("{web}.patch"), "issue_url": issue,
        "comments_url": format!("{issue}/comments"), "statuses_url": statuses,
        "state": if open { "open" } else { "closed" }, "locked": false, "draft": pull.draft, "title": pull.title,
        "body": pull.body, "user": user(hub, &pull.author), "labels": [], "milestone": null, "assignee": null,
        "assignees": [], "requested_reviewers": [], "requested_teams": [], "created_at": WHEN, "updated_at": WHEN,
        "closed_at": if open { Value::Null } else { json!(WHEN) }, "merged_at": if merged { json!(WHEN) } else { Value::Null },
        "merge_commit_sha": null, "author_association": "MEMBER", "auto_merge": null, "active_lock_reason": null,
        "head": side(hub, shown, &pull.head_repository, &pull.head, &pull.head_commit),
        "base": side(hub, shown, &shown.full_name, &pull.base, &pull.base_commit),
        "_links": {
            "self": link(&at), "html": link(&web), "issue": link(&issue), "comments": link(&format!("{issue}/comments")),
            "review_comments": link(&format!("{at}/comments")), "review_comment": link(&format!("{at}/comments{{/number}}")),
            "commits": link(&format!("{at}/commits")), "statuses": link(&statuses),
        },
    });
    let shared = joined(fields, shared);
    let Value::Object(shared) = shared else { return Value::Null };
    if !whole {
        return Value::Object(shared);
    }
    let merged_by = if merged { user(hub, shown.owner()) } else { Value::Null };
    joined(
        shared,
        json!({
            "merged": merged, "mergeable": null, "rebaseable": null, "mergeable_state": "unknown", "merged_by": merged_by,
            "comments": 0, "review_comments": 0, "maintainer_can_modify": false, "commits": 1, "additions": 1,
            "deletions": 0, "changed_files": 1,
        }),
    )
}

fn side(hub: &Hub, shown: &Repository, full_name: &str, branch: &str, commit: &str) -> Value {
    let owner = full_name.split('/').next().unwrap_or("");
    let mut shown = repository(hub, shown);
    shown["full_name"] = json!(full_name);
    json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": commit, "user": user(hub, owner), "repo": shown})
}
