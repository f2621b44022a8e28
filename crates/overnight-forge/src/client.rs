//! The forges behind one enum.
//!
//! Owns nothing but the choice. Each method is one operation with one budget of time and repetitions.

use overnight_core::git::{BranchName, CommitId};
use overnight_core::secret::Secret;

use crate::address::{ForgeAddress, ForgeKind};
use crate::app::AppKey;
use crate::checks::{self, Checks};
use crate::error::{Call, ForgeError, Operation};
use crate::gitea::Gitea;
use crate::github::GitHub;
use crate::gitlab::GitLab;
use crate::http::Http;
use crate::landing;
use crate::merge::{MergeAnswer, MergeOrder, Mergeability};
use crate::meter::Usage;
use crate::publish;
use crate::request::{
    Account, Found, NewPullRequest, PullRequest, PullRequestChange, PullRequestState, RepositoryInfo,
};
use crate::retry::{Budget, Settings};
use crate::sweep::{self, BranchRemoval, BranchSight};
use crate::talk::{
    self, CommentInfo, Cursor, Issue, IssuePage, LabelChange, NewComment, Remark, Reviews, Thread,
};

/// A repository on a forge, and the token to speak for.
#[derive(Debug)]
pub enum Forge {
    GitHub(GitHub),
    Gitea(Gitea),
    GitLab(GitLab),
}

/// The same call on whichever forge it is.
macro_rules! on {
    ($self:expr, $forge:ident => $call:expr) => {
        match $self {
            Self::GitHub($forge) => $call,
            Self::Gitea($forge) => $call,
            Self::GitLab($forge) => $call,
        }
    };
}

impl Forge {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// [`ForgeError::Unusable`] when no HTTP header can hold the token, or the proxy's URL is none.
    pub fn connect(address: ForgeAddress, token: Secret, settings: Settings) -> Result<Self, ForgeError> {
        match address.kind() {
            ForgeKind::GitHub => GitHub::connect(address, token, settings).map(Self::GitHub),
            ForgeKind::Gitea => Gitea::connect(address, token, settings).map(Self::Gitea),
            ForgeKind::GitLab => GitLab::connect(address, token, settings).map(Self::GitLab),
        }
    }

    /// As a GitHub App, whose tokens are made when they are needed. Sends nothing yet.
    ///
    /// # Errors
    /// [`ForgeError::Unusable`] when the forge is not GitHub, or the key is no RSA key in PEM.
    pub fn connect_app(address: ForgeAddress, app: &AppKey, settings: Settings) -> Result<Self, ForgeError> {
        match address.kind() {
            ForgeKind::GitHub => GitHub::connect_app(address, app, settings).map(Self::GitHub),
            ForgeKind::Gitea | ForgeKind::GitLab => {
                let call = Call { operation: Operation::Connect, repository: address.to_string().into() };
                Err(ForgeError::Unusable { call, problem: "only GitHub has Apps", source: None })
            }
        }
    }

    #[must_use]
    pub fn address(&self) -> &ForgeAddress {
        on!(self, forge => forge.address())
    }

