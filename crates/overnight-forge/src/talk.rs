//! Comments, reviews and issues, in our own words, and how a comment of ours is written once.
//!
//! Owns no state: the forge is the memory. What others wrote is handed on as they wrote it and is not to be trusted.

use std::collections::BTreeSet;

use overnight_core::git::CommitId;
use overnight_core::id::JobId;
use overnight_core::units::Timestamp;
use serde::{Deserialize, Serialize};

use crate::client::Forge;
use crate::error::ForgeError;
use crate::retry::Budget;

/// Longest comment, in characters; GitHub's and Gitea's own limit is above it.
pub const MAX_COMMENT: usize = 60_000;

/// What a comment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thread {
    PullRequest(u64),
    Issue(u64),
}

impl Thread {
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::PullRequest(number) | Self::Issue(number) => number,
        }
    }
}

/// A comment that is to be there once, however often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComment {
    pub job: JobId,
    /// What the comment is about (`cascade`, `ci-2`): a job may have several in one place. Letters, digits, `-`, `_`.
    pub topic: String,
    /// Markdown. What an agent or a task's author wrote in it must have been through [`crate::body::defuse`].
    pub text: String,
}

impl NewComment {
    fn marker(&self) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let topic: String = self.topic.chars().filter(plain).take(60).collect();
        format!("<!-- overnight:comment={}/{topic} -->", self.job)
    }

    fn body(&self) -> String {
        // A marker in the text would make two comments look like one.
        let text = self.text.replace("<!-- overnight:", "<!- overnight:");
        let text: String = text.chars().take(MAX_COMMENT).collect();
        format!("{text}\n\n{}\n", self.marker())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentInfo {
    pub url: String,
    /// It was there already.
    pub adopted: bool,
}

/// Each reviewer's last word, of words in their order: who, what, and of which commit. `None` takes back what was said before.
pub(crate) fn last_words<'a>(
    words: impl Iterator<Item = (&'a str, Option<Opinion>, Option<&'a str>)>,
) -> Vec<Standing> {
    let mut standing: Vec<Standing> = Vec::new();
    for (login, opinion, commit) in words {
        standing.retain(|one| one.login != login);
        let commit = commit.and_then(|id| CommitId::parse(id).ok());
        standing.extend(opinion.map(|opinion| Standing { login: login.to_owned(), opinion, commit }));
    }
    standing
}

/// What somebody wrote: a comment, a remark on a line, or the text of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Unique within its pull request, over all kinds of remarks.
    pub id: String,
    /// `None` when the account is gone.
    pub author: Option<String>,
    /// A bot by the forge's own word; GitHub alone tells.
    pub bot: bool,
    pub body: String,
    pub path: Option<String>,
    pub line: Option<u64>,
    pub at: Timestamp,
    pub url: String,
}

impl Remark {
    /// One of ours, by its marker. Others can copy a marker: only to make us look away.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.body.contains("<!-- overnight:")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    Approved,
    ChangesRequested,
}

/// What a reviewer thinks now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub login: String,
    pub opinion: Opinion,
    /// The commit that was looked at, where the forge tells.
    pub commit: Option<CommitId>,
}

/// What reviewers think, and what was said since a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviews {
    pub standing: Vec<Standing>,
    /// Oldest first, without ours.
    pub remarks: Vec<Remark>,
    /// For the next call.
    pub cursor: Cursor,
}

/// How far a list was read: a time, and what was seen of that very millisecond, so that nothing is read twice and nothing
/// is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    pub at: i64,
    pub seen: BTreeSet<String>,
}

impl Cursor {
    pub(crate) fn since(&self) -> Option<Timestamp> {
        (self.at > 0).then_some(Timestamp(self.at))
    }

    fn is_new(&self, at: Timestamp, id: &str) -> bool {
        at.0 > self.at || (at.0 == self.at && !self.seen.contains(id))
    }

    fn pass(&mut self, at: Timestamp, id: &str) {
        if at.0 > self.at {
            self.at = at.0;
            self.seen.clear();
        }
        if at.0 == self.at {
            self.seen.insert(id.to_owned());
        }
    }

    /// What is new among `items`, oldest first, and the cursor after them.
    pub(crate) fn advance<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> (Timestamp, String),
    ) -> (Vec<T>, Self) {
        items.retain(|item| {
            let (at, id) = key(item);
            self.is_new(at, &id)
        });
        items.sort_by_cached_key(&key);
        let mut next = self.clone();
        for item in &items {
            let (at, id) = key(item);
            next.pass(at, &id);
        }
        (items, next)
    }
}

