//! Requests that no honest client sends, byte by byte.

use overnight_core::access::{Scope, TokenKind, TokenText};
use overnight_core::job::Label;
use tokio::io::AsyncWriteExt;

use super::{fixture, refused, token};
use crate::tests::{PATIENCE, read_to_end, send};

#[tokio::test]
async fn nobody_gets_in_without_a_good_token_also_on_this_machine() {
    let f = fixture().await;
    let plain = |fields: &str| {
        format!("GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n")
    };
    let stranger = TokenText::new(TokenKind::Person, &[9; 32]);
    let agent = TokenText::new(TokenKind::Agent, &[9; 32]);
    let table = [
        (String::new(), "token-missing"),
        (format!("Authorization: Basic {}\r\n", f.read), "token-missing"),
        (format!("Authorization: {}\r\n", f.read), "token-missing"),
        (format!("Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n", f.read), "token-missing"),
        ("Authorization: Bearer \r\n".to_owned(), "token-missing"),
        (format!("Authorization: Bearer {}x\r\n", f.read), "token-invalid"),
        (format!("Authorization: Bearer {}\r\n", &f.read[..50]), "token-invalid"),
        (format!("Authorization: Bearer {}\r\n", stranger.expose()), "token-invalid"),
        (format!("Authorization: Bearer {}\r\n", agent.expose()), "token-invalid"),
    ];
    for (fields, code) in table {
        let said = send(f.server.address, &plain(&fields)).await;
        refused(&said, 401, code);
        assert_eq!(said.header("www-authenticate"), Some("bearer realm=\"overnight\""), "{said:?}");
    }
    // Nor does anybody learn what there is.
    refused(&send(f.server.address, &plain("").replace("/jobs", "/nowhere")).await, 401, "token-missing");
    assert_eq!(f.get("/jobs").await.status, 200);
    f.server.store.token_revoke("r").await.unwrap();
    refused(&f.get("/jobs").await, 401, "token-revoked");
    let worker = token(&f.server.store, "w", Scope::Worker).await;
    refused(&f.ask(&worker, "GET /api/v1/jobs", "").await, 403, "scope-too-small");
    let short = std::time::Duration::from_millis(1);
    let name = Label::parse("short").unwrap();
    let (_, short) = f.server.store.token_add(&name, Scope::Admin, Some(short)).await.unwrap();
    let expired = f.server.store.now().await.unwrap().plus(std::time::Duration::from_millis(2));
    while f.server.store.now().await.unwrap() < expired {
        tokio::task::yield_now().await;
    }
    refused(&f.ask(short.expose(), "GET /api/v1/jobs", "").await, 401, "token-expired");
    f.server.stop().await;
}

