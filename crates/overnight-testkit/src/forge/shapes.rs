//! How issues, comments, reviews, checks and branches look on each forge. GitHub's fields and Forgejo's are compared with
//! their published descriptions by a test of `overnight-forge`, as far as they are sent; GitLab's are from its
//! documentation, by hand.
//!
//! Owns no state.

use serde_json::{Value, json};

use super::api::Reply;
use super::people::{
    FakeCheck, FakeComment, FakeFit, FakeIssue, FakeOpinion, FakeResult, FakeReview, People, shown,
};
use super::server::{Flavour, Hub};
use super::state::{FakePullRequest, PullState, Repository};
use super::{gitea, github};

fn user(hub: &Hub, login: &str) -> Value {
    match hub.flavour {
        Flavour::GitHub => github::user(hub, login),
        Flavour::Gitea => gitea::user(hub, login),
        Flavour::GitLab => json!({"id": 1, "username": login, "name": login, "state": "active"}),
    }
}

fn page(hub: &Hub, repository: &Repository, number: u64) -> String {
    format!("{}/{}/issues/{number}", hub.web_base(), repository.full_name)
}

pub(super) fn comment(hub: &Hub, repository: &Repository, one: &FakeComment) -> Value {
    let (when, url) = (shown(one.at), format!("{}#{}", page(hub, repository, one.thread), one.id));
    if hub.flavour == Flavour::GitLab {
        let mut note = json!({
            "id": one.id, "body": one.body, "author": user(hub, &one.author), "system": false, "created_at": when,
            "updated_at": when, "noteable_iid": one.thread,
        });
        if let Some(path) = &one.path {
            note["position"] =
                json!({"new_path": path, "old_path": path, "new_line": one.line, "old_line": null});
        }
        return note;
    }
    let mut shown = json!({
        "id": one.id, "user": user(hub, &one.author), "body": one.body, "created_at": when, "updated_at": when,
        "html_url": url,
    });
    if let Some(path) = &one.path {
        shown["path"] = json!(path);
        let line = if hub.flavour == Flavour::GitHub { "line" } else { "position" };
        shown[line] = json!(one.line);
    }
    shown
}

pub(super) fn review(hub: &Hub, repository: &Repository, one: &FakeReview) -> Value {
    let github = hub.flavour == Flavour::GitHub;
    let state = match (one.opinion, github) {
        (FakeOpinion::Approved, _) => "APPROVED",
        (FakeOpinion::ChangesRequested, true) => "CHANGES_REQUESTED",
        (FakeOpinion::ChangesRequested, false) => "REQUEST_CHANGES",
        (FakeOpinion::Commented, true) => "COMMENTED",
        (FakeOpinion::Commented, false) => "COMMENT",
    };
    let mut shape = json!({
        "id": one.id, "user": user(hub, &one.author), "body": one.body, "state": state, "commit_id": one.commit,
        "html_url": page(hub, repository, one.thread), "submitted_at": shown(one.at),
    });
    if !github {
        // Gitea lists remarks on lines review by review; here the first one has them all.
        let lines =
            repository.people.comments.iter().filter(|line| line.thread == one.thread && line.path.is_some());
        let first = repository.people.reviews.iter().find(|first| first.thread == one.thread);
        let count = if first.is_some_and(|first| first.id == one.id) { lines.count() } else { 0 };
        shape["comments_count"] = json!(count);
        shape["dismissed"] = json!(false);
    }
    shape
}

/// Each reviewer's last word.
fn last_words(repository: &Repository, number: u64) -> Vec<&FakeReview> {
    let mut last: Vec<&FakeReview> = Vec::new();
    for review in repository.people.reviews.iter().filter(|review| review.thread == number) {
        last.retain(|known| known.author != review.author);
        last.push(review);
    }
    last
}

pub(super) fn approvals(hub: &Hub, repository: &Repository, number: u64) -> Value {
    let words = last_words(repository, number);
    let approved = words.iter().filter(|one| one.opinion == FakeOpinion::Approved);
    let by: Vec<Value> = approved.map(|one| json!({"user": user(hub, &one.author)})).collect();
    json!({"approved": !by.is_empty(), "approved_by": by})
}

pub(super) fn reviewers(hub: &Hub, repository: &Repository, number: u64) -> Value {
    let state = |opinion| match opinion {
        FakeOpinion::Approved => "approved",
        FakeOpinion::ChangesRequested => "requested_changes",
        FakeOpinion::Commented => "reviewed",
    };
    let words = last_words(repository, number);
    words.iter().map(|one| json!({"user": user(hub, &one.author), "state": state(one.opinion)})).collect()
}