/// An issue, as a person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub number: u64,
    pub url: String,
    pub title: String,
    pub body: String,
    pub open: bool,
    pub author: Option<String>,
    pub labels: Vec<String>,
    pub updated: Timestamp,
}

/// Open issues with a label that changed since a cursor, the one that changed longest ago first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuePage {
    pub issues: Vec<Issue>,
    pub cursor: Cursor,
}

/// Labels to put on and to take off. Taking off one that is not there is no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelChange {
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

impl LabelChange {
    /// Why a label cannot be used, on any forge: GitLab separates by commas, and `.` and `..` are no part of a path.
    pub(crate) fn objection(&self) -> Option<&'static str> {
        let bad = |label: &String| {
            let text = label.trim();
            text.is_empty()
                || text == "."
                || text == ".."
                || label.contains([',', '\n', '\r'])
                || label.chars().count() > 50
        };
        self.add.iter().chain(&self.remove).any(bad).then_some(
            "a label must have 1 to 50 characters without comma or line break, and be neither \".\" nor \"..\"",
        )
    }
}

/// Writes a comment once. A lookup comes before it and after every answer that leaves in doubt whether it is there.
pub(crate) async fn comment(
    forge: &Forge,
    thread: Thread,
    new: &NewComment,
) -> Result<CommentInfo, ForgeError> {
    let mut budget = forge.budget();
    let me = forge.login(&mut budget).await?;
    let (marker, body) = (new.marker(), new.body());
    loop {
        if let Some(url) = ours(forge, thread, &marker, &me, &mut budget).await? {
            return Ok(CommentInfo { url, adopted: true });
        }
        let error = match forge.post_comment(thread, &body, &budget).await {
            Ok(url) => return Ok(CommentInfo { url, adopted: false }),
            Err(error) => error,
        };
        if error.leaves_doubt()
            && let Some(url) = ours(forge, thread, &marker, &me, &mut budget).await?
        {
            return Ok(CommentInfo { url, adopted: true });
        }
        if !budget.pause_after(&error).await {
            return Err(error);
        }
    }
}

/// A comment with the marker and of our own account: anybody can copy a marker.
async fn ours(
    forge: &Forge,
    thread: Thread,
    marker: &str,
    me: &str,
    budget: &mut Budget<'_>,
) -> Result<Option<String>, ForgeError> {
    let comments = forge.comments(thread, budget).await?;
    let is_ours = |remark: &&Remark| {
        remark.body.lines().next_back().map(str::trim) == Some(marker)
            && remark.author.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(me))
    };
    Ok(comments.iter().find(is_ours).map(|remark| remark.url.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_neither_repeats_nor_passes_over() {
        let key = |item: &(i64, &str)| (Timestamp(item.0), item.1.to_owned());
        let (first, cursor) = Cursor::default().advance(vec![(2, "b"), (1, "a"), (2, "c")], key);
        assert_eq!(first, [(1, "a"), (2, "b"), (2, "c")]);
        let (second, cursor) = cursor.advance(vec![(1, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "a")], key);
        assert_eq!(second, [(2, "d"), (3, "a")]);
        assert_eq!(cursor.advance(Vec::<(i64, &str)>::new(), key).1, cursor);
        assert_eq!((cursor.at, cursor.seen.len()), (3, 1));
    }

    #[test]
    fn a_marker_in_the_text_is_no_marker() {
        let job = JobId::parse("job-1").unwrap();
        let mut new = NewComment { job, topic: "a b-->c".to_owned(), text: String::new() };
        new.text = format!("x {} y", new.marker());
        assert_eq!(new.body().matches(&new.marker()).count(), 1, "{}", new.body());
        assert_eq!(new.marker(), "<!-- overnight:comment=job-1/ab--c -->");
        new.text = "é".repeat(2 * MAX_COMMENT);
        assert!(new.body().chars().count() < MAX_COMMENT + 200);
    }

    #[test]
    fn labels_that_would_be_a_path_or_two_labels_are_refused() {
        for bad in ["", " ", ".", "..", "a,b", "a\nb", &"x".repeat(51)] {
            let change = LabelChange { remove: vec![bad.to_owned()], ..LabelChange::default() };
            assert!(change.objection().is_some(), "{bad:?}");
        }
        assert_eq!(LabelChange { add: vec!["night: ok/2".to_owned()], remove: Vec::new() }.objection(), None);
    }
}
