//! Looking things up in a payload. Forges leave out and add fields as they like, so only what is needed is insisted on.
//!
//! Owns no state.

use overnight_core::git::CommitId;
use serde_json::Value;

use super::{Actor, Malformed};

/// Labels of an issue that are read.
const MAX_LABELS: usize = 100;

#[derive(Debug, Clone, Copy)]
pub(super) struct Payload<'a>(&'a Value);

impl<'a> Payload<'a> {
    pub(super) fn new(json: &'a Value) -> Self {
        Self(json)
    }

    /// By a JSON pointer: `/issue/number`.
    pub(super) fn has(self, at: &str) -> bool {
        self.0.pointer(at).is_some_and(|value| !value.is_null())
    }

    pub(super) fn text(self, at: &str) -> Option<&'a str> {
        self.0.pointer(at).and_then(Value::as_str)
    }

    pub(super) fn is(self, at: &str, expected: &str) -> bool {
        self.text(at) == Some(expected)
    }

    pub(super) fn truth(self, at: &str) -> bool {
        self.0.pointer(at).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn number(self, at: &str) -> Result<u64, Malformed> {
        self.0.pointer(at).and_then(Value::as_u64).ok_or(Malformed("a number is missing"))
    }

    pub(super) fn owned(self, at: &str) -> Result<String, Malformed> {
        self.text(at).map(str::to_owned).ok_or(Malformed("a text is missing"))
    }

    /// `None` for what is no commit, as the zeros of a deleted branch.
    pub(super) fn commit(self, at: &str) -> Option<CommitId> {
        let id = self.text(at).filter(|id| id.bytes().any(|byte| byte != b'0'))?;
        CommitId::parse(id).ok()
    }

    /// The texts at `field` of each entry of a list.
    pub(super) fn texts(self, list: &str, field: &str) -> Vec<String> {
        let items = self.0.pointer(list).and_then(Value::as_array).into_iter().flatten().take(MAX_LABELS);
        items.filter_map(|item| item.get(field)?.as_str().map(str::to_owned)).collect()
    }

    /// The branch of a `refs/heads/…`; `None` for a tag.
    pub(super) fn branch(self, at: &str) -> Option<String> {
        self.text(at)?.strip_prefix("refs/heads/").map(str::to_owned)
    }

    pub(super) fn actor(self, login: &str, kind: &str) -> Option<Actor> {
        let login = self.text(login).filter(|login| !login.is_empty())?;
        Some(Actor { login: login.to_owned(), bot: self.is(kind, "Bot") })
    }
}
