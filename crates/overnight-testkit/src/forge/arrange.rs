//! What a test arranges and asks about issues, comments, reviews, checks, rights and limits.
//!
//! Owns no state; the forge does.

use super::people::{FakeCheck, FakeComment, FakeFit, FakeIssue, FakeOpinion, FakeReview, People};
use super::server::FakeForge;

impl FakeForge {
    fn people<T: Default>(&self, full_name: &str, act: impl FnOnce(&mut People) -> T) -> T {
        let mut state = self.hub().state();
        let done =
            state.repository_mut(full_name).map(|repository| act(&mut repository.people)).unwrap_or_default();
        drop(state);
        self.hub().changed();
        done
    }

    /// Somebody opens an issue; its number is chosen by the forge and returned.
    pub fn open_issue(&self, full_name: &str, author: &str, title: &str, labels: &[&str]) -> u64 {
        let number =
            self.hub().state().repository(full_name).map_or(0, super::state::Repository::next_number);
        self.people(full_name, |people| {
            let updated = people.tick();
            let (title, body) = (title.to_owned(), String::new());
            people.issues.push(FakeIssue {
                number,
                title,
                body,
                author: author.to_owned(),
                labels: Vec::new(),
                open: true,
                updated,
            });
            people.set_labels(number, labels.iter().map(|label| (*label).to_owned()).collect());
            number
        })
    }

    #[must_use]
    pub fn issues(&self, full_name: &str) -> Vec<FakeIssue> {
        self.people(full_name, |people| people.issues.clone())
    }

    /// The labels of an issue or pull request.
    #[must_use]
    pub fn labels(&self, full_name: &str, number: u64) -> Vec<String> {
        self.people(full_name, |people| people.labels_of(number))
    }

    /// Somebody writes a comment; with a place it is a remark on a line.
    pub fn write_comment(
        &self,
        full_name: &str,
        thread: u64,
        author: &str,
        body: &str,
        place: Option<(&str, u64)>,
    ) {
        self.people(full_name, |people| {
            let (id, at) = (people.comments.len() as u64 + 1, people.tick());
            let (path, line) = (place.map(|place| place.0.to_owned()), place.map(|place| place.1));
            let (author, body) = (author.to_owned(), body.to_owned());
            people.comments.push(FakeComment { id, thread, author, body, path, line, at });
        });
    }

    /// The comments on an issue or pull request, without remarks on lines.
    #[must_use]
    pub fn comments(&self, full_name: &str, thread: u64) -> Vec<FakeComment> {
        let mut all = self.people(full_name, |people| people.comments.clone());
        all.retain(|one| one.thread == thread && one.path.is_none());
        all
    }

    pub fn review(&self, full_name: &str, thread: u64, author: &str, opinion: FakeOpinion, body: &str) {
        let pulls = self.pull_requests(full_name);
        let commit = pulls.iter().find(|pull| pull.number == thread).map(|pull| pull.head_commit.clone());
        self.people(full_name, |people| {
            let (id, at) = (people.reviews.len() as u64 + 1, people.tick());
            let (author, body, commit) = (author.to_owned(), body.to_owned(), commit.unwrap_or_default());
            people.reviews.push(FakeReview { id, thread, author, opinion, body, commit, at });
        });
    }

    /// Something reports on a commit; a second report of the same name replaces the first.
    pub fn report_check(&self, full_name: &str, check: FakeCheck) {
        self.people(full_name, |people| {
            let twin = |one: &&mut FakeCheck| one.commit == check.commit && one.name == check.name;
            match people.checks.iter_mut().find(twin) {
                Some(old) => *old = check,
                None => people.checks.push(check),
            }
        });
    }

    pub fn set_fit(&self, full_name: &str, number: u64, fit: FakeFit) {
        self.people(full_name, |people| {
            people.fits.insert(number, fit);
        });
    }

    /// From here on merging needs every check to have passed.
    pub fn require_checks(&self, full_name: &str) {
        self.people(full_name, |people| people.needs_checks = true);
    }

    /// From here on a rule forbids merging.
    pub fn forbid_merging(&self, full_name: &str, message: &str) {
        self.people(full_name, |people| people.forbids_merging = Some(message.to_owned()));
    }

    /// Somebody who may write, or only read.
    pub fn add_person(&self, login: &str, may_write: bool) {
        self.hub().state().people.insert(login.to_owned(), may_write);
    }

    /// The limit that answers tell of, and what is left of it.
    pub fn set_rate(&self, limit: u32, remaining: u32) {
        self.hub().state().rate = Some((limit, remaining));
    }

    /// From here on answers carry an `ETag`.
    pub fn send_etags(&self) {
        self.hub().state().etags = true;
    }

    /// There is a GitHub App, whose tokens live so many seconds from 2024-02-29 00:00:00 UTC.
    pub fn add_app(&self, token_life: i64) {
        self.hub().state().app = Some(token_life);
    }

    /// How many tokens the App was given.
    #[must_use]
    pub fn app_tokens(&self) -> u32 {
        self.hub().state().app_tokens
    }
}
