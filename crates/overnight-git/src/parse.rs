//! Readers of what git prints: pure, total, on bytes.
//!
//! Owns no state. A reader must not lose a name that is not UTF-8, and must not guess: what it cannot read is `None`.

mod patch;

use std::collections::BTreeMap;

use overnight_core::git::CommitId;
use overnight_core::verdict::DiffStat;

use crate::git::Version;

pub(crate) use patch::{Section, patch, sections_of, with_lines};

/// `git version 2.47.3 (Apple Git-1)`.
pub(crate) fn version(stdout: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(stdout).ok()?.trim();
    let number = text.strip_prefix("git version ")?.split(' ').next()?;
    let mut parts = number.split(['.', '-']);
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Version { major, minor, patch: parts.next().and_then(|p| p.parse().ok()).unwrap_or(0) })
}

fn fields(stdout: &[u8]) -> impl Iterator<Item = &[u8]> {
    stdout.strip_suffix(b"\0").unwrap_or(stdout).split(|b| *b == 0).filter(|field| !field.is_empty())
}

/// Number of entries of `status --porcelain -z`: an entry for a rename has a second name behind it.
pub(crate) fn status_count(stdout: &[u8]) -> u32 {
    let (mut count, mut all) = (0_u32, fields(stdout));
    while let Some(entry) = all.next() {
        count = count.saturating_add(1);
        if entry.iter().take(2).any(|code| matches!(code, b'R' | b'C')) {
            all.next();
        }
    }
    count
}

/// What a remote said of the refs that were asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteRefs {
    /// Full name of the branch that `HEAD` points to there.
    pub(crate) head_branch: Option<String>,
    pub(crate) refs: BTreeMap<String, CommitId>,
}

/// `ls-remote --symref`: `ref: refs/heads/main<TAB>HEAD` and `<id><TAB><ref>` lines. Names that are not UTF-8 are
/// passed over: nobody asked for them.
pub(crate) fn ls_remote(stdout: &[u8]) -> RemoteRefs {
    let mut found = RemoteRefs::default();
    for line in stdout.split(|b| *b == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
        let Some((value, name)) = line.split_once('\t') else { continue };
        match value.strip_prefix("ref: ") {
            Some(target) if name == "HEAD" => found.head_branch = Some(target.to_owned()),
            Some(_) => {}
            None => {
                if let Ok(id) = CommitId::parse(value) {
                    found.refs.insert(name.to_owned(), id);
                }
            }
        }
    }
    found
}

/// One path that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPath {
    /// As in the tree; any bytes but NUL.
    pub path: Vec<u8>,
    /// `A` added, `D` deleted, `M` modified, `T` changed its type.
    pub status: char,
    /// File mode before, e.g. `0o100644`; 0 when added.
    pub old_mode: u32,
    /// File mode after; 0 when deleted. `0o160000` is a submodule, `0o120000` a symbolic link.
    pub new_mode: u32,
    /// Name of the new content; zeros when deleted.
    pub new_id: String,
}

impl ChangedPath {
    /// Whether it is a file or a link now.
    pub(crate) fn has_content(&self) -> bool {
        self.new_mode != 0 && self.new_mode != 0o160_000
    }
}

/// `diff-tree -r -z --raw --no-renames`: `:<mode> <mode> <id> <id> <status>` NUL path NUL.
pub(crate) fn raw_diff(stdout: &[u8]) -> Option<Vec<ChangedPath>> {
    let mut all = fields(stdout);
    let mut out = Vec::new();
    while let Some(head) = all.next() {
        let head = std::str::from_utf8(head).ok()?.strip_prefix(':')?;
        let parts: Vec<&str> = head.split(' ').collect();
        let [old, new, _, new_id, status] = parts[..] else { return None };
        out.push(ChangedPath {
            path: all.next()?.to_vec(),
            status: status.chars().next()?,
            old_mode: u32::from_str_radix(old, 8).ok()?,
            new_mode: u32::from_str_radix(new, 8).ok()?,
            new_id: new_id.to_owned(),
        });
    }
    Some(out)
}

/// `diff-tree -r -z --numstat --no-renames`: `<added><TAB><deleted><TAB><path>` NUL; `-` for binary files.
pub(crate) fn numstat(stdout: &[u8]) -> Option<DiffStat> {
    let mut stat = DiffStat::default();
    for entry in fields(stdout) {
        let mut parts = entry.splitn(3, |b| *b == b'\t');
        let mut number = || match parts.next()? {
            b"-" => Some(0),
            digits => std::str::from_utf8(digits).ok()?.parse::<u64>().ok(),
        };
        stat.insertions += number()?;
        stat.deletions += number()?;
        stat.files += 1;
    }
    Some(stat)
}

/// One entry of `ls-tree -z -l`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TreeEntry {
    pub(crate) mode: u32,
    pub(crate) id: String,
    /// Absent for trees and submodules.
    pub(crate) size: Option<u64>,
    pub(crate) path: Vec<u8>,
}

