//! The last words about a job.

use overnight_core::agent::{AgentSettings, BackendId, Usage};
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::{Fence, RepositoryId, TaskKey};
use overnight_core::job::{
    Base, Choice, JobLimits, JobSpec, ParkReason, Published, PullRequestRef, Queueing, Trail, VerifyRequest,
};
use overnight_core::units::{MicroDollars, Timestamp};

use super::*;

pub(crate) fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

pub(crate) fn job(state: JobState) -> Job {
    let spec = JobSpec {
        title: "Fix it".into(),
        prompt: "Fix it".into(),
        source: "/home/me/my app/.git".into(),
        ordered_in: None,
        base: Base::Commit { commit: commit('a'), branch: None },
        publication: Publication::LocalBranch { repository: "/home/me/my app/.git".into() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Claude),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: Default::default(),
        author: "A <a@b.c>".into(),
    };
    Job {
        id: JobId::parse("0190-1").unwrap(),
        key: TaskKey::parse("app-1").unwrap(),
        repository: RepositoryId::parse("r").unwrap(),
        repository_name: "app".into(),
        spec,
        state,
        fence: Fence(1),
        holder: None,
        cancel: None,
        queueing: Queueing::default(),
        lost: 0,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

pub(crate) fn trail() -> Trail {
    let used = Usage { output_tokens: 5200, turns: 3, cost: Some(MicroDollars(120_000)), ..Usage::default() };
    Trail { attempt: 2, used, ..Trail::default() }
}

fn told(state: JobState) -> String {
    let story = Story { base: Some(commit('a')), ..Story::default() };
    let text = summary(&job(state), &story).join("\n");
    anstream::adapter::strip_str(&text).to_string()
}

pub(crate) fn end(reason: EndReason, published: Option<Published>) -> JobState {
    let detail = "the detail\u{1b}[2J of it".to_owned();
    JobState::Ended { trail: trail(), end: End { reason, detail, tip: Some(commit('b')), published } }
}

#[test]
fn last_words_say_what_came_of_it_and_what_to_do() {
    let branch = BranchName::parse("overnight/app-1-fix-it").unwrap();
    let local = Published { branch, commit: commit('b'), pull_request: None };
    let url = "https://git.example.org/a/b/pulls/7".to_owned();
    let remote = Published { pull_request: Some(PullRequestRef { number: 7, url }), ..local.clone() };
    let parked = JobState::Parked {
        reason: ParkReason::AgentLogin,
        detail: "401".into(),
        wake: None,
        then: Box::new(JobState::Queued),
    };
    let all = [
        told(end(EndReason::Published, Some(local))),
        told(end(EndReason::Published, Some(remote))),
        told(end(EndReason::VerificationFailed, None)),
        told(end(EndReason::BudgetCost, None)),
        told(parked),
        told(JobState::Queued),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}
