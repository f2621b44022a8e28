//! What people say about a merge request: approvals, reviewers' states, and notes, on lines and elsewhere.
//!
//! Owns no state. Notes that GitLab writes itself are left out.

use overnight_core::units::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{GitLab, LIST, User};
use crate::error::{ForgeError, Operation};
use crate::http::Order;
use crate::retry::Budget;
use crate::talk::{Opinion, Remark, Standing, Thread};
use crate::time;

#[derive(Debug, Deserialize)]
struct Note {
    id: u64,
    body: String,
    author: Option<User>,
    #[serde(default)]
    system: bool,
    updated_at: String,
    position: Option<Position>,
}

#[derive(Debug, Deserialize)]
struct Position {
    new_path: Option<String>,
    old_path: Option<String>,
    new_line: Option<u64>,
    old_line: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approver>,
}

#[derive(Debug, Deserialize)]
struct Approver {
    user: User,
}

#[derive(Debug, Deserialize)]
struct Reviewer {
    user: User,
    state: Option<String>,
}

impl GitLab {
    fn thread(&self, thread: Thread, segment: &str) -> reqwest::Url {
        let kind = match thread {
            Thread::PullRequest(_) => "merge_requests",
            Thread::Issue(_) => "issues",
        };
        self.at(&[kind, &thread.number().to_string(), segment])
    }

    /// GitLab has no filter for the time of notes; they come newest change first.
    pub(crate) async fn comments(
        &self,
        thread: Thread,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Remark>, ForgeError> {
        let mut url = self.thread(thread, "notes");
        url.query_pairs_mut().append_pair("order_by", "updated_at").append_pair("sort", "desc");
        let notes = self.http.list::<Note>(Operation::ReadComments, &url, LIST, budget).await?;
        let page = self.page(thread);
        let remarks =
            notes.items.into_iter().filter(|note| !note.system).filter_map(|note| note.into_remark(&page));
        Ok(remarks.filter(|remark| since.is_none_or(|since| remark.at >= since)).collect())
    }

    /// The address in a browser. The API tells it of merge requests and issues, not of notes.
    fn page(&self, thread: Thread) -> String {
        let web = self.address.api_base().trim_end_matches('/').trim_end_matches("/api/v4").to_owned();
        let (kind, number) = match thread {
            Thread::PullRequest(number) => ("merge_requests", number),
            Thread::Issue(number) => ("issues", number),
        };
        format!("{web}/{}/-/{kind}/{number}", self.address)
    }

    pub(crate) async fn post_comment(
        &self,
        thread: Thread,
        body: &str,
        budget: &Budget<'_>,
    ) -> Result<String, ForgeError> {
        let operation = Operation::Comment;
        let json = json!({"body": body});
        let order = Order::post(operation, self.thread(thread, "notes"), &json);
        let note: Note = self.http.once_as(order, budget).await?;
        Ok(format!("{}#note_{}", self.page(thread), note.id))
    }

    pub(crate) async fn reviews(
        &self,
        number: u64,
        since: Option<Timestamp>,
        budget: &mut Budget<'_>,
    ) -> Result<(Vec<Standing>, Vec<Remark>), ForgeError> {
        let operation = Operation::ReadReviews;
        let thread = Thread::PullRequest(number);
        let approvals: Approvals =
            self.http.read_as(operation, self.thread(thread, "approvals"), budget).await?;
        // Older servers do not tell what reviewers think.
        let reviewers: Option<Vec<Reviewer>> =
            self.http.find_as(operation, self.thread(thread, "reviewers"), budget).await?;
        let mut standing: Vec<Standing> =
            approvals.approved_by.into_iter().map(|one| Standing::now(one.user, Opinion::Approved)).collect();
        for reviewer in reviewers.into_iter().flatten() {
            if reviewer.state.as_deref() == Some("requested_changes") {
                standing.retain(|one| one.login != reviewer.user.username);
                standing.push(Standing::now(reviewer.user, Opinion::ChangesRequested));
            }
        }
        Ok((standing, self.comments(thread, since, budget).await?))
    }
}

impl Standing {
    fn now(user: User, opinion: Opinion) -> Self {
        Self { login: user.username, opinion, commit: None }
    }
}

impl Note {
    fn into_remark(self, page: &str) -> Option<Remark> {
        let position = self.position;
        let path = position.as_ref().and_then(|at| at.new_path.clone().or(at.old_path.clone()));
        let line = position.and_then(|at| at.new_line.or(at.old_line));
        Some(Remark {
            id: format!("note-{}", self.id),
            author: self.author.map(|user| user.username),
            bot: false,
            body: self.body,
            path,
            line,
            at: time::parse(&self.updated_at)?,
            url: format!("{page}#note_{}", self.id),
        })
    }
}
