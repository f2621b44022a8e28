//! Every request that our clients make, against each forge's published description of its API.
//!
//! GitHub's is the package `@octokit/openapi`, Forgejo's (which Gitea's API is a sibling of) is kept in the testkit. For
//! GitLab none could be had from a package registry: there the requests are compared with a list that was copied by hand
//! from <https://docs.gitlab.com/api/>, and so are GraphQL's two mutations.

use std::collections::BTreeSet;

use overnight_testkit::forge::contract::{self, operation};
use overnight_testkit::forge::{FakeOpinion, FakeResult, LoggedRequest};
use serde_json::Value;

use super::landing::check;
use super::*;
use crate::{Cursor, LabelChange, MergeMethod, MergeOrder, NewComment, PullRequestChange, Thread};

/// Calls every operation, some twice, so that parameters of later calls are sent as well.
async fn tour(flavour: Flavour) -> Bench {
    let bench = bench(flavour).await;
    let (forge, fake) = (&bench.forge, &bench.fake);
    let text = |text: &str| Some(text.to_owned());
    fake.add_person("ada", true);
    let issue = fake.open_issue(REPOSITORY, "ada", "x", &["night"]);
    let made = forge.open_pull_request(&bench.request).await.unwrap().number;
    forge.account().await.unwrap();
    forge.find_pull_requests(&bench.request.head, "main").await.unwrap();
    forge.set_draft(made, true).await.unwrap();
    forge.set_draft(made, false).await.unwrap();
    let change = PullRequestChange { title: text("t"), body: text("b"), base: text("main") };
    forge.update_pull_request(made, &change).await.unwrap();
    let labels =
        LabelChange { add: vec!["night".to_owned(), "new".to_owned()], remove: vec!["new".to_owned()] };
    for thread in [Thread::PullRequest(made), Thread::Issue(issue)] {
        let note =
            NewComment { job: bench.request.job.clone(), topic: "x".to_owned(), text: "hello".to_owned() };
        forge.comment(thread, &note).await.unwrap();
        forge.change_labels(thread, &labels).await.unwrap();
    }
    fake.review(REPOSITORY, made, "ada", FakeOpinion::Approved, "good");
    fake.write_comment(REPOSITORY, made, "ada", "here", Some(("door.txt", 1)));
    let seen = forge.reviews(made, &Cursor::default()).await.unwrap();
    forge.reviews(made, &seen.cursor).await.unwrap();
    check(&bench, "tests", FakeResult::Failure, Some("log"));
    check(&bench, "other", FakeResult::Success, None);
    forge.checks(&bench.request.tip).await.unwrap();
    let page = forge.issues("night", &Cursor::default()).await.unwrap();
    forge.issues("night", &page.cursor).await.unwrap();
    forge.issue(issue).await.unwrap();
    forge.close_issue(issue).await.unwrap();
    assert!(forge.can_write("ada").await.unwrap());
    let order =
        |method| MergeOrder { head: bench.request.tip.clone(), method, title: text("t"), message: text("m") };
    forge.merge(made, &order(MergeMethod::Merge)).await.unwrap();
    forge.remove_branch(&bench.request.head, None).await.unwrap();
    let tip = fake.commit(REPOSITORY, "overnight/app-2", "main", "more.txt").unwrap();
    let mut second = request("job-2", &tip);
    second.head = BranchName::parse("overnight/app-2").unwrap();
    second.draft = true;
    let second = forge.open_pull_request(&second).await.unwrap().number;
    forge.close_pull_request(second).await.unwrap();
    bench
}

/// Sends a logged request again as it was, where that changes nothing, and gives the answer.
async fn again(bench: &Bench, request: &LoggedRequest) -> Option<(u16, Value)> {
    if request.method != "GET" || request.path.ends_with("/logs") {
        return None;
    }
    let url = format!("{}{}?{}", bench.fake.origin(), request.path, request.query);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(url).bearer_auth(TOKEN).send().await.unwrap();
    Some((response.status().as_u16(), response.json().await.unwrap()))
}

