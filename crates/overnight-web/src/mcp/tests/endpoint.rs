//! The endpoint as clients and attackers meet it.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{OneToken, ask, call, fields, legacy, listening, modern, post};
use crate::mcp::MAX_MESSAGE;
use crate::tests::{answer, read_to_end};

const DOOR: OneToken = OneToken(Some("good"));

fn code(reply: &crate::tests::Answer) -> (u16, i64) {
    (reply.status, reply.json()["error"]["code"].as_i64().unwrap_or_default())
}

#[tokio::test]
async fn a_client_of_the_present_revision_discovers_lists_and_calls() {
    let address = listening(DOOR).await;
    let discovered = ask(address, "good", &modern(1, "server/discover", json!({}))).await.json();
    let result = &discovered["result"];
    assert_eq!(result["supportedVersions"][0], "2026-07-28");
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("private")));
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "overnight");
    let listed = ask(address, "good", &modern(2, "tools/list", json!({}))).await.json();
    assert_eq!(listed["result"]["tools"][0]["name"], "echo");
    assert_eq!(listed["result"]["tools"][1]["annotations"]["destructiveHint"], true);
    assert_eq!(
        call(address, "good", "echo", &json!({"text": "é\u{202e}\u{0}"})).await,
        (json!({"text": "é\u{202e}\u{0}"}), false)
    );
    let (refused, is_error) = call(address, "good", "refuse", &json!({})).await;
    assert!(is_error && refused["error"] == "REFUSED", "{refused}");
}

#[tokio::test]
async fn a_client_of_the_revision_before_it_shakes_hands_first() {
    let address = listening(DOOR).await;
    for (asked, given) in
        [("2025-11-25", "2025-11-25"), ("2025-03-26", "2025-03-26"), ("1999-01-01", "2025-11-25")]
    {
        let hello = legacy(1, "initialize", &json!({"protocolVersion": asked, "capabilities": {}}));
        let reply = post(address, &[], &hello.to_string()).await;
        assert_eq!((reply.status, reply.json()["result"]["protocolVersion"].clone()), (200, json!(given)));
        assert_eq!(reply.header("mcp-session-id"), None);
    }
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let reply = post(address, &[("MCP-Protocol-Version", "2025-11-25")], note).await;
    assert_eq!((reply.status, reply.body.as_str()), (202, ""));
    let listed = post(address, &[], &legacy(2, "tools/list", &json!({})).to_string()).await.json();
    assert!(listed["result"]["tools"].is_array() && listed["result"].get("resultType").is_none(), "{listed}");
    let pong = post(address, &[], &legacy(3, "ping", &json!({})).to_string()).await;
    assert_eq!(pong.json()["result"], json!({}));
}

#[tokio::test]
async fn without_the_right_token_nobody_comes_in_and_nothing_is_said() {
    let address = listening(DOOR).await;
    let request = legacy(1, "tools/list", &json!({})).to_string();
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer goo",
        "Bearer goodx",
        "Basic good",
        "good",
        "Bearer bad, Bearer good",
    ] {
        let reply = post(address, &[("Authorization", wrong)], &request).await;
        assert_eq!(reply.status, 401, "{wrong:?}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("bearer"), "{reply:?}");
        assert!(!reply.body.contains("echo"), "{reply:?}");
    }
    let twice = [("Authorization", "Bearer bad"), ("Authorization", "Bearer good")];
    assert_eq!(post(address, &twice, &request).await.status, 401);
    // Not in the address either.
    let text = format!(
        "POST /mcp?token=good&access_token=good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{request}",
        request.len()
    );
    assert_eq!(crate::tests::send(address, &text).await.status, 401);
}