    /// What was used of the forge's limit so far, over this connection.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.http().usage()
    }

    /// The token for git's own transport, as the password of any user. An App's lives an hour at most.
    ///
    /// # Errors
    /// Any [`ForgeError`] of making an App's token.
    pub async fn token(&self) -> Result<Secret, ForgeError> {
        let limit = self.budget().request_timeout();
        self.http().token(limit).await
    }

    /// Opens the pull request of a job, or finds the one that is there. May be repeated at any time and from any number
    /// of processes: there is never a second one. A pull request that somebody closed or merged is returned in that
    /// state and left as it is.
    ///
    /// # Errors
    /// Any [`ForgeError`], after bounded repetitions where they can help. Repeating the whole call later is safe.
    pub async fn open_pull_request(&self, request: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        publish::open(self, request).await
    }

    /// Every pull request from `head` to `base` of this repository, open or not. Of long closed ones Gitea may show none.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn find_pull_requests(
        &self,
        head: &BranchName,
        base: &str,
    ) -> Result<Vec<PullRequest>, ForgeError> {
        let found = self.find(head, &mut self.budget()).await?;
        Ok(found.iter().filter(|pull| pull.base == base).map(|pull| pull.report(true)).collect())
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn pull_request(&self, number: u64) -> Result<PullRequest, ForgeError> {
        self.get(number, &mut self.budget()).await.map(|found| found.report(true))
    }

    /// Changes title, body or target. May be repeated.
    ///
    /// # Errors
    /// Any [`ForgeError`].
    pub async fn update_pull_request(
        &self,
        number: u64,
        change: &PullRequestChange,
    ) -> Result<PullRequest, ForgeError> {
        let mut budget = self.budget();
        if *change == PullRequestChange::default() {
            return self.get(number, &mut budget).await.map(|found| found.report(true));
        }
        on!(self, forge => forge.change(number, change, &mut budget).await).map(|found| found.report(true))
    }

    /// Makes it a draft, or ready for review. Nothing is sent when it is so already or no longer open.
    ///
    /// # Errors
    /// Any [`ForgeError`].
    pub async fn set_draft(&self, number: u64, draft: bool) -> Result<PullRequest, ForgeError> {
        let mut budget = self.budget();
        let found = self.get(number, &mut budget).await?;
        if found.draft == draft || found.state != PullRequestState::Open {
            return Ok(found.report(true));
        }
        on!(self, forge => forge.set_draft(&found, draft, &mut budget).await)?;
        Ok(Found { draft, ..found }.report(true))
    }

    /// Closes it without merging. One that is merged or closed is returned as it is.
    ///
    /// # Errors
    /// Any [`ForgeError`].
    pub async fn close_pull_request(&self, number: u64) -> Result<PullRequest, ForgeError> {
        let mut budget = self.budget();
        let found = self.get(number, &mut budget).await?;
        if found.state != PullRequestState::Open {
            return Ok(found.report(true));
        }
        on!(self, forge => forge.close(number, &mut budget).await).map(|found| found.report(true))
    }

    /// Writes a comment, or finds it: there is one of each job and topic, however often this is called.
    ///
    /// # Errors
    /// Any [`ForgeError`], after bounded repetitions where they can help. Repeating the whole call later is safe.
    pub async fn comment(&self, thread: Thread, new: &NewComment) -> Result<CommentInfo, ForgeError> {
        talk::comment(self, thread, new).await
    }

    /// Puts labels on and takes labels off; one that is not there yet is made. May be repeated.
    ///
    /// # Errors
    /// Any [`ForgeError`]; [`ForgeError::Unusable`] for a label that cannot be one on every forge.
    pub async fn change_labels(&self, thread: Thread, change: &LabelChange) -> Result<(), ForgeError> {
        if let Some(problem) = change.objection() {
            return Err(self.unusable(Operation::ChangeLabels, problem));
        }
        on!(self, forge => forge.change_labels(thread, change, &mut self.budget()).await)
    }

    /// What everything that reports on a commit says, as one summary.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing. A log that cannot be had is no error.
    pub async fn checks(&self, commit: &CommitId) -> Result<Checks, ForgeError> {
        self.checks_within(commit, &mut self.budget()).await
    }

    pub(crate) async fn checks_within(
        &self,
        commit: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<Checks, ForgeError> {
        on!(self, forge => forge.checks(commit, budget).await).map(checks::summary)
    }

    /// What reviewers think now, and what was said since `cursor`.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn reviews(&self, number: u64, cursor: &Cursor) -> Result<Reviews, ForgeError> {
        let mut budget = self.budget();
        let (standing, remarks) =
            on!(self, forge => forge.reviews(number, cursor.since(), &mut budget).await)?;
        let (mut remarks, cursor) = cursor.advance(remarks, |remark| (remark.at, remark.id.clone()));
        if remarks.iter().any(Remark::is_marked) {
            let me = self.login(&mut budget).await?;
            let ours = |remark: &Remark| {
                remark.is_marked()
                    && remark.author.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(&me))
            };
            remarks.retain(|remark| !ours(remark));
        }
        Ok(Reviews { standing, remarks, cursor })
    }

    /// Whether its branches could be merged. Asks again while the forge is still finding out.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn mergeability(&self, number: u64) -> Result<Mergeability, ForgeError> {
        let mut budget = self.budget();
        loop {
            let fit = self.get(number, &mut budget).await?.fit;
            if fit.settled || !budget.pause_for_forge().await {
                return Ok(fit.mergeability);
            }
        }
    }

    /// Merges exactly the commit that was judged. What stands against it is an answer, not an error.
    ///
    /// # Errors
    /// Any [`ForgeError`], after bounded repetitions where they can help. Repeating the whole call later is safe.
    pub async fn merge(&self, number: u64, order: &MergeOrder) -> Result<MergeAnswer, ForgeError> {
        landing::merge(self, number, order).await
    }

    /// Deletes a branch if all its commits are in `base` (the default branch when `None`), and never the default branch.
    /// Forges delete by name: what is pushed to the branch between our look and their deletion is lost with it.
    ///
    /// # Errors
    /// Any [`ForgeError`].
    pub async fn remove_branch(
        &self,
        branch: &BranchName,
        base: Option<&str>,
    ) -> Result<BranchRemoval, ForgeError> {
        sweep::remove(self, branch, base).await
    }

    /// Where a branch is, and whether all its commits are in `base` (the default branch when `None`).
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn look_at_branch(
        &self,
        branch: &BranchName,
        base: Option<&str>,
    ) -> Result<BranchSight, ForgeError> {
        sweep::look(self, branch, base, &mut self.budget()).await
    }

    /// The newest pull request from a branch of this repository, in any state and to any target.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn pull_request_from(&self, head: &BranchName) -> Result<Option<PullRequest>, ForgeError> {
        let found = self.find(head, &mut self.budget()).await?;
        Ok(found.iter().max_by_key(|pull| pull.number).map(|pull| pull.report(true)))
    }

    /// Open issues with `label` that changed since `cursor`; pull requests are none.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn issues(&self, label: &str, cursor: &Cursor) -> Result<IssuePage, ForgeError> {
        let asked = LabelChange { add: vec![label.to_owned()], remove: Vec::new() };
        if let Some(problem) = asked.objection() {
            return Err(self.unusable(Operation::FindIssues, problem));
        }
        let mut budget = self.budget();
        let issues = on!(self, forge => forge.issues(label, cursor.since(), &mut budget).await)?;
        let (issues, cursor) = cursor.advance(issues, |issue| (issue.updated, issue.number.to_string()));
        Ok(IssuePage { issues, cursor })
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn issue(&self, number: u64) -> Result<Issue, ForgeError> {
        on!(self, forge => forge.issue(number, &mut self.budget()).await)
    }

    /// Closes an issue. May be repeated.
    ///
    /// # Errors
    /// Any [`ForgeError`].
    pub async fn close_issue(&self, number: u64) -> Result<(), ForgeError> {
        on!(self, forge => forge.close_issue(number, &mut self.budget()).await)
    }

    /// Whether somebody may write to the repository. Nobody, for a name that can be no login.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn can_write(&self, login: &str) -> Result<bool, ForgeError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '[' | ']');
        if login.is_empty()
            || login.len() > 255
            || !login.chars().all(plain)
            || login.chars().all(|c| c == '.')
        {
            return Ok(false);
        }
        on!(self, forge => forge.can_write(login, &mut self.budget()).await)
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn repository(&self) -> Result<RepositoryInfo, ForgeError> {
        self.repository_within(&mut self.budget()).await
    }

    pub(crate) async fn repository_within(
        &self,
        budget: &mut Budget<'_>,
    ) -> Result<RepositoryInfo, ForgeError> {
        on!(self, forge => forge.repository(budget).await)
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn account(&self) -> Result<Account, ForgeError> {
        on!(self, forge => forge.account(&mut self.budget()).await)
    }

    /// Our own name on the forge, asked for once.
    pub(crate) async fn login(&self, budget: &mut Budget<'_>) -> Result<String, ForgeError> {
        if let Some(known) = self.http().login.get() {
            return Ok(known.clone());
        }
        let login = on!(self, forge => forge.account(budget).await)?.login;
        Ok(self.http().login.get_or_init(|| login).clone())
    }

    /// The pull requests from `head` in this very repository: those of forks with a branch of the same name, and those
    /// that a filter let through, are left out.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let mut found = on!(self, forge => forge.find(head, budget).await)?;
        let here = self.address().to_string();
        let is_here = |name: &String| name.eq_ignore_ascii_case(&here);
        found.retain(|pull| pull.head == head.as_str() && pull.head_repository.as_ref().is_some_and(is_here));
        Ok(found)
    }

    pub(crate) async fn create(
        &self,
        request: &NewPullRequest,
        budget: &Budget<'_>,
    ) -> Result<Found, ForgeError> {
        on!(self, forge => forge.create(request, budget).await)
    }

    pub(crate) async fn get(&self, number: u64, budget: &mut Budget<'_>) -> Result<Found, ForgeError> {
        on!(self, forge => forge.get(number, budget).await)
    }

    pub(crate) async fn merge_once(
        &self,
        number: u64,
        order: &MergeOrder,
        budget: &mut Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        on!(self, forge => forge.merge_once(number, order, budget).await)
    }

    pub(crate) async fn comments(
        &self,
        thread: Thread,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Remark>, ForgeError> {
        on!(self, forge => forge.comments(thread, None, budget).await)
    }

    pub(crate) async fn post_comment(
        &self,
        thread: Thread,
        body: &str,
        budget: &Budget<'_>,
    ) -> Result<String, ForgeError> {
        on!(self, forge => forge.post_comment(thread, body, budget).await)
    }

    pub(crate) async fn branch_tip(
        &self,
        name: &str,
        budget: &mut Budget<'_>,
    ) -> Result<Option<String>, ForgeError> {
        on!(self, forge => forge.branch_tip(name, budget).await)
    }

    pub(crate) async fn missing_from(
        &self,
        base: &str,
        tip: &CommitId,
        budget: &mut Budget<'_>,
    ) -> Result<u64, ForgeError> {
        on!(self, forge => forge.missing_from(base, tip, budget).await)
    }

    pub(crate) async fn drop_branch(&self, name: &str, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        on!(self, forge => forge.drop_branch(name, budget).await)
    }

    pub(crate) fn budget(&self) -> Budget<'_> {
        Budget::new(&self.http().settings)
    }

    pub(crate) fn unexpected(&self, operation: Operation, problem: &str) -> ForgeError {
        self.http().unexpected(operation, problem)
    }

    fn unusable(&self, operation: Operation, problem: &'static str) -> ForgeError {
        ForgeError::Unusable { call: self.http().call(operation), problem, source: None }
    }

    fn http(&self) -> &Http {
        on!(self, forge => forge.http())
    }
}
