//! What a tool is, and how its arguments are read.

use serde_json::{Map, Value, json};

use super::Answer;

/// A tool as it is listed.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: &'static str,
    /// For the model that decides whether to call it.
    pub description: &'static str,
    /// JSON Schema of its arguments: always an object that takes no others.
    pub arguments: Value,
    /// It changes nothing.
    pub read_only: bool,
    /// What it changes cannot be taken back.
    pub destructive: bool,
}

impl Tool {
    /// A tool that only reads. `properties`: its arguments, by name; `required`: those that must be given.
    pub fn reading(
        name: &'static str,
        description: &'static str,
        properties: &Value,
        required: &[&str],
    ) -> Self {
        let arguments = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        Self { name, description, arguments, read_only: true, destructive: false }
    }

    /// The same tool, which changes something.
    #[must_use]
    pub fn writing(self) -> Self {
        Self { read_only: false, ..self }
    }

    /// The same tool, which changes something for good.
    #[must_use]
    pub fn destroying(self) -> Self {
        Self { read_only: false, destructive: true, ..self }
    }
}

/// The tools of one caller.
pub trait Toolbox: Send + Sync {
    /// What the caller is told of the server as a whole.
    fn instructions(&self) -> &'static str;

    /// All that this caller may call.
    fn tools(&self) -> Vec<Tool>;

    /// Calls one of [`Toolbox::tools`]. The answer is an object.
    fn call<'a>(&'a self, name: &'a str, arguments: Arguments) -> Answer<'a, Result<Value, ToolError>>;
}

/// Why a tool did not do what it was asked to; told to the model, which may do better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError {
    /// Upper case, for programs.
    pub code: &'static str,
    /// What, why, and what to do.
    pub message: String,
    /// What to do now, for programs.
    pub next: Option<&'static str>,
}

impl ToolError {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: None }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new("BAD_ARGUMENT", message)
    }
}

/// The arguments of one call.
#[derive(Debug, Clone, Default)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    pub(crate) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The others, and this one, if it is there.
    pub(crate) fn without(self, name: &str) -> (Map<String, Value>, Option<Value>) {
        let mut rest = self.0;
        let one = rest.remove(name);
        (rest, one)
    }

    /// Refuses what the tool does not know: a misspelt argument must not be passed over.
    pub(crate) fn only(&self, tool: &Tool) -> Result<(), ToolError> {
        let known = |name: &String| tool.arguments["properties"].get(name).is_some();
        match self.0.keys().find(|name| !known(name)) {
            Some(name) => {
                let name = super::rpc::shown(name);
                Err(ToolError::bad(format!("{} has no argument {name:?}; see its schema", tool.name)))
            }
            None => Ok(()),
        }
    }

    /// # Errors
    /// When it is there and is not text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ToolError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ToolError::bad(format!("{name} is text"))),
        }
    }

    /// # Errors
    /// When it is not there, is empty or is not text.
    pub fn needed(&self, name: &str) -> Result<&str, ToolError> {
        let missing = || ToolError::bad(format!("{name} is needed, and may not be empty"));
        self.text(name)?.filter(|text| !text.trim().is_empty()).ok_or_else(missing)
    }

    /// # Errors
    /// When it is there and is not a whole number from `least` to `most`.
    pub fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, ToolError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_i64().filter(|number| (least..=most).contains(number));
                let refused = || ToolError::bad(format!("{name} is a whole number from {least} to {most}"));
                number.map(Some).ok_or_else(refused)
            }
        }
    }

    /// # Errors
    /// When it is there and is neither true nor false.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ToolError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(ToolError::bad(format!("{name} is true or false"))),
        }
    }

    /// # Errors
    /// When it is there and is not a list of texts.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, ToolError> {
        let Some(value) = self.0.get(name).filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
        let list = value.as_array().and_then(|list| {
            list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        list.ok_or_else(|| ToolError::bad(format!("{name} is a list of texts")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(value: &Value) -> Arguments {
        Arguments::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn an_argument_is_what_its_schema_says_or_refused() {
        let given = arguments(
            &json!({"text": "a", "blank": " ", "number": 7, "half": 1.5, "list": ["a"], "mixed": ["a", 1]}),
        );
        assert_eq!(given.needed("text"), Ok("a"));
        for name in ["absent", "blank", "number", "list"] {
            assert!(given.needed(name).is_err(), "{name}");
        }
        assert_eq!(given.number("number", 1, 7), Ok(Some(7)));
        for (name, most) in [("number", 6), ("half", 9), ("text", 9)] {
            assert!(given.number(name, 1, most).is_err(), "{name}");
        }
        assert_eq!(given.texts("list"), Ok(vec!["a".to_owned()]));
        assert!(given.texts("mixed").is_err() && given.texts("text").is_err());
        let tool = Tool::reading("t", "", &json!({"text": {"type": "string"}}), &[]);
        assert!(given.only(&tool).unwrap_err().message.contains("has no argument"));
        assert_eq!(arguments(&json!({"text": "a"})).only(&tool), Ok(()));
    }
}