/// `<mode> <type> <id> <size><TAB><path>` NUL.
pub(crate) fn ls_tree(stdout: &[u8]) -> Option<Vec<TreeEntry>> {
    let entry = |field: &[u8]| {
        let tab = field.iter().position(|b| *b == b'\t')?;
        let head = std::str::from_utf8(&field[..tab]).ok()?;
        let parts: Vec<&str> = head.split_ascii_whitespace().collect();
        let [mode, _, id, size] = parts[..] else { return None };
        let mode = u32::from_str_radix(mode, 8).ok()?;
        Some(TreeEntry { mode, id: id.to_owned(), size: size.parse().ok(), path: field[tab + 1..].to_vec() })
    };
    fields(stdout).map(entry).collect()
}

/// What `push --porcelain` says of the one ref that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushLine {
    Updated,
    UpToDate,
    Rejected,
}

/// `<flag><TAB><from>:<to><TAB><summary>` for the ref `to`.
pub(crate) fn push_line(stdout: &[u8], to: &str) -> Option<PushLine> {
    let text = String::from_utf8_lossy(stdout);
    let line = text
        .lines()
        .find(|line| line.split('\t').nth(1).is_some_and(|refs| refs.ends_with(&format!(":{to}"))))?;
    match line.chars().next()? {
        ' ' | '+' | '*' => Some(PushLine::Updated),
        '=' => Some(PushLine::UpToDate),
        '!' => Some(PushLine::Rejected),
        _ => None,
    }
}

/// Where the branches of a local repository are checked out: `worktree list --porcelain -z`.
pub(crate) fn checked_out(stdout: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let (mut out, mut path) = (BTreeMap::new(), Vec::new());
    for field in fields(stdout) {
        if let Some(name) = field.strip_prefix(b"worktree ") {
            path = name.to_vec();
        } else if let Some(branch) = field.strip_prefix(b"branch ") {
            out.insert(String::from_utf8_lossy(branch).into_owned(), path.clone());
        }
    }
    out
}

/// The address a remote is fetched from, and the one it is pushed to where that is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrls {
    pub fetch: String,
    pub push: Option<String>,
}

/// Configuration of a repository as `config --list -z` prints it: `<key><LF><value>` NUL. Later values win where one
/// is asked for.
#[derive(Debug, Default)]
pub(crate) struct Config {
    entries: Vec<(String, String)>,
}

impl Config {
    pub(crate) fn parse(stdout: &[u8]) -> Self {
        let entry = |field: &[u8]| {
            let text = String::from_utf8_lossy(field);
            text.split_once('\n')
                .map_or((text.to_string(), "true".to_owned()), |(k, v)| (k.to_owned(), v.to_owned()))
        };
        Self { entries: fields(stdout).map(entry).collect() }
    }

    /// The last value of a key; section and last part are in lower case, as git prints them.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether objects may be missing because a remote has promised them.
    pub(crate) fn is_partial(&self) -> bool {
        let promised = |(key, value): &(String, String)| {
            key.starts_with("remote.") && key.ends_with(".promisor") && value == "true"
        };
        self.get("extensions.partialclone").is_some() || self.entries.iter().any(promised)
    }

    pub(crate) fn remotes(&self) -> BTreeMap<String, RemoteUrls> {
        let named = |(key, _): &&(String, String)| key.starts_with("remote.") && key.ends_with(".url");
        let names = self
            .entries
            .iter()
            .filter(named)
            .filter_map(|(key, _)| key.strip_prefix("remote.")?.strip_suffix(".url").map(str::to_owned));
        names.filter_map(|name| Some((name.clone(), self.urls(&name)?))).collect()
    }

    fn urls(&self, name: &str) -> Option<RemoteUrls> {
        let url =
            self.entries.iter().find(|(key, _)| *key == format!("remote.{name}.url")).map(|(_, url)| url)?;
        let push = match self.get(&format!("remote.{name}.pushurl")) {
            Some(own) => Some(self.rewritten(own, ".insteadof").unwrap_or_else(|| own.to_owned())),
            None => self.rewritten(url, ".pushinsteadof"),
        };
        let fetch = self.rewritten(url, ".insteadof").unwrap_or_else(|| url.clone());
        Some(RemoteUrls { push: push.filter(|push| *push != fetch), fetch })
    }

    /// Applies `url.<base>.insteadOf` as git does: the longest matching start is replaced.
    fn rewritten(&self, url: &str, kind: &str) -> Option<String> {
        let rules = self.entries.iter().filter_map(|(key, start)| {
            let base = key.strip_prefix("url.")?.strip_suffix(kind)?;
            url.strip_prefix(start.as_str()).map(|rest| (start.len(), format!("{base}{rest}")))
        });
        rules.max_by_key(|(length, _)| *length).map(|(_, url)| url)
    }
}

/// Whether git would accept `name` behind `refs/heads/` and no part of our commands could take it for anything else.
pub(crate) fn is_branch_name(name: &str) -> bool {
    let bad = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    !name.is_empty()
        && name.len() <= 250
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && !name.chars().any(bad)
        && !name.split('/').any(bad_part)
}

#[cfg(test)]
mod tests;
