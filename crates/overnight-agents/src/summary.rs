//! One short line for people about a tool call.

use overnight_core::text;
use serde_json::Value;

/// Longest summary in characters: fits two lines of a terminal.
const SUMMARY_CHARS: usize = 160;

/// Fields that say best what a call does, most telling first.
const TELLING: &[&str] = &[
    "command",
    "file_path",
    "filePath",
    "notebook_path",
    "pattern",
    "path",
    "url",
    "query",
    "subject",
    "description",
    "skill",
    "prompt",
];

/// The most telling field of a tool's input; paths below the workspace are shown relative to it. Empty when there is none.
pub(crate) fn of_tool(input: &Value, workspace: &str) -> String {
    let Some(told) = TELLING.iter().find_map(|field| input.get(field)?.as_str()) else {
        return String::new();
    };
    let inside = told.strip_prefix(workspace).and_then(|rest| rest.strip_prefix('/')).unwrap_or(told);
    // A whole file may stand in a command: only its start is worth cleaning up.
    text::one_line(&text::cut_chars(inside, SUMMARY_CHARS * 4), SUMMARY_CHARS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_is_one_short_harmless_line() {
        let of = |input: Value| of_tool(&input, "/w");
        assert_eq!(of(json!({"file_path": "/w/src/a.rs", "content": "x"})), "src/a.rs");
        assert_eq!(of(json!({"file_path": "/work/a.rs"})), "/work/a.rs");
        assert_eq!(of(json!({"command": "a \\\n  b\u{1b}[2J"})), "a \\ b\\x1b[2J");
        assert_eq!(of(json!({"command": "x".repeat(5_000)})).chars().count(), SUMMARY_CHARS);
        assert_eq!(of(json!({"command": 7, "unknown": "y"})), "");
    }
}
