//! Which method is answered how, in both eras of the protocol. Pure, but for the call of a tool.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::rpc::{Fault, INVALID_PARAMS, METHOD_NOT_FOUND, Request, UNSUPPORTED_VERSION, shown};
use super::tool::{Arguments, Tool, ToolError, Toolbox};

/// The revision in which every request says everything about itself.
pub(crate) const MODERN: &str = "2026-07-28";
/// Those with a handshake, newest first. The oldest knew neither titles nor structured results, and passes over them.
pub(crate) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

pub(crate) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// How long a list of tools may be kept by a client, in milliseconds: it changes with our version only.
const KEPT_MS: u64 = 60 * 60 * 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// The era of a request, by what it says of itself.
pub(crate) fn era_of(request: &Request) -> Result<Era, Fault> {
    match request.meta(VERSION_KEY) {
        None if request.method == "server/discover" => Ok(Era::Modern),
        None => Ok(Era::Legacy),
        Some(Value::String(version)) if version == MODERN => Ok(Era::Modern),
        Some(Value::String(version)) if LEGACY.contains(&version.as_str()) => Ok(Era::Legacy),
        Some(Value::String(version)) => Err(unsupported(version)),
        Some(_) => Err(Fault::new(INVALID_PARAMS, format!("{VERSION_KEY} is text"))),
    }
}

pub(crate) fn unsupported(version: &str) -> Fault {
    let supported: Vec<&str> = supported().collect();
    Fault::new(UNSUPPORTED_VERSION, "this revision of the protocol is not spoken here")
        .with(json!({"requested": shown(version), "supported": supported}))
}

pub(crate) fn supported() -> impl Iterator<Item = &'static str> {
    std::iter::once(MODERN).chain(LEGACY)
}

/// What a request of the modern era must say of itself.
pub(crate) fn check_meta(request: &Request) -> Result<(), Fault> {
    let missing =
        |key: &str| Fault::new(INVALID_PARAMS, format!("_meta lacks {key}, or it is not what it must be"));
    if request.meta(VERSION_KEY).and_then(Value::as_str).is_none() {
        return Err(missing(VERSION_KEY));
    }
    match request.meta(CLIENT_KEY) {
        // Clients should say who they are; nothing follows from it here.
        None => {}
        Some(client) if client.get("name").is_some_and(Value::is_string) => {}
        Some(_) => return Err(missing(CLIENT_KEY)),
    }
    if !request.meta(CAPABILITIES_KEY).is_some_and(Value::is_object) {
        return Err(missing(CAPABILITIES_KEY));
    }
    Ok(())
}

/// Answers one request of a caller that has these tools.
pub(crate) async fn answer(request: Request, era: Era, toolbox: &Arc<dyn Toolbox>) -> Result<Value, Fault> {
    let mut result = match (request.method.as_str(), era) {
        ("initialize", Era::Legacy) => return Ok(initialized(&request, toolbox)),
        ("ping", Era::Legacy) => return Ok(json!({})),
        ("server/discover", Era::Modern) => cached(discovered(toolbox)),
        ("tools/list", _) => cached(list(&request, toolbox)?),
        ("tools/call", _) => call(request, toolbox).await?,
        (method, _) => {
            let method = shown(method);
            return Err(Fault::new(METHOD_NOT_FOUND, format!("there is no method {method:?} here")));
        }
    };
    match era {
        Era::Modern => {
            result["resultType"] = json!("complete");
            result["_meta"] = json!({ (SERVER_KEY): server() });
        }
        Era::Legacy => {
            if let Some(result) = result.as_object_mut() {
                result.remove("ttlMs");
                result.remove("cacheScope");
            }
        }
    }
    Ok(result)
}

fn server() -> Value {
    json!({"name": "overnight", "title": "Overnight", "version": env!("CARGO_PKG_VERSION")})
}

fn initialized(request: &Request, toolbox: &Arc<dyn Toolbox>) -> Value {
    let asked = request.param("protocolVersion").unwrap_or_default();
    let version = LEGACY.into_iter().find(|known| *known == asked).unwrap_or(LEGACY[0]);
    json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": server(),
        "instructions": toolbox.instructions(),
    })
}

fn discovered(toolbox: &Arc<dyn Toolbox>) -> Value {
    let supported: Vec<&str> = supported().collect();
    json!({
        "supportedVersions": supported,
        "capabilities": {"tools": {}},
        "instructions": toolbox.instructions(),
    })
}

/// What others get from here may be something else: the tools depend on the token.
fn cached(mut result: Value) -> Value {
    result["ttlMs"] = json!(KEPT_MS);
    result["cacheScope"] = json!("private");
    result
}

/// One page: there are fewer tools than anybody would turn pages for.
fn list(request: &Request, toolbox: &Arc<dyn Toolbox>) -> Result<Value, Fault> {
    if request.params.get("cursor").is_some_and(|cursor| !cursor.is_null()) {
        return Err(Fault::new(INVALID_PARAMS, "no cursor was given out: the tools are one page"));
    }
    let tools: Vec<Value> = toolbox.tools().iter().map(listed).collect();
    Ok(json!({ "tools": tools }))
}

fn listed(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.arguments,
        "annotations": {
            "readOnlyHint": tool.read_only,
            "destructiveHint": tool.destructive,
            "openWorldHint": false,
        },
    })
}

async fn call(request: Request, toolbox: &Arc<dyn Toolbox>) -> Result<Value, Fault> {
    let Some(name) = request.param("name") else {
        return Err(Fault::new(INVALID_PARAMS, "tools/call names a tool"));
    };
    let Some(tool) = toolbox.tools().into_iter().find(|tool| tool.name == name) else {
        return Err(Fault::new(INVALID_PARAMS, format!("there is no tool {:?} here", shown(name))));
    };
    let arguments = match request.params.get("arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(arguments)) => arguments.clone(),
        Some(_) => return Err(Fault::new(INVALID_PARAMS, "arguments is an object")),
    };
    let arguments = Arguments::new(arguments);
    let done = match arguments.only(&tool) {
        Ok(()) => toolbox.call(tool.name, arguments).await,
        Err(refused) => Err(refused),
    };
    Ok(match done {
        Ok(value) => content(&value, false),
        Err(ToolError { code, message, next }) => {
            let mut said = json!({"error": code, "message": message});
            if let Some(next) = next {
                said["next_action"] = json!(next);
            }
            content(&said, true)
        }
    })
}

/// The value as such, and as text for clients that know nothing else.
fn content(value: &Value, is_error: bool) -> Value {
    json!({
        "content": [{"type": "text", "text": value.to_string()}],
        "structuredContent": value,
        "isError": is_error,
    })
}
