//! The fake forge itself: real pushes over HTTP, tokens, refusals and cut connections.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;

const TOKEN: &str = "tok_push";

/// git with a header for one URL in its environment, so that the token is in no argument and no file.
#[expect(clippy::disallowed_methods, reason = "the test is git's user")]
fn git(dir: &Path, forge: &FakeForge, token: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir).envs(repository::GIT_ENV).env("GIT_TERMINAL_PROMPT", "0");
    if let Some(token) = token {
        let basic = STANDARD.encode(format!("x-access-token:{token}"));
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", format!("http.{}/.extraHeader", forge.origin()))
            .env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {basic}"));
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A forge with a repository, and a clone of it with one new commit on `feature`.
async fn cloned() -> (FakeForge, TempDir) {
    let forge = FakeForge::start_below(Flavour::Gitea, "/git").await.unwrap();
    forge.add_token(TOKEN, FakeToken::writer("nightly"));
    forge.create_repository("octo/app").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let clone =
        git_blocking(&forge, dir.path(), Some(TOKEN), &["clone", &forge.clone_url("octo/app"), "."]).await;
    assert!(clone.status.success(), "{}", said(&clone));
    std::fs::write(dir.path().join("new.txt"), "x".repeat(3 << 20)).unwrap();
    for args in [&["checkout", "-q", "-b", "feature"][..], &["add", "."], &["commit", "-q", "-m", "new"]] {
        let done = git(dir.path(), &forge, None, args);
        assert!(done.status.success(), "{}", said(&done));
    }
    (forge, dir)
}

/// git must not block the thread that the forge runs on.
async fn git_blocking(forge: &FakeForge, dir: &Path, token: Option<&str>, args: &[&str]) -> Output {
    tokio::task::block_in_place(|| git(dir, forge, token, args))
}

async fn push(forge: &FakeForge, dir: &TempDir, token: Option<&str>) -> Output {
    git_blocking(forge, dir.path(), token, &["push", "-q", "origin", "feature"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_over_http_is_a_real_push_and_the_token_stays_in_its_header() {
    let (forge, dir) = cloned().await;
    let done = push(&forge, &dir, Some(TOKEN)).await;
    assert!(done.status.success(), "{}", said(&done));
    let head = git(dir.path(), &forge, None, &["rev-parse", "HEAD"]);
    let head = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    assert_eq!(forge.branch_tip("octo/app", "feature").unwrap(), Some(head));
    assert!(forge.requests_on(On::GitPush).iter().any(|request| request.header("authorization").is_some()));
    assert_eq!(forge.leaks(TOKEN), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_token_nothing_is_pushed() {
    let (forge, dir) = cloned().await;
    forge.add_token("tok_reader", FakeToken::reader("guest"));
    for (token, expected) in
        [(None, "could not read Username"), (Some("tok_wrong"), ""), (Some("tok_reader"), "403")]
    {
        let done = push(&forge, &dir, token).await;
        assert!(!done.status.success() && said(&done).contains(expected), "{token:?}: {}", said(&done));
    }
    assert_eq!(forge.branch_tip("octo/app", "feature").unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_can_be_done_and_its_answer_lost() {
    let (forge, dir) = cloned().await;
    // A push asks first for the refs; the second request carries the commits.
    forge.inject(On::GitPush, Fault::CommitThenSlow(std::time::Duration::ZERO));
    forge.inject(On::GitPush, Fault::CommitThenDropReply);
    let done = push(&forge, &dir, Some(TOKEN)).await;
    assert!(!done.status.success(), "git must not know");
    assert!(forge.branch_tip("octo/app", "feature").unwrap().is_some());
    assert_eq!(forge.unused_faults(), 0);
}

#[test]
fn a_token_outside_of_its_header_is_noticed() {
    let mut request = LoggedRequest {
        method: "GET".to_owned(),
        path: "/p".to_owned(),
        query: String::new(),
        headers: vec![("authorization".to_owned(), "Bearer tok".to_owned())],
        body: Vec::new(),
        on: None,
    };
    assert_eq!(request.leaks("tok"), Vec::<String>::new());
    request.query = "access_token=tok".to_owned();
    request.headers.push(("referer".to_owned(), "tok".to_owned()));
    request.body = b"tok".to_vec();
    assert_eq!(request.leaks("tok"), ["/p url", "/p body", "/p referer"]);
}

#[tokio::test]
async fn waiting_ends_with_the_fact() {
    let forge = FakeForge::start(Flavour::GitHub).await.unwrap();
    forge.create_repository("o/r").unwrap();
    let pull = FakePullRequest {
        number: 0,
        title: String::new(),
        body: String::new(),
        head: "b".to_owned(),
        base: "main".to_owned(),
        head_repository: "o/r".to_owned(),
        head_commit: "a".repeat(40),
        base_commit: "b".repeat(40),
        draft: false,
        state: PullState::Open,
        author: "x".to_owned(),
    };
    let (waited, ()) = tokio::join!(forge.wait_for_pull_requests("o/r", 1), async {
        forge.plant_pull_request("o/r", pull);
    });
    assert_eq!(waited, Ok(()));
}
