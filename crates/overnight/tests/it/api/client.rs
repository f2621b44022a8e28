//! A client of the API that sends what it is told, and reads streams frame by frame.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::harness::Place;
use crate::harness::worker::Served;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    head: String,
    text: String,
}

impl Said {
    /// A header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Client {
    /// With a new token of this name and scope.
    #[track_caller]
    pub(crate) fn new(place: &Place, served: &Served, name: &str, scope: &str) -> Self {
        let made =
            place.overnight_in(&place.home(), &["token", "add", name, "--scope", scope]).expect_code(0);
        Self { address: served.address().to_owned(), token: made.stdout.trim().to_owned() }
    }

    /// The same at another server.
    pub(crate) fn at(self, served: &Served) -> Self {
        Self { address: served.address().to_owned(), ..self }
    }

    pub(crate) fn get(&self, path: &str) -> Said {
        self.ask("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Said {
        self.ask("POST", path, &body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Said {
        self.ask("PUT", path, &body.to_string())
    }

    /// A request with header fields, each with its line end.
    pub(super) fn with(&self, method: &str, path: &str, fields: &str, body: &Value) -> Said {
        self.said(
            method,
            &format!("/api/v1{path}"),
            &format!("{fields}Connection: close\r\n"),
            &body.to_string(),
        )
    }

    /// Calls a tool of the assistant with the same token; `Err`: it refuses.
    pub(crate) fn tool(&self, name: &str, arguments: &Value) -> Result<Value, Value> {
        let params = serde_json::json!({ "name": name, "arguments": arguments });
        let call = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let said = self.ask_at("POST", "/mcp", &call.to_string()).expect(200);
        let result = &said["result"];
        let refused = result["isError"] == true || said["error"].is_object();
        if refused {
            Err(result["structuredContent"].clone())
        } else {
            Ok(result["structuredContent"].clone())
        }
    }

    fn send(&self, method: &str, path: &str, fields: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let Self { address, token } = self;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{fields}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Said {
        self.ask_at(method, &format!("/api/v1{path}"), body)
    }

    fn ask_at(&self, method: &str, path: &str, body: &str) -> Said {
        self.said(method, path, "Connection: close\r\n", body)
    }

    fn said(&self, method: &str, path: &str, fields: &str, body: &str) -> Said {
        let mut stream = self.send(method, path, fields, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let (head, text) = match text.split_once("\r\n\r\n") {
            Some((head, body)) => (head.to_owned(), body.to_owned()),
            None => (String::new(), text),
        };
        Said { status, head, text }
    }
}

pub(crate) struct Stream {
    lines: BufReader<TcpStream>,
    /// The id of the last event.
    pub(crate) last: Option<String>,
}

impl Stream {
    pub(crate) fn open(client: &Client, path: &str, last: Option<&str>) -> Self {
        let fields = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let mut lines = BufReader::new(client.send("GET", &format!("/api/v1{path}"), &fields, ""));
        let mut line = String::new();
        while line.trim_end() != "retry: 2000" {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "no stream");
        }
        Self { lines, last: last.map(str::to_owned) }
    }

    /// The job and number of the next event.
    fn next(&mut self) -> Option<(String, i64)> {
        let event = self.event()?;
        Some((event["job"].as_str().unwrap().to_owned(), event["number"].as_i64().unwrap()))
    }

    /// The next event, whole. A frame that was cut off is none.
    pub(crate) fn event(&mut self) -> Option<Value> {
        let (mut id, mut data) = (None, None);
        loop {
            let mut line = String::new();
            if !matches!(self.lines.read_line(&mut line), Ok(1..)) || !line.ends_with('\n') {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("data", text)) => data = Some(serde_json::from_str::<Value>(text).unwrap()),
                Some(("event", kind)) => assert_eq!(kind, "job"),
                _ => {}
            }
            if line.trim_end().is_empty()
                && let Some(data) = data.take()
            {
                self.last = id;
                return Some(data);
            }
        }
    }

    #[track_caller]
    pub(crate) fn some(&mut self, count: usize) -> Vec<(String, i64)> {
        (0..count).map(|_| self.next().expect("the stream ended")).collect()
    }

    /// What still comes before the connection breaks.
    pub(crate) fn rest(&mut self) -> Vec<(String, i64)> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