pub(super) fn issue(hub: &Hub, repository: &Repository, one: &FakeIssue) -> Value {
    let (when, url) = (shown(one.updated), page(hub, repository, one.number));
    if hub.flavour == Flavour::GitLab {
        return json!({
            "id": one.number, "iid": one.number, "web_url": url, "title": one.title, "description": one.body,
            "state": if one.open { "opened" } else { "closed" }, "author": user(hub, &one.author), "labels": one.labels,
            "updated_at": when, "created_at": when,
        });
    }
    let labels: Vec<Value> = one.labels.iter().map(|name| label(hub, &repository.people, name)).collect();
    json!({
        "id": one.number, "number": one.number, "html_url": url, "title": one.title, "body": one.body,
        "state": if one.open { "open" } else { "closed" }, "user": user(hub, &one.author), "labels": labels,
        "updated_at": when, "created_at": when,
    })
}

pub(super) fn pull_as_issue(hub: &Hub, repository: &Repository, pull: &FakePullRequest) -> Value {
    let one = FakeIssue {
        number: pull.number,
        title: pull.title.clone(),
        body: pull.body.clone(),
        author: pull.author.clone(),
        labels: repository.people.labels_of(pull.number),
        open: pull.state == PullState::Open,
        updated: 1_709_164_800,
    };
    let mut shape = issue(hub, repository, &one);
    shape["pull_request"] = json!({"url": "", "html_url": "", "diff_url": "", "patch_url": ""});
    shape
}

pub(super) fn label(hub: &Hub, people: &People, name: &str) -> Value {
    let id = people.label_id(name);
    let color = if hub.flavour == Flavour::GitHub { "8a8f98" } else { "#8a8f98" };
    json!({"id": id, "name": name, "color": color, "description": ""})
}

/// Check runs are jobs of GitHub's own CI; statuses are everything else, and everything on the other forges.
pub(super) fn checks(hub: &Hub, repository: &Repository, commit: &str, runs: bool) -> Reply {
    let github = hub.flavour == Flavour::GitHub;
    let here = repository.people.checks.iter().enumerate().filter(|(_, check)| check.commit == commit);
    let wanted = here.filter(|(_, check)| !github || check.log.is_some() == runs);
    let list: Vec<Value> =
        wanted.map(|(at, check)| shape_of(hub, repository, at as u64 + 1, check, runs)).collect();
    let body = match (hub.flavour, runs) {
        (Flavour::GitLab, _) => Value::Array(list),
        (Flavour::GitHub, true) => json!({"total_count": list.len(), "check_runs": list}),
        (Flavour::GitHub | Flavour::Gitea, _) => {
            json!({"state": "pending", "total_count": list.len(), "sha": commit, "statuses": list})
        }
    };
    Reply::json(200, &body)
}

fn shape_of(hub: &Hub, repository: &Repository, id: u64, check: &FakeCheck, run: bool) -> Value {
    let url = format!("{}/{}/-/jobs/{id}", hub.web_base(), repository.full_name);
    let word = |pending, success, failure, skipped| match check.result {
        FakeResult::Pending => pending,
        FakeResult::Success => success,
        FakeResult::Failure => failure,
        FakeResult::Skipped => skipped,
    };
    match hub.flavour {
        Flavour::GitHub if run => {
            let done = check.result != FakeResult::Pending;
            let conclusion = done.then(|| word("", "success", "failure", "skipped"));
            json!({
                "id": id, "name": check.name, "status": if done { "completed" } else { "in_progress" },
                "conclusion": conclusion, "html_url": url, "app": {"id": 1, "slug": "github-actions"},
                "output": {"title": null, "summary": null, "text": null},
            })
        }
        Flavour::GitHub => json!({
            "id": id, "context": check.name, "state": word("pending", "success", "failure", "success"), "target_url": url,
            "description": "from elsewhere",
        }),
        Flavour::Gitea => json!({
            "id": id, "context": check.name, "status": word("pending", "success", "failure", "success"),
            "target_url": format!("/{}/actions/runs/{id}", repository.full_name), "description": "",
        }),
        Flavour::GitLab => {
            let url = if check.log.is_some() { url } else { "https://ci.example.com/1".to_owned() };
            json!({
                "id": id, "name": check.name, "status": word("running", "success", "failed", "skipped"),
                "allow_failure": false, "target_url": url, "description": null, "sha": check.commit,
            })
        }
    }
}

