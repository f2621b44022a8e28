//! What people and machines do on a forge besides pull requests: issues, comments, reviews, checks, rights.
//!
//! Owns no state of its own; it is part of a repository's. Knows no wire format.

use std::collections::BTreeMap;

/// An issue as the forge stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeIssue {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub author: String,
    pub labels: Vec<String>,
    pub open: bool,
    /// Seconds since 1970.
    pub updated: i64,
}

/// A comment on an issue or pull request, or a remark on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeComment {
    pub id: u64,
    pub thread: u64,
    pub author: String,
    pub body: String,
    pub path: Option<String>,
    pub line: Option<u64>,
    /// Seconds since 1970.
    pub at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FakeOpinion {
    Approved,
    ChangesRequested,
    Commented,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeReview {
    pub id: u64,
    pub thread: u64,
    pub author: String,
    pub opinion: FakeOpinion,
    pub body: String,
    pub commit: String,
    pub at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FakeResult {
    Pending,
    Success,
    Failure,
    Skipped,
}

/// Something that reports on a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeCheck {
    pub commit: String,
    pub name: String,
    pub result: FakeResult,
    /// A job of the forge's own CI with this log; `None` is a status from elsewhere.
    pub log: Option<String>,
}

/// What the forge says about merging, where it is not to find out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FakeFit {
    Conflict,
    Behind,
    /// So often it says that it does not know yet, and then that there is a conflict.
    UnknownThenConflict(u32),
}

#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) issues: Vec<FakeIssue>,
    pub(super) comments: Vec<FakeComment>,
    pub(super) reviews: Vec<FakeReview>,
    pub(super) checks: Vec<FakeCheck>,
    pub(super) labels: Vec<String>,
    pub(super) pull_labels: BTreeMap<u64, Vec<String>>,
    pub(super) merge_commits: BTreeMap<u64, String>,
    pub(super) fits: BTreeMap<u64, FakeFit>,
    /// Merging needs every check to have passed.
    pub(super) needs_checks: bool,
    /// Merging is forbidden, with this message.
    pub(super) forbids_merging: Option<String>,
    pub(super) clock: i64,
}

/// 2024-02-29 00:00:00 UTC.
const BEGIN: i64 = 1_709_164_800;

impl People {
    /// Every act is a second after the one before.
    pub(super) fn tick(&mut self) -> i64 {
        self.clock += 1;
        BEGIN + self.clock
    }

    pub(super) fn labels_of(&self, number: u64) -> Vec<String> {
        match self.issues.iter().find(|issue| issue.number == number) {
            Some(issue) => issue.labels.clone(),
            None => self.pull_labels.get(&number).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn set_labels(&mut self, number: u64, labels: Vec<String>) {
        let now = self.tick();
        for label in &labels {
            if !self.labels.contains(label) {
                self.labels.push(label.clone());
            }
        }
        match self.issues.iter_mut().find(|issue| issue.number == number) {
            Some(issue) => (issue.labels, issue.updated) = (labels, now),
            None => drop(self.pull_labels.insert(number, labels)),
        }
    }

    pub(super) fn label_id(&self, name: &str) -> u64 {
        self.labels.iter().position(|known| known == name).map_or(0, |at| at as u64 + 1)
    }
}

/// `2024-02-29T00:00:00Z`, for times of that day.
pub(super) fn shown(seconds: i64) -> String {
    let (minutes, second) = ((seconds - BEGIN) / 60, (seconds - BEGIN) % 60);
    format!("2024-02-29T{:02}:{:02}:{second:02}Z", minutes / 60, minutes % 60)
}
