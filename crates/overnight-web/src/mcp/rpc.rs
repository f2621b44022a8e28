//! A message of JSON-RPC 2.0, and what is wrong with one. Pure.

use serde_json::{Map, Value, json};

pub(crate) const PARSE_ERROR: i64 = -32_700;
pub(crate) const INVALID_REQUEST: i64 = -32_600;
pub(crate) const METHOD_NOT_FOUND: i64 = -32_601;
pub(crate) const INVALID_PARAMS: i64 = -32_602;
/// A header says something else than the body.
pub(crate) const HEADER_MISMATCH: i64 = -32_020;
pub(crate) const UNSUPPORTED_VERSION: i64 = -32_022;

/// Characters of what came that are repeated in an error.
const SHOWN: usize = 120;

#[derive(Debug)]
pub(crate) enum Message {
    Request(Request),
    /// Nothing follows from any of them: nothing is kept between two requests.
    Notification,
    /// An answer, though we never ask anything.
    Response,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Map<String, Value>,
}

impl Request {
    /// A text of the request's `_meta`.
    pub(crate) fn meta(&self, key: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(key)
    }

    pub(crate) fn param(&self, key: &str) -> Option<&str> {
        self.params.get(key)?.as_str()
    }
}

/// Why a message is not answered as it wished.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl Fault {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }
}

/// Reads one message. What has no id that could be answered to is answered to `null`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message, Fault> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Fault::new(PARSE_ERROR, format!("this is not JSON: {error}")))?;
    let Value::Object(mut message) = value else {
        return Err(Fault::new(INVALID_REQUEST, "a message is one JSON object; batches are not taken"));
    };
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(Fault::new(INVALID_REQUEST, "a message says \"jsonrpc\": \"2.0\""));
    }
    let id = message.remove("id");
    let method = match message.remove("method") {
        Some(Value::String(method)) => method,
        None if message.contains_key("result") || message.contains_key("error") => {
            return Ok(Message::Response);
        }
        Some(_) | None => return Err(Fault::new(INVALID_REQUEST, "a message has a method, which is text")),
    };
    let params = match message.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(Fault::new(INVALID_REQUEST, "params is an object")),
    };
    match id {
        None => Ok(Message::Notification),
        Some(id @ Value::String(_)) => Ok(Message::Request(Request { id, method, params })),
        Some(id @ Value::Number(_)) if id.is_i64() || id.is_u64() => {
            Ok(Message::Request(Request { id, method, params }))
        }
        Some(_) => Err(Fault::new(INVALID_REQUEST, "an id is text or a whole number")),
    }
}

pub(crate) fn result(id: &Value, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

pub(crate) fn error(id: &Value, fault: &Fault) -> Value {
    let mut error = json!({"code": fault.code, "message": fault.message});
    if let Some(data) = &fault.data {
        error["data"] = data.clone();
    }
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

/// A piece of what somebody sent, fit to be repeated to them and to be logged.
pub(crate) fn shown(text: &str) -> String {
    overnight_core::text::one_line(text, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_told_apart_from_what_is_no_request() {
        let code = |text: &str| parse(text.as_bytes()).map_err(|fault| fault.code).err();
        for text in ["", "{", "\u{0}", "nonsense", &"[".repeat(100_000)] {
            assert_eq!(code(text), Some(PARSE_ERROR), "{text:.20}");
        }
        assert_eq!(parse(b"\xff\xfe").map_err(|fault| fault.code).err(), Some(PARSE_ERROR));
        for text in [
            "[]",
            "null",
            "7",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        ] {
            assert_eq!(code(text), Some(INVALID_REQUEST), "{text}");
        }
    }

    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        let read = |text: &str| parse(text.as_bytes()).unwrap();
        let Message::Request(request) = read(r#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"k":"v"}}"#)
        else {
            panic!("a request")
        };
        assert_eq!((request.method.as_str(), request.param("k")), ("m", Some("v")));
        assert!(matches!(read(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#), Message::Notification));
        assert!(matches!(read(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Message::Response));
    }
}
