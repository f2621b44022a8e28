//! The protocol over pipes, and what a client may do to them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex};
use tokio::time::timeout;

use super::{Echo, legacy, modern};
use crate::mcp::{MAX_MESSAGE, serve_stdio};

/// All that is answered to this input.
async fn answers(input: &[u8]) -> Vec<Value> {
    let mut output = Vec::new();
    serve_stdio(BufReader::new(input), &mut output, Arc::new(Echo)).await.unwrap();
    output
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn lines(messages: &[Value]) -> Vec<u8> {
    messages.iter().map(|message| format!("{message}\n")).collect::<String>().into_bytes()
}

#[tokio::test]
async fn both_eras_are_spoken_side_by_side() {
    let call = json!({"name": "echo", "arguments": {"text": "a\nb"}});
    let said = answers(&lines(&[
        legacy(1, "initialize", &json!({"protocolVersion": "2025-11-25"})),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        legacy(2, "tools/call", &call),
        modern(3, "server/discover", json!({})),
        modern(4, "tools/call", call.clone()),
        modern(5, "ping", json!({})),
        json!({"jsonrpc": "2.0", "id": 6, "method": "server/discover"}),
    ]))
    .await;
    assert_eq!(said.len(), 6, "{said:?}");
    assert_eq!(said[0]["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(said[1]["result"]["structuredContent"]["text"], "a\nb");
    assert_eq!(said[2]["result"]["supportedVersions"][0], "2026-07-28");
    assert_eq!(said[3]["result"]["resultType"], "complete");
    assert_eq!(said[4]["error"]["code"], -32_601);
    assert_eq!(said[5]["error"]["code"], -32_602);
}

#[tokio::test]
async fn garbage_is_answered_and_what_follows_it_is_served() {
    let mut input = b"nonsense\n\n  \n\xff\xfe\0\n[]\n".to_vec();
    input.extend(vec![b'x'; 3 * MAX_MESSAGE]);
    input.push(b'\n');
    input.extend(lines(&[legacy(1, "ping", &json!({}))]));
    // The last line needs no end.
    input.extend(legacy(2, "ping", &json!({})).to_string().into_bytes());
    let said = answers(&input).await;
    let codes: Vec<i64> = said.iter().map(|one| one["error"]["code"].as_i64().unwrap_or_default()).collect();
    assert_eq!(codes, [-32_700, -32_700, -32_600, -32_600, 0, 0]);
    assert_eq!((&said[4]["id"], &said[5]["id"]), (&json!(1), &json!(2)));
}

/// Who does not read is not read from: nothing piles up, and it goes on where it stopped.
#[tokio::test]
async fn a_client_that_does_not_read_is_waited_for() {
    let (client, server) = duplex(16 << 10);
    let (input, output) = tokio::io::split(server);
    tokio::spawn(async move { serve_stdio(BufReader::new(input), output, Arc::new(Echo)).await });
    let (read, mut write) = tokio::io::split(client);
    let message =
        lines(&[legacy(1, "tools/call", &json!({"name": "echo", "arguments": {"text": "y".repeat(4_000)}}))]);
    let mut sent = 0;
    // Until both pipes are full.
    while timeout(Duration::from_millis(300), write.write_all(&message)).await.is_ok() {
        sent += 1;
        assert!(sent < 100, "{sent} messages were taken, and nobody read an answer");
    }
    let mut read = BufReader::new(read);
    let mut line = String::new();
    for _ in 0..sent {
        line.clear();
        timeout(Duration::from_secs(10), read.read_line(&mut line)).await.unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["id"], 1);
    }
}

#[tokio::test]
async fn the_end_of_the_input_ends_it() {
    let (client, server) = duplex(64);
    let (input, output) = tokio::io::split(server);
    let serving =
        tokio::spawn(async move { serve_stdio(BufReader::new(input), output, Arc::new(Echo)).await });
    let (mut read, mut write) = tokio::io::split(client);
    write.shutdown().await.unwrap();
    timeout(Duration::from_secs(10), serving).await.unwrap().unwrap().unwrap();
    let mut rest = Vec::new();
    read.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}
