//! A hand-written HTTP client of one request per connection, so that tests see exactly what is on the wire.

use serde_json::Value;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    /// Without the chunk framing.
    pub(super) body: String,
    /// Whether the body ended as its framing promised, and not by a cut.
    pub(super) whole: bool,
}

/// Sends a JSON document and keeps the connection for reading.
pub(super) async fn send(base_url: &str, path: &str, body: &Value) -> TcpStream {
    let rest = base_url.strip_prefix("http://").unwrap();
    let (host, prefix) =
        rest.split_once('/').map_or((rest, String::new()), |(host, prefix)| (host, format!("/{prefix}")));
    let mut stream = TcpStream::connect(host).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {prefix}{path} HTTP/1.1\r\nhost: {host}\r\nX-Api-Key: test-key\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Sends a JSON document and reads the answer to the end of the connection.
pub(super) async fn post(base_url: &str, path: &str, body: &Value) -> Answer {
    let mut stream = send(base_url, path, body).await;
    let mut bytes = Vec::new();
    // A cut connection may arrive as a reset; what was read before counts.
    let _cut = stream.read_to_end(&mut bytes).await;
    parse(&String::from_utf8(bytes).unwrap())
}

fn parse(text: &str) -> Answer {
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let (body, whole) = match headers.get("content-length") {
        Some(length) => (rest.to_owned(), length.parse() == Ok(rest.len())),
        None => unchunk(rest),
    };
    Answer { status, headers, body, whole }
}

fn unchunk(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = tail.get(..size) else { break };
        body.push_str(chunk);
        rest = tail.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The data of each server-sent event that is JSON; one format ends with a word that is not.
    pub(super) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        let data = data.filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}
