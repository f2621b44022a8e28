//! Requests against a forge's published description: OpenAPI 3 (GitHub) and Swagger 2 (Forgejo).
//!
//! Owns no state. Whatever is not described is a violation: a path, a method, a parameter, a field of the body.

use serde_json::Value;

use super::log::LoggedRequest;
use super::route::decoded;
use super::schema::Checker;

/// Forgejo's description, cut to the paths that we use. Where it is from and its licence stand in its `info`.
///
/// # Errors
/// If the file of this crate is broken.
pub fn forgejo() -> Result<Value, serde_json::Error> {
    serde_json::from_str(include_str!("descriptions/forgejo.json"))
}

/// An operation of a description.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    document: &'a Value,
    item: &'a Value,
    operation: &'a Value,
    /// As the document writes it: `/repos/{owner}/{repo}`.
    pub path: &'a str,
}

/// The operation that a request means; `base` stands before the document's paths.
///
/// # Errors
/// What the document does not describe.
pub fn operation<'a>(
    document: &'a Value,
    base: &str,
    request: &LoggedRequest,
) -> Result<Described<'a>, String> {
    let what = format!("{} {}", request.method, request.path);
    let below = request.path.strip_prefix(base).ok_or_else(|| format!("{what}: not below {base}"))?;
    let parts: Vec<&str> = below.split('/').collect();
    let paths = document.get("paths").and_then(Value::as_object).ok_or("no paths")?;
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        let same = |(wanted, given): (&&str, &&str)| wanted == given || wanted.starts_with('{');
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(same)
    };
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    // Of several the one with the most words of its own.
    let best = fitting.min_by_key(|(template, _)| template.matches('{').count());
    let (path, item) = best.ok_or_else(|| format!("{what}: no such path"))?;
    let method = request.method.to_ascii_lowercase();
    let operation = item.get(&method).ok_or_else(|| format!("{what}: no such method of {path}"))?;
    Ok(Described { document, item, operation, path })
}

impl<'a> Described<'a> {
    /// What is wrong with a request's parameters and body.
    #[must_use]
    pub fn violations(&self, request: &LoggedRequest) -> Vec<String> {
        let what = format!("{} {}", request.method, self.path);
        let mut wrong = self.query(&request.query);
        wrong.extend(self.body(&request.body));
        wrong.into_iter().map(|line| format!("{what}: {line}")).collect()
    }

    fn follow(&self, value: &'a Value) -> &'a Value {
        let reference = value.get("$ref").and_then(Value::as_str);
        reference.and_then(|to| self.document.pointer(to.trim_start_matches('#'))).unwrap_or(value)
    }

    fn parameters(&self) -> Vec<&'a Value> {
        let lists = [self.item.get("parameters"), self.operation.get("parameters")];
        lists
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
            .map(|one| self.follow(one))
            .collect()
    }

