//! What people say about a pull request on GitHub: reviews, remarks on lines, comments.
//!
//! Owns no state.

use overnight_core::units::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{GitHub, LIST};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::retry::Budget;
use crate::talk::{Opinion, Remark, Standing, Thread, last_words};
use crate::time;

#[derive(Debug, Deserialize)]
pub(super) struct Author {
    pub(super) login: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Comment {
    id: u64,
    user: Option<Author>,
    body: Option<String>,
    created_at: String,
    updated_at: Option<String>,
    html_url: String,
    path: Option<String>,
    line: Option<u64>,
    original_line: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Review {
    id: u64,
    user: Option<Author>,
    body: Option<String>,
    state: String,
    html_url: String,
    commit_id: Option<String>,
    submitted_at: Option<String>,
}

impl GitHub {
    pub(crate) async fn comments(
        &self,
        thread: Thread,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Remark>, ForgeError> {
        let mut url = self.at(&["issues", &thread.number().to_string(), "comments"]);
        time::only_since(&mut url, "since", since);
        let comments = self.http.list::<Comment>(Operation::ReadComments, &url, LIST, budget).await?;
        Ok(comments.items.into_iter().filter_map(|comment| comment.into_remark("comment")).collect())
    }

    pub(crate) async fn post_comment(
        &self,
        thread: Thread,
        body: &str,
        budget: &Budget<'_>,
    ) -> Result<String, ForgeError> {
        let operation = Operation::Comment;
        let json = json!({"body": body});
        let url = self.at(&["issues", &thread.number().to_string(), "comments"]);
        let comment: Comment = self.http.once_as(Order::post(operation, url, &json), budget).await?;
        Ok(comment.html_url)
    }

    pub(crate) async fn reviews(
        &self,
        number: u64,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<(Vec<Standing>, Vec<Remark>), ForgeError> {
        let operation = Operation::ReadReviews;
        let at = number.to_string();
        let reviews =
            self.http.list::<Review>(operation, &self.at(&["pulls", &at, "reviews"]), LIST, budget).await?;
        let mut url = self.at(&["pulls", &at, "comments"]);
        time::only_since(&mut url, "since", since);
        let lines = self.http.list::<Comment>(operation, &url, LIST, budget).await?;
        let standing = standing(&reviews.items);
        let mut remarks = self.comments(Thread::PullRequest(number), since, budget).await?;
        remarks.extend(lines.items.into_iter().filter_map(|comment| comment.into_remark("line")));
        remarks.extend(reviews.items.into_iter().filter_map(Review::into_remark));
        Ok((standing, remarks))
    }
}

/// A mere comment is no word, a dismissal takes one back.
fn standing(reviews: &[Review]) -> Vec<Standing> {
    last_words(reviews.iter().filter_map(|review| {
        let opinion = match review.state.as_str() {
            "APPROVED" => Some(Opinion::Approved),
            "CHANGES_REQUESTED" => Some(Opinion::ChangesRequested),
            "DISMISSED" => None,
            _ => return None,
        };
        Some((review.user.as_ref()?.login.as_str(), opinion, review.commit_id.as_deref()))
    }))
}

fn bot(author: Option<&Author>) -> bool {
    author.is_some_and(|author| author.kind.as_deref() == Some("Bot"))
}

impl Comment {
    fn into_remark(self, kind: &str) -> Option<Remark> {
        Some(Remark {
            id: format!("{kind}-{}", self.id),
            bot: bot(self.user.as_ref()),
            author: self.user.map(|user| user.login),
            body: self.body.unwrap_or_default(),
            path: self.path,
            line: self.line.or(self.original_line),
            at: time::parse(self.updated_at.as_deref().unwrap_or(&self.created_at))?,
            url: self.html_url,
        })
    }
}

impl Review {
    /// `None` for a review that is not sent yet or has no text of its own.
    fn into_remark(self) -> Option<Remark> {
        let at = time::parse(self.submitted_at.as_deref()?)?;
        let body = self.body.filter(|body| !body.trim().is_empty())?;
        let (bot, author) = (bot(self.user.as_ref()), self.user.map(|user| user.login));
        Some(Remark {
            id: format!("review-{}", self.id),
            author,
            bot,
            body,
            path: None,
            line: None,
            at,
            url: self.html_url,
        })
    }
}
