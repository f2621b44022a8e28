//! How each vendor's CLI is told where the tools of its job are. Pure.
//!
//! The token stands in a file of ours beside the prompt or in the environment, never among the arguments, which every user of the
//! machine can read. It opens this job's tools only, and ends with the turn.

use std::ffi::{OsStr, OsString};

use overnight_core::agent::{ToolServer, TurnRequest};
use overnight_core::command::CommandSpec;
use serde_json::{Value, json};

use crate::backend::GivenFile;
use crate::common::beside_prompt;

/// The name under which the CLIs know the server.
pub(crate) const SERVER: &str = "overnight";
/// Where programs that nobody has written a hand-over for find it.
pub(crate) const URL: &str = "OVERNIGHT_MCP_URL";
pub(crate) const TOKEN: &str = "OVERNIGHT_MCP_TOKEN";
const CLAUDE_FILE: &str = "mcp.json";

/// The header in which the token travels.
pub(crate) fn authorization(tools: &ToolServer) -> String {
    format!("Bearer {}", tools.token.expose())
}

/// The file that `claude --mcp-config` is pointed to.
pub(crate) fn claude_file(request: &TurnRequest) -> Option<GivenFile> {
    let tools = request.tools.as_ref()?;
    let server =
        json!({"type": "http", "url": tools.url, "headers": {"Authorization": authorization(tools)}});
    let content = json!({"mcpServers": { (SERVER): server }}).to_string().into_bytes();
    Some(GivenFile { path: beside_prompt(request, CLAUDE_FILE), content })
}

/// An entry of `mcpServers` as qwen writes it. Trusted: its tools are called without a question.
pub(crate) fn qwen_entry(tools: &ToolServer) -> Value {
    json!({"httpUrl": tools.url, "headers": {"Authorization": authorization(tools)}, "trust": true})
}

/// An entry of `mcp` as opencode writes it.
pub(crate) fn opencode_entry(tools: &ToolServer) -> Value {
    json!({
        "type": "remote",
        "url": tools.url,
        "enabled": true,
        "oauth": false,
        "headers": {"Authorization": authorization(tools)},
    })
}

/// What `codex -c` is told. The token is named by its variable.
pub(crate) fn codex_settings(tools: &ToolServer) -> [String; 3] {
    let of = |key: &str, value: &str| format!("mcp_servers.{SERVER}.{key}=\"{value}\"");
    [
        of("url", &tools.url),
        of("bearer_token_env_var", TOKEN),
        // Otherwise each call waits for an approval that nobody gives.
        of("default_tools_approval_mode", "approve"),
    ]
}

/// The variables that say where the tools are, for programs that look for them.
pub(crate) fn in_environment(mut spec: CommandSpec, request: &TurnRequest) -> CommandSpec {
    if let Some(tools) = &request.tools {
        spec.env.insert(URL.into(), tools.url.clone().into());
        spec.env.insert(TOKEN.into(), tools.token.expose().into());
    }
    spec
}

/// Our server is on this machine: a proxy would look for it on its own.
pub(crate) fn past_the_proxy(mut spec: CommandSpec, request: &TurnRequest) -> CommandSpec {
    let proxied = spec.env.keys().any(|name| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        matches!(name.as_str(), "http_proxy" | "https_proxy" | "all_proxy")
    });
    if request.tools.is_some() && proxied {
        let kept = ["NO_PROXY", "no_proxy"].iter().find_map(|name| spec.env.get(OsStr::new(name)).cloned());
        let mut hosts: OsString = kept.filter(|hosts| !hosts.is_empty()).unwrap_or_default();
        if !hosts.is_empty() {
            hosts.push(",");
        }
        hosts.push("127.0.0.1");
        for name in ["NO_PROXY", "no_proxy"] {
            spec.env.insert(name.into(), hosts.clone());
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use overnight_core::agent::BackendId;
    use overnight_core::secret::Secret;

    use super::*;
    use crate::testing::{host, request, words};
    use crate::{given_files, plan};

    const SECRET: &str = "ova_0123";

    fn with_tools(backend: BackendId) -> TurnRequest {
        let url = "http://127.0.0.1:4321/mcp".to_owned();
        let mut request = request(backend);
        request.tools = Some(ToolServer { url, token: Secret::new(SECRET) });
        if backend == BackendId::Command {
            request.settings.command = vec!["true".to_owned()];
        }
        request
    }

    const HANDED: [BackendId; 5] =
        [BackendId::Claude, BackendId::Codex, BackendId::Qwen, BackendId::Opencode, BackendId::Command];

    #[test]
    fn no_argument_and_no_debug_output_ever_holds_the_token() {
        for backend in HANDED {
            let request = with_tools(backend);
            let spec = plan(&request, &host()).expect("a plan");
            assert!(!words(&spec).join(" ").contains(SECRET), "{backend}");
            assert!(!format!("{request:?}").contains(SECRET), "{backend}");
        }
    }

    #[test]
    fn each_cli_is_told_in_its_own_way_and_only_where_there_are_tools() {
        for backend in HANDED {
            let told = |request: &TurnRequest| {
                let spec = plan(request, &host()).expect("a plan");
                let files = given_files(request);
                let in_files =
                    files.iter().any(|file| String::from_utf8_lossy(&file.content).contains(SECRET));
                let in_env = spec.env.values().any(|value| value.to_string_lossy().contains(SECRET));
                in_files || in_env
            };
            let mut request = with_tools(backend);
            assert!(told(&request), "{backend}");
            request.tools = None;
            assert!(!told(&request), "{backend}");
        }
    }

    #[test]
    fn the_proxy_is_not_asked_for_our_own_server() {
        let mut host = host();
        let no_proxy = |request: &TurnRequest, host: &crate::HostFacts| {
            plan(request, host).expect("a plan").env.get(OsStr::new("NO_PROXY")).cloned()
        };
        let request = with_tools(BackendId::Claude);
        assert_eq!(no_proxy(&request, &host), None);
        host.env.insert("HTTPS_PROXY".into(), "http://proxy.test".into());
        assert_eq!(no_proxy(&request, &host), Some("127.0.0.1".into()));
        host.env.insert("no_proxy".into(), "intra.test".into());
        assert_eq!(no_proxy(&request, &host), Some("intra.test,127.0.0.1".into()));
    }
}