#[tokio::test]
async fn pages_of_the_web_cannot_call_it() {
    let address = listening(DOOR).await;
    let request = legacy(1, "tools/list", &json!({})).to_string();
    for (fields, status) in [
        (vec![("Host", "evil.test")], 421),
        (vec![("Host", "127.0.0.1.evil.test")], 421),
        (vec![("Origin", "https://evil.test")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", "http://localhost.evil.test")], 403),
        (vec![("Origin", "http://localhost:3000"), ("Origin", "https://evil.test")], 403),
        (vec![("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("Content-Type", "text/plain")], 415),
        (vec![("Content-Type", "application/x-www-form-urlencoded")], 415),
        (vec![("Content-Type", "")], 415),
        (vec![("Accept", "text/html")], 406),
        (vec![("Origin", "http://localhost:3000")], 200),
        (vec![("Origin", "http://127.0.0.1"), ("Sec-Fetch-Site", "same-origin")], 200),
        (
            vec![
                ("Content-Type", "application/json; charset=utf-8"),
                ("Accept", "application/json, text/event-stream"),
            ],
            200,
        ),
    ] {
        let reply = post(address, &fields, &request).await;
        assert_eq!(reply.status, status, "{fields:?}");
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let options =
        "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\nConnection: close\r\n\r\n";
    assert_eq!(crate::tests::send(address, options).await.status, 403);
    for method in ["GET", "DELETE", "PUT"] {
        let text = format!(
            "{method} /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(crate::tests::send(address, &text).await.status, 405, "{method}");
    }
}

#[tokio::test]
async fn headers_that_say_something_else_than_the_body_are_refused() {
    let address = listening(DOOR).await;
    let request = modern(7, "tools/call", json!({"name": "echo", "arguments": {"text": "a"}}));
    let changed = |name: &'static str, value: Option<&'static str>| {
        let mut all = fields(&request);
        all.retain(|(field, _)| *field != name);
        all.extend(value.map(|value| (name, value.to_owned())));
        all
    };
    for (all, wanted) in [
        (changed("Mcp-Method", Some("tools/list")), (400, -32_020)),
        (changed("Mcp-Method", None), (400, -32_020)),
        (changed("Mcp-Name", Some("refuse")), (400, -32_020)),
        (changed("Mcp-Name", None), (400, -32_020)),
        (changed("Mcp-Name", Some("=?base64?cmVmdXNl?=")), (400, -32_020)),
        (changed("Mcp-Name", Some("=?base64?%%%?=")), (400, -32_020)),
        (changed("Mcp-Name", Some("=?base64?ZWNobw==?=")), (200, 0)),
        (changed("MCP-Protocol-Version", Some("2025-11-25")), (400, -32_020)),
        (changed("MCP-Protocol-Version", Some("2099-01-01")), (400, -32_020)),
        (changed("MCP-Protocol-Version", None), (400, -32_020)),
    ] {
        let borrowed: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = post(address, &borrowed, &request.to_string()).await;
        assert_eq!(code(&reply), wanted, "{all:?}");
        assert_eq!(reply.json()["id"], 7);
    }
    let twice = [("Mcp-Method", "tools/call"), ("Mcp-Method", "tools/call")];
    let mut borrowed: Vec<(&str, &str)> = vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Name", "echo")];
    borrowed.extend(twice);
    assert_eq!(code(&post(address, &borrowed, &request.to_string()).await), (400, -32_020));
}

#[tokio::test]
async fn unknown_versions_methods_and_tools_are_told_apart() {
    let address = listening(DOOR).await;
    let mut unknown = modern(1, "tools/list", json!({}));
    unknown["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let fields = [("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Method", "tools/list")];
    let reply = post(address, &fields, &unknown.to_string()).await;
    assert_eq!(code(&reply), (400, -32_022));
    assert_eq!(reply.json()["error"]["data"]["supported"][0], "2026-07-28");
    for method in ["initialize", "ping", "logging/setLevel", "resources/list", "nonsense\u{1b}[2J"] {
        let request = modern(2, method, json!({}));
        let reply = if method.contains('\u{1b}') {
            post(address, &[], &legacy(2, method, &json!({})).to_string()).await
        } else {
            ask(address, "good", &request).await
        };
        assert_eq!(reply.json()["error"]["code"], -32_601, "{method}");
        assert!(!reply.body.contains('\u{1b}'), "{reply:?}");
    }
    assert_eq!(code(&ask(address, "good", &modern(3, "ping", json!({}))).await).0, 404);
    let reply = ask(address, "good", &modern(4, "tools/call", json!({"name": "nothing"}))).await;
    assert_eq!(code(&reply), (200, -32_602));
    let mut bare = modern(5, "tools/list", json!({}));
    bare["params"]["_meta"].as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    assert_eq!(code(&ask(address, "good", &bare).await), (400, -32_602));
}

#[tokio::test]
async fn garbage_and_too_much_are_refused_and_the_next_client_is_served() {
    let address = listening(DOOR).await;
    for body in ["", "{", "[]", "null", "\u{0}", &"[".repeat(10_000)] {
        assert_eq!(post(address, &[], body).await.status, 400, "{body:.20}");
    }
    let huge = json!({"text": "x".repeat(MAX_MESSAGE)});
    let request = legacy(1, "tools/call", &json!({"name": "echo", "arguments": huge})).to_string();
    assert_eq!(post(address, &[], &request).await.status, 413);
    let large = json!({"text": "x".repeat(MAX_MESSAGE / 2)});
    let (echoed, _) = call(address, "good", "echo", &large).await;
    assert_eq!(echoed, large);
    for arguments in [json!({"text": 7}), json!({"text": null}), json!({}), json!({"text": "a", "more": 1})] {
        let (refused, is_error) = call(address, "good", "echo", &arguments).await;
        assert!(is_error && refused["error"] == "BAD_ARGUMENT", "{arguments}: {refused}");
    }
    let reply =
        ask(address, "good", &modern(1, "tools/call", json!({"name": "echo", "arguments": []}))).await;
    assert_eq!(reply.json()["error"]["code"], -32_602);
}

/// One connection, several requests: answers come in order and none is lost.
#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let address = listening(DOOR).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for id in 1..=50_u64 {
        let body = legacy(id, "ping", &json!({})).to_string();
        let close = if id == 50 { "Connection: close\r\n" } else { "" };
        let text = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n{close}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
    }
    let all = read_to_end(&mut stream).await;
    let ids: Vec<u64> = all
        .split("HTTP/1.1")
        .skip(1)
        .map(|text| serde_json::from_str::<Value>(&answer(text).body).unwrap()["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=50).collect::<Vec<u64>>());
}
