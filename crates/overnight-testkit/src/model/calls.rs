//! Which tool a client has for a shell command, a whole file, or a replacement, and what its arguments are called.
//!
//! Pure tables. Tool names belong to the client, not to the wire format, so every wire format shares them.

use serde_json::{Value, json};

/// A tool that a request offers to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) name: String,
    /// The group that a call of it has to name.
    pub(super) namespace: Option<String>,
    /// Whether it takes plain text instead of fields.
    pub(super) freeform: bool,
    /// The names of its arguments, where the request describes them.
    pub(super) fields: Vec<String>,
}

/// One call of a client's tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolCall {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) input: Input,
}

/// What a tool is called with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// A JSON object.
    Fields(Value),
    /// Plain text, for a freeform tool.
    Text(String),
}

impl Input {
    /// As an object, for wire formats that know nothing else.
    pub(super) fn fields(&self) -> Value {
        match self {
            Self::Fields(fields) => fields.clone(),
            Self::Text(text) => json!({"input": text}),
        }
    }
}

impl Tool {
    /// A tool with fields and in no group, with the arguments that its JSON schema describes.
    pub(super) fn function(name: &str, schema: Option<&Value>) -> Self {
        let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
        let fields = properties.into_iter().flat_map(|fields| fields.keys().cloned()).collect();
        Self { name: name.to_owned(), namespace: None, freeform: false, fields }
    }

    fn call(&self, input: Input) -> ToolCall {
        ToolCall { name: self.name.clone(), namespace: self.namespace.clone(), input }
    }
}

const WHY: &str = "Run the scripted command";

/// Runs a command line. `None` if no offered tool is known to do that; the same holds for the next two.
pub(super) fn shell(offered: &[Tool], command: &str) -> Option<ToolCall> {
    offered.iter().find_map(|tool| {
        let input = match tool.name.as_str() {
            "Bash" | "run_shell_command" => json!({"command": command, "description": WHY}),
            "bash" | "shell_command" => json!({"command": command}),
            "exec_command" => json!({"cmd": command}),
            "shell" => json!({"command": ["bash", "-c", command]}),
            "exec" if tool.freeform => {
                let script = format!("text(await tools.exec_command({}));", json!({"cmd": command}));
                return Some(tool.call(Input::Text(script)));
            }
            _ => return None,
        };
        Some(tool.call(Input::Fields(input)))
    })
}

/// Writes a whole file.
pub(super) fn write(offered: &[Tool], path: &str, content: &str) -> Option<ToolCall> {
    let written = offered.iter().find_map(|tool| {
        let input = match tool.name.as_str() {
            "Write" | "write_file" => json!({"file_path": path, "content": content}),
            "write" => json!({"filePath": path, "content": content}),
            _ => return None,
        };
        Some(tool.call(Input::Fields(input)))
    });
    let lines: String = content.lines().map(|line| format!("+{line}\n")).collect();
    let by_patch = || patch(offered, &format!("*** Add File: {path}\n{lines}"));
    let by_shell = || shell(offered, &format!("printf %s {} > {}", quoted(content), quoted(path)));
    written.or_else(by_patch).or_else(by_shell)
}

/// Replaces text in a file. A client that patches wants whole lines.
pub(super) fn edit(offered: &[Tool], path: &str, old: &str, new: &str) -> Option<ToolCall> {
    let edited = offered.iter().find_map(|tool| {
        let input = match tool.name.as_str() {
            "replace" => {
                json!({"file_path": path, "instruction": WHY, "old_string": old, "new_string": new})
            }
            "edit" if tool.fields.iter().any(|field| field == "filePath") => {
                json!({"filePath": path, "oldString": old, "newString": new})
            }
            "Edit" | "edit" => json!({"file_path": path, "old_string": old, "new_string": new}),
            _ => return None,
        };
        Some(tool.call(Input::Fields(input)))
    });
    let signed =
        |sign: char, text: &str| -> String { text.lines().map(|line| format!("{sign}{line}\n")).collect() };
    let change = format!("*** Update File: {path}\n@@\n{}{}", signed('-', old), signed('+', new));
    edited.or_else(|| patch(offered, &change)).or_else(|| {
        let script =
            "import sys; p, o, n = sys.argv[1:]; t = open(p).read(); open(p, 'w').write(t.replace(o, n, 1))";
        let command = ["python3 -c", &quoted(script), &quoted(path), &quoted(old), &quoted(new)].join(" ");
        shell(offered, &command)
    })
}

