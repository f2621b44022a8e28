//! What the tests share: an endpoint on a real socket, and a client that sends exactly what it is told.

mod agents;
mod conformance;
mod endpoint;
mod operators;
mod pipes;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Answer, Arguments, Door, Tool, ToolError, Toolbox};
use crate::tests::{Answer as Reply, send};
use crate::{Limits, listen};

/// One tool that repeats what it is given, and one that refuses.
struct Echo;

impl Toolbox for Echo {
    fn instructions(&self) -> &'static str {
        "for tests"
    }

    fn tools(&self) -> Vec<Tool> {
        let text = json!({"text": {"type": "string"}});
        vec![
            Tool::reading("echo", "repeats", &text, &["text"]),
            Tool::reading("refuse", "refuses", &json!({}), &[]).destroying(),
            // Those that the conformance tests call by name.
            Tool::reading("test_simple_text", "says something", &json!({}), &[]),
            Tool::reading("test_error_handling", "refuses", &json!({}), &[]),
            Tool {
                arguments: conformance::schema(),
                ..Tool::reading("json_schema_2020_12_tool", "has a schema", &json!({}), &[])
            },
        ]
    }

    fn call<'a>(&'a self, name: &'a str, arguments: Arguments) -> Answer<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            match name {
                "echo" => Ok(json!({"text": arguments.needed("text")?})),
                "test_simple_text" => Ok(json!({"text": "something"})),
                _ => Err(ToolError::new("REFUSED", "never")),
            }
        })
    }
}

/// Lets in who has this token; with `None` everybody.
struct OneToken(Option<&'static str>);

impl Door for OneToken {
    fn toolbox<'a>(&'a self, bearer: Option<&'a str>) -> Answer<'a, Option<Arc<dyn Toolbox>>> {
        let welcome = self.0.is_none() || self.0 == bearer;
        Box::pin(std::future::ready(welcome.then(|| Arc::new(Echo) as Arc<dyn Toolbox>)))
    }
}

async fn listening(door: impl Door + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = super::router(Arc::new(door), &[]);
    tokio::spawn(listen::accept(Arc::new(listener), router, Limits::default(), std::future::pending()));
    address
}

/// What a client of the present revision sends.
fn modern(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn legacy(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// Posts a body with these further fields.
async fn post(address: SocketAddr, fields: &[(&str, &str)], body: &str) -> Reply {
    let mut head = String::from("POST /mcp HTTP/1.1\r\nConnection: close\r\n");
    let usual =
        [("Host", "localhost"), ("Content-Type", "application/json"), ("Authorization", "Bearer good")];
    let given = |name: &str| fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
    for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(fields) {
        if !value.is_empty() {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
    }
    send(address, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await
}

/// The fields that a client of the present revision sends with a request.
fn fields(request: &Value) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut fields =
        vec![("MCP-Protocol-Version", "2026-07-28".to_owned()), ("Mcp-Method", text(&request["method"]))];
    if request["method"] == "tools/call" {
        fields.push(("Mcp-Name", text(&request["params"]["name"])));
    }
    fields
}

async fn ask(address: SocketAddr, token: &str, request: &Value) -> Reply {
    let bearer = format!("Bearer {token}");
    let fields = fields(request);
    let mut all: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.push(("Authorization", &bearer));
    post(address, &all, &request.to_string()).await
}

/// Calls a tool, and gives what it said and whether it is an error.
async fn call(address: SocketAddr, token: &str, name: &str, arguments: &Value) -> (Value, bool) {
    let reply =
        ask(address, token, &modern(1, "tools/call", json!({"name": name, "arguments": arguments}))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let result = &reply.json()["result"];
    (result["structuredContent"].clone(), result["isError"] == true)
}
