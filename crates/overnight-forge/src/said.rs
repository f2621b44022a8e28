//! What forges say in the body of an error.
//!
//! Owns no state. Every field may be missing or of another shape: an HTML page, cut JSON, nothing.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// The error bodies of GitHub, Gitea and GitLab, as far as they agree.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    /// GitLab: also a list of texts, or an object from fields to lists of texts.
    message: Value,
    /// GitHub: objects with a `message`. Gitea: text, or nothing.
    errors: Value,
    /// GitLab: for parameters that it does not like, and of its OAuth part.
    error: Value,
    error_description: Value,
}

impl Said {
    pub(crate) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    pub(crate) fn text(&self, status: StatusCode) -> String {
        let mut parts = Vec::new();
        for value in [&self.message, &self.errors, &self.error, &self.error_description] {
            collect(value, &mut parts);
        }
        if parts.is_empty() { format!("status {}", status.as_u16()) } else { parts.join("; ") }
    }

    /// GitHub answers 403 to clients that are too fast, and tells only by its text.
    pub(crate) fn is_limit(&self) -> bool {
        let text = self.message.as_str().unwrap_or("").to_ascii_lowercase();
        ["rate limit", "abuse detection"].iter().any(|words| text.contains(words))
    }

    /// GitHub has no code of its own for this: it is `custom` with a text.
    pub(crate) fn is_duplicate(&self) -> bool {
        let coded = |error: &Value| error.get("code").and_then(Value::as_str) == Some("already_exists");
        let mut parts = Vec::new();
        collect(&self.message, &mut parts);
        collect(&self.errors, &mut parts);
        self.errors.as_array().into_iter().flatten().any(coded)
            || parts.iter().any(|text| text.to_ascii_lowercase().contains("already exists"))
    }
}

/// The texts in a value: itself, those of a list, those of GitHub's problems, those of GitLab's fields with their names.
fn collect(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => parts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, parts)),
        Value::Object(fields) => match (fields.get("message"), invalid_field(value)) {
            (Some(message), _) => collect(message, parts),
            (None, Some(text)) => parts.push(text),
            (None, None) => {
                for (name, problem) in fields {
                    let mut said = Vec::new();
                    collect(problem, &mut said);
                    parts.extend(said.into_iter().map(|text| format!("{name} {text}")));
                }
            }
        },
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// GitHub's `{"field": "head", "code": "invalid"}`, which has no message.
fn invalid_field(error: &Value) -> Option<String> {
    Some(format!("{} is {}", error.get("field")?.as_str()?, error.get("code")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> String {
        Said::read(body.as_bytes()).text(StatusCode::BAD_REQUEST)
    }

    #[test]
    fn every_forges_way_of_refusing_is_read_and_everything_else_is_its_status() {
        assert_eq!(
            text(r#"{"message":["Another open merge request already exists"]}"#),
            "Another open merge request already exists"
        );
        assert_eq!(text(r#"{"message":{"title":["is too long"]}}"#), "title is too long");
        assert_eq!(text(r#"{"error":"sha is empty"}"#), "sha is empty");
        assert_eq!(
            text(r#"{"message":"No","errors":[{"field":"head","code":"invalid"}]}"#),
            "No; head is invalid"
        );
        for junk in
            ["<html><body>502</body></html>", "{\"mess", "", "[]", "7", r#"{"message":null,"errors":null}"#]
        {
            assert_eq!(text(junk), "status 400", "{junk}");
        }
    }
}
