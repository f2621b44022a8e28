//! Which tool a client has for a shell command, a whole file, or a replacement, and what its arguments are called.
//!
//! Pure tables. Tool names belong to the client, not to the wire format, so every wire format shares them.

use serde_json::{Value, json};

/// One call of a client's tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolCall {
    pub(super) name: String,
    pub(super) input: Value,
}

/// The tool names of one client.
struct Client {
    shell: &'static str,
    write: &'static str,
    edit: &'static str,
}

const CLAUDE_CODE: Client = Client { shell: "Bash", write: "Write", edit: "Edit" };

/// Runs a command line. `None` if no offered tool is known to do that; the same holds for the other two.
pub(super) fn shell(offered: &[String], command: &str) -> Option<ToolCall> {
    let input = json!({"command": command, "description": "Run the scripted command"});
    call(offered, CLAUDE_CODE.shell, input)
}

/// Writes a whole file.
pub(super) fn write(offered: &[String], path: &str, content: &str) -> Option<ToolCall> {
    call(offered, CLAUDE_CODE.write, json!({"file_path": path, "content": content}))
}

/// Replaces text in a file.
pub(super) fn edit(offered: &[String], path: &str, old: &str, new: &str) -> Option<ToolCall> {
    call(offered, CLAUDE_CODE.edit, json!({"file_path": path, "old_string": old, "new_string": new}))
}

fn call(offered: &[String], name: &str, input: Value) -> Option<ToolCall> {
    offered.iter().any(|tool| tool == name).then(|| ToolCall { name: name.to_owned(), input })
}
