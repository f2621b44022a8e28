//! A checker for the subset of OpenAPI 3.0's schemas that forges' descriptions use.
//!
//! Owns no state. A keyword that is neither checked nor known to be a mere remark is a violation, so that nothing
//! passes by not being understood.

use serde_json::Value;

/// Keywords that say nothing about a value. `format` is one by OpenAPI's own rules; `discriminator` only helps to pick.
const REMARKS: [&str; 12] = [
    "title",
    "description",
    "format",
    "example",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "externalDocs",
    "discriminator",
    "nullable",
];

/// What is wrong with `value` by the schema at `pointer` (`/components/schemas/x`) of `document`, one line each with
/// its place. Empty when it fits.
#[must_use]
pub fn violations(document: &Value, pointer: &str, value: &Value) -> Vec<String> {
    checked(Checker { document, partial: false }, pointer, value)
}

/// Like [`violations`], for a value that leaves out fields which nobody here reads.
#[must_use]
pub fn misfits(document: &Value, pointer: &str, value: &Value) -> Vec<String> {
    checked(Checker { document, partial: true }, pointer, value)
}

fn checked(checker: Checker<'_>, pointer: &str, value: &Value) -> Vec<String> {
    match checker.document.pointer(pointer) {
        Some(schema) => checker.check(schema, value, "$"),
        None => vec![format!("{pointer}: no such schema")],
    }
}

/// The pointer to the JSON schema of a response, references followed: `("/user", "get", 200)`.
///
/// # Errors
/// What the document lacks.
pub fn response_pointer(document: &Value, path: &str, method: &str, status: u16) -> Result<String, String> {
    let escaped = path.replace('~', "~0").replace('/', "~1");
    let response = format!("/paths/{escaped}/{method}/responses/{status}");
    let found =
        document.pointer(&response).ok_or_else(|| format!("{method} {path} has no response {status}"))?;
    let response = match found.get("$ref").and_then(Value::as_str) {
        Some(reference) => reference.trim_start_matches('#').to_owned(),
        None => response,
    };
    let schema = format!("{response}/content/application~1json/schema");
    document.pointer(&schema).map(|_| schema.clone()).ok_or(format!("{schema} is missing"))
}

#[derive(Clone, Copy)]
pub(super) struct Checker<'a> {
    pub(super) document: &'a Value,
    /// Fields may be missing.
    pub(super) partial: bool,
}

impl Checker<'_> {
    pub(super) fn check(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(keywords) = schema.as_object() else { return vec![format!("{at}: a schema is no object")] };
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            return match self.document.pointer(reference.trim_start_matches('#')) {
                Some(target) => self.check(target, value, at),
                None => vec![format!("{at}: {reference} is missing")],
            };
        }
        if value.is_null() && keywords.get("nullable") == Some(&Value::Bool(true)) {
            return Vec::new();
        }
        // Swagger 2 has no word for it, and a Go server sends what it has not as `null`.
        if value.is_null() && self.partial && self.document.get("swagger").is_some() {
            return Vec::new();
        }
        keywords.iter().flat_map(|(keyword, rule)| self.apply(keyword, rule, schema, value, at)).collect()
    }

    fn apply(&self, keyword: &str, rule: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let fails =
            |wrong: bool, what: String| if wrong { vec![format!("{at}: {what}")] } else { Vec::new() };
        match keyword {
            "type" => fails(!is_of_type(value, rule), format!("is not of type {rule}")),
            "enum" => fails(
                !rule.as_array().is_some_and(|all| all.contains(value)),
                format!("{value} is none of {rule}"),
            ),
            "required" if self.partial => Vec::new(),
            "required" => missing(rule, value).map(|name| format!("{at}: {name} is missing")).collect(),
            "properties" => self.properties(rule, value, at),
            "additionalProperties" => self.others(rule, schema, value, at),
            "items" => self.items(rule, value, at),
            "allOf" => choices(rule).flat_map(|one| self.check(one, value, at)).collect(),
            "minItems" => {
                fails(shorter(value.as_array().map(Vec::len), rule), format!("has less than {rule} items"))
            }
            "maxItems" => {
                fails(longer(value.as_array().map(Vec::len), rule), format!("has more than {rule} items"))
            }
            "minLength" => fails(shorter(length(value), rule), format!("is shorter than {rule}")),
            "maxLength" => fails(longer(length(value), rule), format!("is longer than {rule}")),
            "anyOf" => fails(self.fitting(rule, value, at) == 0, "fits no schema of anyOf".to_owned()),
            // A described union may overlap (a user seen by himself or by others), so one fit at least, not exactly.
            "oneOf" => fails(self.fitting(rule, value, at) == 0, "fits no schema of oneOf".to_owned()),
            known if REMARKS.contains(&known) || known.starts_with("x-") => Vec::new(),
            unknown => vec![format!("{at}: keyword {unknown} is not supported")],
        }
    }

    fn properties(&self, rule: &Value, value: &Value, at: &str) -> Vec<String> {
        let (Some(rules), Some(fields)) = (rule.as_object(), value.as_object()) else { return Vec::new() };
        let present = rules.iter().filter_map(|(name, schema)| Some((name, schema, fields.get(name)?)));
        present.flat_map(|(name, schema, field)| self.check(schema, field, &format!("{at}.{name}"))).collect()
    }

    fn others(&self, rule: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(fields) = value.as_object() else { return Vec::new() };
        let named = |name: &String| schema.get("properties").is_some_and(|rules| rules.get(name).is_some());
        let others = fields.iter().filter(|(name, _)| !named(name));
        match rule {
            Value::Bool(true) => Vec::new(),
            Value::Bool(false) => others.map(|(name, _)| format!("{at}: {name} is not described")).collect(),
            schema => {
                others.flat_map(|(name, field)| self.check(schema, field, &format!("{at}.{name}"))).collect()
            }
        }
    }

    fn items(&self, rule: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(items) = value.as_array() else { return Vec::new() };
        items.iter().enumerate().flat_map(|(i, item)| self.check(rule, item, &format!("{at}[{i}]"))).collect()
    }

    fn fitting(&self, rule: &Value, value: &Value, at: &str) -> usize {
        choices(rule).filter(|one| self.check(one, value, at).is_empty()).count()
    }
}