    fn query(&self, query: &str) -> Vec<String> {
        let described: Vec<&Value> =
            self.parameters().into_iter().filter(|one| one["in"] == "query").collect();
        let mut wrong = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(&value.replace('+', " ")).unwrap_or_default();
            match described.iter().find(|one| one["name"] == name) {
                None => wrong.push(format!("parameter {name} is not described")),
                Some(parameter) => {
                    // Swagger 2 has the type beside the name, OpenAPI 3 in a schema.
                    let schema = parameter.get("schema").map_or(*parameter, |schema| self.follow(schema));
                    let allowed = schema.get("enum").and_then(Value::as_array);
                    let fits = match schema.get("type").and_then(Value::as_str) {
                        Some("integer") => value.parse::<i64>().is_ok(),
                        Some("boolean") => matches!(value.as_str(), "true" | "false"),
                        _ => allowed
                            .is_none_or(|all| all.iter().any(|one| one == &Value::String(value.clone()))),
                    };
                    if !fits {
                        wrong.push(format!("parameter {name} may not be {value:?}"));
                    }
                }
            }
        }
        wrong
    }

    fn body(&self, body: &[u8]) -> Vec<String> {
        let of_openapi = self.operation.get("requestBody").map(|body| self.follow(body));
        let schema =
            of_openapi.and_then(|body| body.pointer("/content/application~1json/schema")).or_else(|| {
                self.parameters()
                    .into_iter()
                    .find(|one| one["in"] == "body")
                    .and_then(|one| one.get("schema"))
            });
        match (schema, body.is_empty()) {
            (None, true) => Vec::new(),
            (None, false) => vec!["a body is not described".to_owned()],
            (Some(_), true) => Vec::new(),
            (Some(schema), false) => {
                let Ok(value) = serde_json::from_slice::<Value>(body) else {
                    return vec!["the body is no JSON".to_owned()];
                };
                let mut wrong =
                    Checker { document: self.document, partial: false }.check(schema, &value, "body");
                let mut names = Vec::new();
                self.names(schema, &mut names);
                let given = value.as_object().into_iter().flatten();
                wrong.extend(
                    given
                        .filter(|(name, _)| !names.contains(&name.as_str()))
                        .map(|(name, _)| format!("body: {name} is not described")),
                );
                wrong
            }
        }
    }

    /// The fields that a schema names, with those of its alternatives.
    fn names(&self, schema: &'a Value, names: &mut Vec<&'a str>) {
        let schema = self.follow(schema);
        names.extend(
            schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str()),
        );
        for list in ["oneOf", "anyOf", "allOf"] {
            for one in schema.get(list).and_then(Value::as_array).into_iter().flatten() {
                self.names(one, names);
            }
        }
    }

    /// What is wrong with the fields of an answer; those that are left out are not looked at.
    #[must_use]
    pub fn answer_misfits(&self, status: u16, answer: &Value) -> Vec<String> {
        let Some(response) =
            self.operation.pointer(&format!("/responses/{status}")).map(|one| self.follow(one))
        else {
            return vec![format!("{}: status {status} is not described", self.path)];
        };
        let schema = response.pointer("/content/application~1json/schema").or_else(|| response.get("schema"));
        let checker = Checker { document: self.document, partial: true };
        let wrong = schema.map(|schema| checker.check(schema, answer, "$")).unwrap_or_default();
        wrong.into_iter().map(|line| format!("{} {status}: {line}", self.path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(method: &str, path: &str, query: &str, body: &str) -> LoggedRequest {
        LoggedRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            on: None,
        }
    }

    #[test]
    fn what_is_not_described_is_found() {
        let document = forgejo().unwrap();
        let wrong = |one: LoggedRequest| match operation(&document, "/api/v1", &one) {
            Ok(found) => found.violations(&one),
            Err(problem) => vec![problem],
        };
        let merge = "/api/v1/repos/o/r/pulls/1/merge";
        assert_eq!(
            wrong(request("POST", merge, "", r#"{"Do":"squash","head_commit_id":"a"}"#)),
            Vec::<String>::new()
        );
        for (method, path, query, body) in [
            ("POST", merge, "", r#"{"Do":"explode"}"#),
            ("POST", merge, "", r#"{"Do":"squash","sha":"a"}"#),
            ("POST", merge, "", r#"{"head_commit_id":"a"}"#),
            ("PUT", merge, "", ""),
            ("GET", "/api/v1/repos/o/r/pulls", "per_page=1", ""),
            ("GET", "/api/v1/repos/o/r/pulls", "page=x", ""),
            ("GET", "/api/v1/repos/o/r/pulls/1/nothing", "", ""),
            ("GET", "/repos/o/r", "", ""),
        ] {
            assert!(!wrong(request(method, path, query, body)).is_empty(), "{method} {path}?{query} {body}");
        }
    }

    #[test]
    fn alternatives_name_their_fields() {
        let document = json!({"paths": {"/l": {"post": {"requestBody": {"content": {"application/json": {"schema":
            {"oneOf": [{"type": "object", "properties": {"labels": {"type": "array"}}}, {"type": "array"}]}}}}}}}});
        let check = |body: &str| {
            let one = request("POST", "/l", "", body);
            operation(&document, "", &one).unwrap().violations(&one).len()
        };
        assert_eq!((check(r#"{"labels":[]}"#), check("[]"), check(r#"{"label":[]}"#)), (0, 0, 1));
    }
}
