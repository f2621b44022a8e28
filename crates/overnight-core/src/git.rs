//! Names git gives things, as types that cannot hold an option, a path trick or a control character.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{InvalidId, TaskKey};

/// Longest branch name we make, in bytes.
const MAX_BRANCH: usize = 100;
/// Longest slug in a branch name, in bytes: keeps the whole readable in a terminal.
const MAX_SLUG: usize = 40;

/// A full commit id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl CommitId {
    /// # Errors
    /// [`InvalidId`] for anything but a full lower-case hexadecimal id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && matches!(text.len(), 40 | 64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::new("commit id", text, "it must be 40 or 64 lower-case hexadecimal digits"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommitId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

/// The beginning of a commit's id, as people name a commit: at least seven digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPrefix(String);

impl CommitPrefix {
    /// # Errors
    /// [`InvalidId`] for anything but 7 to 64 hexadecimal digits, in any case.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let fits = (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if fits {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidId::new("commit", text, "at least 7 characters of a commit's name are needed"))
        }
    }

    #[must_use]
    pub fn begins(&self, commit: &CommitId) -> bool {
        commit.as_str().starts_with(&self.0)
    }
}

impl TryFrom<String> for CommitPrefix {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

/// A branch name from the allow-list `[A-Za-z0-9._/-]`, without `refs/heads/`. Every branch that we make or push has
/// this type; branches that others made are handled by commit id instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

impl BranchName {
    /// # Errors
    /// [`InvalidId`] when git would refuse the name or it leaves the allow-list.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        check_branch(text).map_err(|why| InvalidId::new("branch name", text, why))?;
        Ok(Self(text.to_owned()))
    }

    /// The branch of a job: `overnight/<key>-<slug>`, or `overnight/<key>` when the title has no usable letters.
    #[must_use]
    pub fn for_task(key: &TaskKey, title: &str) -> Self {
        let key: String = slug(key.as_str(), MAX_SLUG);
        let slug = slug(title, MAX_SLUG);
        let dash = if slug.is_empty() { "" } else { "-" };
        Self(format!("overnight/{key}{dash}{slug}"))
    }

    /// The branch of a story or sprint: `overnight/<kind>-<key>-<slug>`; a title that only repeats the key is left out.
    #[must_use]
    pub fn for_line(kind: &str, key: &TaskKey, title: &str) -> Self {
        let key = slug(key.as_str(), MAX_SLUG);
        let title = slug(title, MAX_SLUG);
        let dash = if title.is_empty() || title == key { String::new() } else { format!("-{title}") };
        Self(format!("overnight/{kind}-{key}{dash}"))
    }

    /// The same name with `-<number>` behind it: where the plain name is taken by work that is not ours.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        Self(format!("{}-{number}", self.0))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `refs/heads/<name>`.
    #[must_use]
    pub fn full_ref(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BranchName {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<BranchName> for String {
    fn from(name: BranchName) -> Self {
        name.0
    }
}

fn check_branch(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > MAX_BRANCH {
        return Err("it must have 1 to 100 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-')) {
        return Err("only letters, digits, '.', '_', '/' and '-' are allowed");
    }
    if text.starts_with('-') || text.contains("..") || text == "HEAD" {
        return Err("it must not start with '-', contain '..' or be HEAD");
    }
    let bad_part = |part: &str| {
        part.is_empty() || part.starts_with('.') || part.ends_with('.') || part.ends_with(".lock")
    };
    if text.split('/').any(bad_part) {
        return Err("a part between slashes is empty, starts or ends with '.', or ends with '.lock'");
    }
    Ok(())
}

/// Lower-case ASCII letters and digits joined by single dashes, cut at a word boundary within `max` bytes.
fn slug(text: &str, max: usize) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        let room = max.saturating_sub(out.len() + usize::from(!out.is_empty()));
        if word.len() > room && !out.is_empty() {
            break;
        }
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&word.to_ascii_lowercase()[..word.len().min(room)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_branch_names_are_refused() {
        for bad in [
            "",
            "-x",
            "a..b",
            "a b",
            "a;b",
            "$(id)",
            "a\u{3000}b",
            "a//b",
            "/a",
            "a/",
            ".a",
            "a.lock",
            "a/.b",
            "HEAD",
            "a~1",
            "a\n",
        ] {
            assert!(BranchName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(BranchName::parse("overnight/app-1-fix").is_ok());
    }

    #[test]
    fn a_branch_says_which_task_it_is_for() {
        let key = TaskKey::parse("app-12").unwrap();
        assert_eq!(
            BranchName::for_task(&key, "Fix issue 12: the café's door").as_str(),
            "overnight/app-12-fix-issue-12-the-caf-s-door"
        );
        assert_eq!(BranchName::for_task(&key, "日本語").as_str(), "overnight/app-12");
    }

    proptest! {
        #[test]
        fn every_title_and_key_gives_a_valid_branch(title in ".{0,300}", key in "[A-Za-z0-9._:-]{1,128}") {
            prop_assume!(key.bytes().any(|b| b.is_ascii_alphanumeric()));
            let key = TaskKey::parse(&key).unwrap();
            let branch = BranchName::for_task(&key, &title);
            prop_assert!(BranchName::parse(branch.as_str()).is_ok(), "{branch}");
            prop_assert!(BranchName::parse(branch.numbered(2).as_str()).is_ok());
        }
    }
}