/// Calls a tool by its name. A client that groups its tools, or lets them be called only from a script, wants more
/// than that name.
pub(super) fn named(offered: &[Tool], name: &str, input: &Value) -> ToolCall {
    if let Some(tool) = offered.iter().find(|tool| tool.name == "exec" && tool.freeform) {
        return tool.call(Input::Text(format!("text(await tools.{name}({input}));")));
    }
    let input = match input {
        Value::String(text) => Input::Text(text.clone()),
        fields => Input::Fields(fields.clone()),
    };
    if let Some(tool) = offered.iter().find(|tool| tool.name == name) {
        return tool.call(input);
    }
    let groups = offered.iter().any(|tool| tool.name == "exec_command");
    match name.rsplit_once("__").filter(|(group, _)| groups && group.starts_with("mcp__")) {
        Some((group, name)) => ToolCall { name: name.to_owned(), namespace: Some(group.to_owned()), input },
        None => ToolCall { name: name.to_owned(), namespace: None, input },
    }
}

/// Applies one change in the form that Codex gives to patches.
fn patch(offered: &[Tool], change: &str) -> Option<ToolCall> {
    let text = format!("*** Begin Patch\n{change}*** End Patch\n");
    offered.iter().find_map(|tool| match (tool.name.as_str(), tool.freeform) {
        ("apply_patch", true) => Some(tool.call(Input::Text(text.clone()))),
        ("apply_patch", false) => Some(tool.call(Input::Fields(json!({"input": text})))),
        ("exec", true) => {
            let script = format!("text(await tools.apply_patch({}));", json!(text));
            Some(tool.call(Input::Text(script)))
        }
        _ => None,
    })
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(names: &[&str]) -> Vec<Tool> {
        names.iter().map(|name| Tool::function(name, None)).collect()
    }

    fn freeform(name: &str) -> Tool {
        Tool { freeform: true, ..Tool::function(name, None) }
    }

    fn fields(call: Option<ToolCall>) -> (String, Value) {
        let call = call.unwrap();
        (call.name, call.input.fields())
    }

    #[test]
    fn each_client_gets_its_own_tools_and_argument_names() {
        let gemini = functions(&["replace", "write_file", "run_shell_command"]);
        let (name, input) = fields(edit(&gemini, "/a", "x", "y"));
        assert_eq!((name.as_str(), &input["old_string"]), ("replace", &json!("x")));
        assert_eq!(fields(shell(&gemini, "date")).0, "run_shell_command");

        let schema = json!({"properties": {"filePath": {}, "oldString": {}, "newString": {}}});
        let opencode = [Tool::function("edit", Some(&schema)), Tool::function("write", None)];
        assert_eq!(fields(edit(&opencode, "/a", "x", "y")).1["filePath"], "/a");
        assert_eq!(fields(write(&opencode, "/a", "x")).1, json!({"filePath": "/a", "content": "x"}));
        assert_eq!(fields(edit(&functions(&["edit"]), "/a", "x", "y")).1["file_path"], "/a");
        assert_eq!(shell(&opencode, "date"), None);
    }

    #[test]
    fn a_client_without_file_tools_patches_or_uses_its_shell() {
        let patching = [Tool::function("exec_command", None), freeform("apply_patch")];
        let expected = "*** Begin Patch\n*** Add File: /a\n+one\n+two\n*** End Patch\n";
        assert_eq!(write(&patching, "/a", "one\ntwo\n").unwrap().input, Input::Text(expected.into()));
        let expected = "*** Begin Patch\n*** Update File: /a\n@@\n-one\n+1\n*** End Patch\n";
        assert_eq!(edit(&patching, "/a", "one", "1").unwrap().input, Input::Text(expected.into()));
        let shell_only = functions(&["exec_command"]);
        let expected = json!({"cmd": r"printf %s 'it'\''s' > '/a'"});
        assert_eq!(fields(write(&shell_only, "/a", "it's")).1, expected);
    }

    #[test]
    fn a_client_that_runs_scripts_gets_a_script() {
        let scripts = [Tool { namespace: Some("functions".into()), ..freeform("exec") }];
        let call = shell(&scripts, "echo \"a\"").unwrap();
        assert_eq!(call.namespace.as_deref(), Some("functions"));
        assert_eq!(
            call.input,
            Input::Text(r#"text(await tools.exec_command({"cmd":"echo \"a\""}));"#.into())
        );
        let call = named(&scripts, "mcp__x__y", &json!({"z": 1}));
        assert_eq!(call.input, Input::Text(r#"text(await tools.mcp__x__y({"z":1}));"#.into()));
    }

    #[test]
    fn a_grouped_tool_is_called_with_its_group() {
        let call = named(&functions(&["exec_command"]), "mcp__x__y", &json!({}));
        assert_eq!((call.name.as_str(), call.namespace.as_deref()), ("y", Some("mcp__x")));
        let call = named(&functions(&["Bash"]), "mcp__x__y", &json!({}));
        assert_eq!((call.name.as_str(), call.namespace), ("mcp__x__y", None));
    }
}