pub(super) fn pipelines(hub: &Hub, repository: &Repository, commit: &str) -> Value {
    let here: Vec<&FakeCheck> = repository
        .people
        .checks
        .iter()
        .filter(|check| check.commit == commit && check.log.is_some())
        .collect();
    let any = |result| here.iter().any(|check| check.result == result);
    let status = match () {
        () if here.is_empty() => return json!([]),
        () if any(FakeResult::Failure) => "failed",
        () if any(FakeResult::Pending) => "running",
        () => "success",
    };
    json!([{"id": 9, "status": status, "sha": commit, "web_url": format!("{}/p/9", hub.web_base())}])
}

pub(super) fn branch(hub: &Hub, repository: &Repository, name: &str, tip: &str) -> Value {
    match hub.flavour {
        Flavour::GitHub => json!({"name": name, "commit": {"sha": tip}, "protected": false}),
        Flavour::Gitea => json!({"name": name, "commit": {"id": tip, "message": ""}, "protected": false}),
        Flavour::GitLab => {
            json!({"name": name, "commit": {"id": tip}, "default": name == "main", "web_url": page(hub, repository, 0)})
        }
    }
}

pub(super) fn comparison(hub: &Hub, commits: &[String]) -> Value {
    let count = commits.len();
    match hub.flavour {
        Flavour::GitHub => {
            json!({"ahead_by": count, "total_commits": count, "status": if count == 0 { "behind" } else { "ahead" }})
        }
        Flavour::Gitea => json!({"total_commits": count}),
        Flavour::GitLab => {
            json!({"commits": commits.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), "compare_same_ref": false})
        }
    }
}

pub(super) fn permission(hub: &Hub, login: &str, write: bool) -> Value {
    json!({"permission": if write { "write" } else { "read" }, "role_name": if write { "write" } else { "read" }, "user": user(hub, login)})
}

/// A merge request of GitLab.
pub(super) fn merge_request(hub: &Hub, repository: &Repository, pull: &FakePullRequest) -> Value {
    let here = pull.head_repository == repository.full_name;
    let state = match pull.state {
        PullState::Open => "opened",
        PullState::Closed => "closed",
        PullState::Merged => "merged",
    };
    let status = match fit(repository, pull.number) {
        Some(FakeFit::Conflict) => "conflict",
        Some(FakeFit::Behind) => "need_rebase",
        Some(FakeFit::UnknownThenConflict(_)) => "checking",
        None => "mergeable",
    };
    let mut shape = json!({
        "id": pull.number, "iid": pull.number, "web_url": format!("{}/{}/-/merge_requests/{}", hub.web_base(), repository.full_name, pull.number),
        "state": state, "title": pull.title, "description": pull.body, "source_branch": pull.head, "target_branch": pull.base,
        "source_project_id": if here { repository.id } else { 999 }, "target_project_id": repository.id, "sha": pull.head_commit,
        "draft": pull.draft, "labels": repository.people.labels_of(pull.number), "author": user(hub, &pull.author),
        "merge_commit_sha": repository.people.merge_commits.get(&pull.number), "squash_commit_sha": null,
        "detailed_merge_status": status, "has_conflicts": status == "conflict",
    });
    // What a real answer has besides, which nobody here reads.
    let more = json!({
        "created_at": shown(1_709_164_800), "updated_at": shown(1_709_164_800), "upvotes": 0, "downvotes": 0,
        "user_notes_count": 0, "work_in_progress": pull.draft, "milestone": null, "assignee": null, "assignees": [],
        "reviewers": [], "merge_user": null, "merged_at": null, "closed_by": null, "closed_at": null, "squash": false,
        "force_remove_source_branch": false, "should_remove_source_branch": null, "discussion_locked": null,
        "merge_when_pipeline_succeeds": false, "merge_status": if status == "conflict" { "cannot_be_merged" } else { "unchecked" },
        "task_completion_status": {"count": 0, "completed_count": 0}, "blocking_discussions_resolved": true,
        "time_stats": {"time_estimate": 0, "total_time_spent": 0, "human_time_estimate": null, "human_total_time_spent": null},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        shape[name] = value.clone();
    }
    shape
}

pub(super) fn fit(repository: &Repository, number: u64) -> Option<FakeFit> {
    repository.people.fits.get(&number).copied()
}

pub(super) fn project(hub: &Hub, repository: &Repository, can_push: bool) -> Value {
    let level = if can_push { 40 } else { 20 };
    json!({
        "id": repository.id, "path_with_namespace": repository.full_name, "web_url": format!("{}/{}", hub.web_base(), repository.full_name),
        "default_branch": "main", "archived": false, "merge_method": "merge",
        "permissions": {"project_access": {"access_level": level, "notification_level": 3}, "group_access": null},
    })
}
