//! The fake forge's GitHub answers against GitHub's published description.
//!
//! Owns no state; reads the description where `cargo xtask tools` puts it.

use overnight_testkit::forge::{Fault, On, schema};
use overnight_testkit::tools;
use serde_json::Value;

use super::*;

pub(super) fn description(test: &str) -> Option<Value> {
    match tools::github_openapi() {
        Ok(folder) => {
            let text = std::fs::read(folder.join("generated/api.github.com.json")).unwrap();
            Some(serde_json::from_slice(&text).unwrap())
        }
        Err(reason) => {
            println!("skipped: {test}: {reason}");
            None
        }
    }
}

/// Sends a request of our own, so that the whole answer can be looked at.
async fn raw(bench: &Bench, token: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}{path}", bench.fake.api_base());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let response = request.bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn new_pull(head: &str) -> Option<Value> {
    Some(serde_json::json!({"title": "t", "body": "b", "head": head, "base": "main"}))
}

#[tokio::test]
async fn the_fakes_answers_are_what_github_describes() {
    let Some(description) = description("the_fakes_answers_are_what_github_describes") else { return };
    let bench = bench(Flavour::GitHub).await;
    bench.fake.add_token("tok_reader", FakeToken::reader("guest"));
    let check = |path: &str, method: &str, expected: u16, answer: (u16, Value)| {
        let (status, json) = answer;
        assert_eq!(status, expected, "{method} {path}: {json}");
        let pointer = schema::response_pointer(&description, path, method, status).unwrap();
        assert_eq!(
            schema::violations(&description, &pointer, &json),
            Vec::<String>::new(),
            "{method} {path}"
        );
    };
    let (pulls, pull, repository) =
        ("/repos/{owner}/{repo}/pulls", "/repos/{owner}/{repo}/pulls/{pull_number}", "/repos/{owner}/{repo}");
    check("/user", "get", 200, raw(&bench, TOKEN, "/user", None).await);
    check("/user", "get", 401, raw(&bench, "tok_wrong", "/user", None).await);
    check(repository, "get", 200, raw(&bench, TOKEN, "/repos/octo/app", None).await);
    check(repository, "get", 404, raw(&bench, TOKEN, "/repos/octo/gone", None).await);
    let at = "/repos/octo/app/pulls";
    check(pulls, "get", 200, raw(&bench, TOKEN, at, None).await);
    check(pulls, "post", 422, raw(&bench, TOKEN, at, new_pull("nowhere")).await);
    check(pulls, "post", 422, raw(&bench, TOKEN, at, new_pull("main")).await);
    check(pulls, "post", 403, raw(&bench, "tok_reader", at, new_pull(BRANCH)).await);
    check(pulls, "post", 201, raw(&bench, TOKEN, at, new_pull(BRANCH)).await);
    check(pulls, "post", 422, raw(&bench, TOKEN, at, new_pull(BRANCH)).await);
    for state in ["open", "closed", "merged"] {
        match state {
            "closed" => bench.fake.close(REPOSITORY, 1),
            "merged" => bench.fake.merge(REPOSITORY, 1).unwrap(),
            _ => {}
        }
        let (status, list) = raw(&bench, TOKEN, &format!("{at}?state=all"), None).await;
        assert_eq!(list.as_array().map(Vec::len), Some(1), "an empty list would prove nothing");
        check(pulls, "get", 200, (status, list));
        check(pull, "get", 200, raw(&bench, TOKEN, &format!("{at}/1"), None).await);
    }
    check(pull, "get", 404, raw(&bench, TOKEN, &format!("{at}/9"), None).await);
    for fault in [Fault::PrimaryLimit(60), Fault::SecondaryLimit] {
        bench.fake.inject(On::CreatePullRequest, fault);
        check(pulls, "post", 403, raw(&bench, TOKEN, at, new_pull(BRANCH)).await);
    }
    bench.fake.inject(On::GetPullRequest, Fault::Status(500));
    check(pull, "get", 500, raw(&bench, TOKEN, &format!("{at}/1"), None).await);
}

/// The fields that our client reads must be required there, or optional in our decoding.
#[test]
fn every_field_that_we_insist_on_is_required_by_the_description() {
    let Some(description) = description("every_field_that_we_insist_on_is_required_by_the_description")
    else {
        return;
    };
    let required =
        |pointer: &str| description.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let insisted: [(&str, &[&str]); 6] = [
        ("/components/schemas/pull-request/required", &["number", "html_url", "state", "head", "base"]),
        (
            "/components/schemas/pull-request-simple/required",
            &["number", "html_url", "state", "head", "base"],
        ),
        ("/components/schemas/pull-request/properties/head/required", &["ref", "sha"]),
        ("/components/schemas/repository/required", &["full_name"]),
        ("/components/schemas/full-repository/required", &["default_branch"]),
        ("/components/schemas/simple-user/required", &["login"]),
    ];
    for (pointer, fields) in insisted {
        let required = required(pointer);
        for field in fields {
            assert!(required.iter().any(|name| name == field), "{field} in {pointer}: {required:?}");
        }
    }
}