fn length(value: &Value) -> Option<usize> {
    value.as_str().map(|text| text.chars().count())
}

fn shorter(length: Option<usize>, rule: &Value) -> bool {
    length.zip(rule.as_u64()).is_some_and(|(length, rule)| (length as u64) < rule)
}

fn longer(length: Option<usize>, rule: &Value) -> bool {
    length.zip(rule.as_u64()).is_some_and(|(length, rule)| (length as u64) > rule)
}

fn choices(rule: &Value) -> impl Iterator<Item = &Value> {
    rule.as_array().into_iter().flatten()
}

fn missing<'a>(rule: &'a Value, value: &'a Value) -> impl Iterator<Item = &'a str> {
    let names = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| value.as_object().is_some_and(|fields| !fields.contains_key(*name)))
}

fn is_of_type(value: &Value, rule: &Value) -> bool {
    match rule.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "the tests write both in place")]
    fn check(schema: Value, value: Value) -> Vec<String> {
        let name = json!({"type": "string", "nullable": true});
        let document = json!({"components": {"schemas": {"it": schema, "name": name}}});
        violations(&document, "/components/schemas/it", &value)
    }

    #[test]
    fn each_rule_finds_its_violation_and_its_place() {
        let reference = json!({"$ref": "#/components/schemas/name"});
        let schema = json!({
            "type": "object", "required": ["a", "b"], "title": "x", "x-y": 1,
            "properties": {"a": {"type": "integer"}, "c": {"type": "array", "items": {"enum": ["x", "y"]}}, "n": reference},
        });
        assert_eq!(
            check(schema.clone(), json!({"a": 1, "b": null, "c": ["x"], "n": null, "z": 0})),
            Vec::<String>::new()
        );
        let wrong = check(schema, json!({"a": 1.5, "c": ["x", "z"], "n": 1}));
        for expected in
            ["$.a: is not of type", "$: b is missing", "$.c[1]: \"z\" is none of", "$.n: is not of type"]
        {
            assert!(wrong.iter().any(|line| line.starts_with(expected)), "{expected} in {wrong:?}");
        }
        assert_eq!(wrong.len(), 4, "{wrong:?}");
    }

    #[test]
    fn unions_and_further_properties_are_checked() {
        let union = json!({"oneOf": [{"type": "string"}, {"type": "integer", "nullable": true}]});
        assert!(check(union.clone(), json!(null)).is_empty() && check(union.clone(), json!("x")).is_empty());
        assert_eq!(check(union, json!(true)).len(), 1);
        let all = json!({"allOf": [{"required": ["a"]}, {"required": ["b"]}]});
        assert_eq!(check(all, json!({"a": 1})), ["$: b is missing"]);
        assert_eq!(check(json!({"additionalProperties": {"type": "string"}}), json!({"a": 1})).len(), 1);
        assert_eq!(
            check(json!({"additionalProperties": false, "properties": {"a": {}}}), json!({"a": 1, "b": 1}))
                .len(),
            1
        );
    }

    #[test]
    fn what_is_not_understood_does_not_pass() {
        assert_eq!(check(json!({"pattern": "^a$"}), json!("b")), ["$: keyword pattern is not supported"]);
        assert_eq!(check(json!({"$ref": "#/nowhere"}), json!("b")), ["$: #/nowhere is missing"]);
    }
}