#[tokio::test]
async fn a_scope_is_enough_or_it_is_not() {
    let f = fixture().await;
    super::enqueue(&f.server.store, "x", None).await;
    for (token, statuses) in [(&f.read, [403, 403]), (&f.operate, [422, 403]), (&f.admin, [422, 422])] {
        let placed = f.post(token, "/jobs", "{}").await.status;
        let limited = f.ask(token, "PUT /api/v1/limits\nContent-Type: application/json", "{}").await.status;
        assert_eq!([placed, limited], statuses);
    }
    refused(&f.post(&f.read, "/jobs/app-1/cancel", "{}").await, 403, "scope-too-small");
    refused(&f.post(&f.operate, "/workers/w/drain", "{}").await, 403, "scope-too-small");
    f.server.stop().await;
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing() {
    let f = fixture().await;
    for (host, status) in [
        ("evil.test", 421),
        ("127.0.0.1.evil.test", 421),
        ("localhost.evil.test", 421),
        ("", 400),
        ("a b", 421),
    ] {
        let text = format!(
            "GET /api/v1/jobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            f.read
        );
        let said = send(f.server.address, &text).await;
        assert_eq!(said.status, status, "{host}: {said:?}");
    }
    for field in [
        "Origin: null",
        "Origin: https://evil.test",
        "Origin: http://localhost:1",
        "Origin: http://localhost.evil.test",
        "Origin: ",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        refused(&f.ask(&f.read, &format!("GET /api/v1/jobs\n{field}"), "").await, 403, "cross-site");
    }
    for field in ["Origin: http://localhost", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
        let said = f.ask(&f.read, &format!("GET /api/v1/jobs\n{field}"), "").await;
        assert_eq!(said.status, 200, "{field}: {said:?}");
        assert_eq!(said.header("access-control-allow-origin"), None);
    }
    // A browser asks first before it sends a token for another page, and gets no permission.
    let said = send(
        f.server.address,
        "OPTIONS /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: https://evil.test\r\n\r\n",
    )
    .await;
    assert_eq!((said.status, said.header("access-control-allow-origin")), (403, None), "{said:?}");
    f.server.stop().await;
}

#[tokio::test]
async fn a_token_in_a_url_is_refused_and_not_used() {
    let f = fixture().await;
    for query in [
        format!("token={}", f.read),
        format!("x={}", f.read),
        "access_token=1".to_owned(),
        "Token=".to_owned(),
    ] {
        refused(&f.get(&format!("/jobs?{query}")).await, 400, "token-in-url");
    }
    f.server.stop().await;
}

#[tokio::test]
async fn what_a_form_can_send_changes_nothing() {
    let f = fixture().await;
    let body = "{\"prompt\":\"x\"}";
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonx",
    ] {
        let head = format!("POST /api/v1/jobs\nContent-Type: {kind}");
        refused(&f.ask(&f.operate, &head, body).await, 415, "not-json");
    }
    refused(&f.ask(&f.operate, "POST /api/v1/jobs", body).await, 415, "not-json");
    for (body, status, code) in [
        ("{", 400, "bad-request"),
        ("[]", 422, "bad-body"),
        ("null", 422, "bad-body"),
        ("{}", 422, "order-refused"),
    ] {
        refused(&f.post(&f.operate, "/jobs", body).await, status, code);
    }
    let deep = "[".repeat(100_000);
    refused(&f.post(&f.operate, "/jobs", &format!("{{\"a\":{deep}")).await, 400, "bad-request");
    assert!(f.get("/jobs").await.json()["data"].as_array().unwrap().is_empty());
    f.server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whatever_it_says_of_its_size() {
    let f = fixture().await;
    let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let begin = format!("{head}Authorization: Bearer {}\r\nConnection: close\r\n", f.operate);
    let size = 10 << 20;
    let mut announced = f.server.connect().await;
    announced.write_all(format!("{begin}Content-Length: {size}\r\n\r\n").as_bytes()).await.unwrap();
    let said = super::super::answer(&read_to_end(&mut announced).await);
    refused(&said, 413, "body-too-large");
    let mut chunked = f.server.connect().await;
    chunked.write_all(format!("{begin}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..size / 0x10000 {
        // The server may answer and close before all of it is sent.
        if chunked.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let text = tokio::time::timeout(PATIENCE, read_to_end(&mut chunked)).await.unwrap();
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 413"), "{text}");
    assert_eq!(f.get("/jobs").await.status, 200);
    f.server.stop().await;
}

#[tokio::test]
async fn words_that_are_traps_are_only_words() {
    let f = fixture().await;
    for key in ["%00", "..%2f..%2fetc", "%e2%80%ae", "%", "'%20OR%201=1", "%ff", &"x".repeat(5000)] {
        let said = f.get(&format!("/jobs/{key}")).await;
        assert!(matches!(said.status, 400 | 404), "{key}: {said:?}");
        assert!(said.header("content-type") == Some("application/problem+json"), "{said:?}");
    }
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "cursor=x",
        "cursor=1.",
        "state=gone",
        "state=",
        "label=%00",
        "label=a/b",
        "repository=%00",
        "ended=2",
        "unknown=1",
        "limit=1&limit=2",
        "limit=%zz",
    ] {
        let said = f.get(&format!("/jobs?{query}")).await;
        assert_eq!(
            (said.status, said.header("content-type")),
            (400, Some("application/problem+json")),
            "{query}: {said:?}"
        );
    }
    refused(&f.get("/cost?since=x").await, 400, "bad-query");
    refused(&f.get("/cost?by=x").await, 400, "bad-query");
    let prompt = "\u{202e}\u{0}\u{1b}[2J\u{7}\r\n".repeat(1000);
    let body = serde_json::json!({ "prompt": prompt }).to_string();
    assert_eq!(f.post(&f.operate, "/jobs", &body).await.status, 201);
    let shown = f.get("/jobs/app-1").await;
    assert_eq!(shown.json()["data"]["prompt"], prompt.as_str());
    f.server.stop().await;
}
