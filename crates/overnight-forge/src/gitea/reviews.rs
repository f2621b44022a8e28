//! What people say about a pull request on Gitea and Forgejo: reviews, remarks on lines, comments.
//!
//! Owns no state. Remarks on lines are listed review by review.

use overnight_core::units::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{Gitea, LIST};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::retry::Budget;
use crate::talk::{Opinion, Remark, Standing, Thread, last_words};
use crate::time;
use crate::wire::User;

#[derive(Debug, Deserialize)]
struct Comment {
    id: u64,
    user: Option<User>,
    body: Option<String>,
    created_at: String,
    updated_at: Option<String>,
    html_url: String,
    path: Option<String>,
    position: Option<u64>,
    original_position: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Review {
    id: u64,
    user: Option<User>,
    body: Option<String>,
    state: String,
    #[serde(default)]
    html_url: String,
    commit_id: Option<String>,
    submitted_at: Option<String>,
    updated_at: Option<String>,
    #[serde(default)]
    dismissed: bool,
    #[serde(default)]
    comments_count: u64,
}

impl Gitea {
    /// A thread's comments come in one answer, without pages.
    pub(crate) async fn comments(
        &self,
        thread: Thread,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Remark>, ForgeError> {
        let mut url = self.at(&["issues", &thread.number().to_string(), "comments"]);
        time::only_since(&mut url, "since", since);
        let comments: Vec<Comment> = self.http.read_as(Operation::ReadComments, url, budget).await?;
        Ok(comments.into_iter().filter_map(|comment| comment.into_remark("comment")).collect())
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
        let mut remarks = self.comments(Thread::PullRequest(number), since, budget).await?;
        for review in
            reviews.items.iter().filter(|review| review.comments_count > 0 && review.is_since(since))
        {
            let url = self.at(&["pulls", &at, "reviews", &review.id.to_string(), "comments"]);
            let lines: Vec<Comment> = self.http.read_as(operation, url, budget).await?;
            remarks.extend(lines.into_iter().filter_map(|comment| comment.into_remark("line")));
        }
        let standing = standing(&reviews.items);
        remarks.extend(reviews.items.into_iter().filter_map(Review::into_remark));
        Ok((standing, remarks))
    }
}

/// A mere comment is no word, a dismissed one does not count.
fn standing(reviews: &[Review]) -> Vec<Standing> {
    last_words(reviews.iter().filter_map(|review| {
        let opinion = match review.state.as_str() {
            "APPROVED" => Opinion::Approved,
            "REQUEST_CHANGES" => Opinion::ChangesRequested,
            _ => return None,
        };
        let opinion = (!review.dismissed).then_some(opinion);
        Some((review.user.as_ref()?.login.as_str(), opinion, review.commit_id.as_deref()))
    }))
}

impl Comment {
    fn into_remark(self, kind: &str) -> Option<Remark> {
        let line = self.position.filter(|line| *line > 0).or(self.original_position.filter(|line| *line > 0));
        Some(Remark {
            id: format!("{kind}-{}", self.id),
            author: self.user.map(|user| user.login),
            bot: false,
            body: self.body.unwrap_or_default(),
            path: self.path,
            line,
            at: time::parse(self.updated_at.as_deref().unwrap_or(&self.created_at))?,
            url: self.html_url,
        })
    }
}

impl Review {
    /// A remark can be added to a review later, which changes its time; without one it is looked at.
    fn is_since(&self, since: Option<Timestamp>) -> bool {
        let at = [self.updated_at.as_deref(), self.submitted_at.as_deref()]
            .into_iter()
            .flatten()
            .filter_map(time::parse);
        since.is_none_or(|since| at.max().is_none_or(|at| at >= since))
    }

    /// `None` for a review that is not sent yet or has no text of its own.
    fn into_remark(self) -> Option<Remark> {
        if matches!(self.state.as_str(), "PENDING" | "REQUEST_REVIEW") {
            return None;
        }
        let at = time::parse(self.submitted_at.as_deref()?)?;
        let body = self.body.filter(|body| !body.trim().is_empty())?;
        let author = self.user.map(|user| user.login);
        Some(Remark {
            id: format!("review-{}", self.id),
            author,
            bot: false,
            body,
            path: None,
            line: None,
            at,
            url: self.html_url,
        })
    }
}