async fn compare(flavour: Flavour, document: &Value, base: &str, beside: &[&str]) {
    let bench = tour(flavour).await;
    let base = format!("{}{base}", bench.fake.api_base().strip_prefix(bench.fake.origin()).unwrap());
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for request in bench.fake.requests() {
        if beside.iter().any(|path| request.path.ends_with(path)) {
            continue;
        }
        match operation(document, &base, &request) {
            Ok(found) => {
                wrong.extend(found.violations(&request));
                if seen.insert((request.method.clone(), found.path.to_owned()))
                    && let Some((status, answer)) = again(&bench, &request).await
                {
                    wrong.extend(found.answer_misfits(status, &answer));
                }
            }
            Err(problem) => wrong.push(problem),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen.len() >= 20, "a tour that sees too little proves nothing: {seen:?}");
}

#[tokio::test]
async fn every_request_to_github_is_what_github_describes() {
    let Some(document) = shapes::description("every_request_to_github_is_what_github_describes") else {
        return;
    };
    compare(Flavour::GitHub, &document, "", &["/graphql"]).await;
}

#[tokio::test]
async fn every_request_to_forgejo_is_what_forgejo_describes() {
    compare(Flavour::Gitea, &contract::forgejo().unwrap(), "", &[]).await;
}

/// The requests for an App's token are in GitHub's description as well.
#[tokio::test]
async fn the_requests_of_an_app_are_what_github_describes() {
    let Some(document) = shapes::description("the_requests_of_an_app_are_what_github_describes") else {
        return;
    };
    for (path, method, status) in [
        ("/app", "get", 200),
        ("/repos/{owner}/{repo}/installation", "get", 200),
        ("/app/installations/{installation_id}/access_tokens", "post", 201),
    ] {
        let pointer =
            overnight_testkit::forge::schema::response_pointer(&document, path, method, status).unwrap();
        assert!(document.pointer(&pointer).is_some(), "{path}");
    }
}

/// Method, path, parameters of the query, fields of the body.
type Known = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// From the pages `merge_requests`, `merge_request_approvals`, `notes`, `commits`, `pipelines`, `jobs`, `branches`,
/// `repositories`, `issues`, `users`, `members` and `projects` below <https://docs.gitlab.com/api/>.
const GITLAB: [Known; 24] = [
    ("GET", "user", &[], &[]),
    ("GET", "users", &["username"], &[]),
    ("GET", "projects/:id", &[], &[]),
    ("GET", "projects/:id/members/all/:user_id", &[], &[]),
    ("GET", "projects/:id/merge_requests", &["state", "source_branch", "per_page", "page"], &[]),
    (
        "POST",
        "projects/:id/merge_requests",
        &[],
        &["title", "description", "source_branch", "target_branch", "remove_source_branch"],
    ),
    ("GET", "projects/:id/merge_requests/:iid", &[], &[]),
    (
        "PUT",
        "projects/:id/merge_requests/:iid",
        &[],
        &["title", "description", "target_branch", "state_event", "add_labels", "remove_labels"],
    ),
    (
        "PUT",
        "projects/:id/merge_requests/:iid/merge",
        &[],
        &["sha", "squash", "should_remove_source_branch", "squash_commit_message", "merge_commit_message"],
    ),
    ("GET", "projects/:id/merge_requests/:iid/approvals", &[], &[]),
    ("GET", "projects/:id/merge_requests/:iid/reviewers", &[], &[]),
    ("GET", "projects/:id/merge_requests/:iid/notes", &["order_by", "sort", "per_page", "page"], &[]),
    ("POST", "projects/:id/merge_requests/:iid/notes", &[], &["body"]),
    (
        "GET",
        "projects/:id/issues",
        &["labels", "state", "order_by", "sort", "updated_after", "per_page", "page"],
        &[],
    ),
    ("GET", "projects/:id/issues/:iid", &[], &[]),
    ("PUT", "projects/:id/issues/:iid", &[], &["state_event", "add_labels", "remove_labels"]),
    ("GET", "projects/:id/issues/:iid/notes", &["order_by", "sort", "per_page", "page"], &[]),
    ("POST", "projects/:id/issues/:iid/notes", &[], &["body"]),
    ("GET", "projects/:id/repository/commits/:sha/statuses", &["per_page", "page"], &[]),
    ("GET", "projects/:id/pipelines", &["sha", "order_by", "sort", "per_page"], &[]),
    ("GET", "projects/:id/jobs/:job_id/trace", &[], &[]),
    ("GET", "projects/:id/repository/branches/:branch", &[], &[]),
    ("DELETE", "projects/:id/repository/branches/:branch", &[], &[]),
    ("GET", "projects/:id/repository/compare", &["from", "to"], &[]),
];

#[tokio::test]
async fn every_request_to_gitlab_is_on_the_list_that_was_copied_by_hand() {
    let bench = tour(Flavour::GitLab).await;
    let base = format!("{}/", bench.fake.api_base().strip_prefix(bench.fake.origin()).unwrap());
    let mut seen = BTreeSet::new();
    for request in bench.fake.requests() {
        let path = request.path.strip_prefix(&base).unwrap();
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |known: &&Known| {
            let wanted: Vec<&str> = known.1.split('/').collect();
            let same =
                wanted.iter().zip(&parts).all(|(wanted, given)| wanted == given || wanted.starts_with(':'));
            known.0 == request.method && wanted.len() == parts.len() && same
        };
        let known = GITLAB.iter().find(fits).unwrap_or_else(|| panic!("{} {path}", request.method));
        seen.insert((known.0, known.1));
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap();
            assert!(known.2.contains(&name), "{} {path}: {name}", request.method);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        for (name, _) in body.as_object().into_iter().flatten() {
            assert!(known.3.contains(&name.as_str()), "{} {path}: {name}", request.method);
        }
    }
    assert_eq!(seen.len(), GITLAB.len(), "everything on the list is asked for: {seen:?}");
}
