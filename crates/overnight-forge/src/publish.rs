//! How one job comes to exactly one pull request.
//!
//! Owns no state: the forge is the memory. A lookup comes before the request and after every answer that leaves in doubt
//! whether it was carried out. Two requests that cross are refereed by the forge, which takes one open pull request for
//! the same two branches.

use crate::body;
use crate::client::Forge;
use crate::error::ForgeError;
use crate::request::{Found, NewPullRequest, PullRequest, PullRequestState};
use crate::retry::Budget;

pub(crate) async fn open(forge: &Forge, request: &NewPullRequest) -> Result<PullRequest, ForgeError> {
    let mut budget = forge.budget();
    if let Some(found) = look(forge, request, &mut budget).await? {
        return Ok(found);
    }
    loop {
        let error = match forge.create(request, &budget).await {
            Ok(made) => return Ok(made.report(false)),
            Err(error) => error,
        };
        if error.leaves_doubt()
            && let Some(found) = look(forge, request, &mut budget).await?
        {
            return Ok(found);
        }
        if !budget.pause_after(&error).await {
            return Err(error);
        }
        if error.leaves_doubt()
            && let Some(found) = look(forge, request, &mut budget).await?
        {
            return Ok(found);
        }
    }
}

async fn look(
    forge: &Forge,
    request: &NewPullRequest,
    budget: &mut Budget<'_>,
) -> Result<Option<PullRequest>, ForgeError> {
    let found = forge.find(&request.head, budget).await?;
    Ok(choose(&found, request).map(|pull| pull.report(true)))
}

/// The one among `found`, all from the branch in question, that is this job's.
///
/// An open one to the same target is, whoever made it: the forge takes no second. One that carries the job's marker is,
/// in any state and even when somebody changed its target. A closed one without the marker is ours only at the very
/// commit that we publish; otherwise it is an older story of a branch name that is used again.
fn choose<'a>(found: &'a [Found], request: &NewPullRequest) -> Option<&'a Found> {
    let is_open = |pull: &&Found| pull.state == PullRequestState::Open;
    let is_marked = |pull: &&Found| body::job_in(&pull.body).as_ref() == Some(&request.job);
    let same_base = |pull: &&Found| pull.base == request.base;
    let same_tip = |pull: &&Found| pull.head_commit == request.tip.as_str();
    let newest = |fits: &dyn Fn(&&Found) -> bool| {
        found.iter().filter(|pull| fits(pull)).max_by_key(|pull| pull.number)
    };
    newest(&|pull| is_open(pull) && same_base(pull))
        .or_else(|| newest(&|pull| is_open(pull) && is_marked(pull)))
        .or_else(|| newest(&is_marked))
        .or_else(|| newest(&|pull| same_base(pull) && same_tip(pull)))
}

#[cfg(test)]
mod tests {
    use overnight_core::git::{BranchName, CommitId};
    use overnight_core::id::JobId;

    use super::*;

    fn request() -> NewPullRequest {
        NewPullRequest {
            job: JobId::parse("job-1").unwrap(),
            title: "t".to_owned(),
            body: String::new(),
            head: BranchName::parse("overnight/app-1").unwrap(),
            base: "main".to_owned(),
            tip: CommitId::parse(&"a".repeat(40)).unwrap(),
            draft: false,
        }
    }

    fn found(number: u64, state: PullRequestState, base: &str, marker: Option<&str>, tip: char) -> Found {
        Found {
            number,
            url: String::new(),
            state,
            base: base.to_owned(),
            head: "overnight/app-1".to_owned(),
            head_commit: tip.to_string().repeat(40),
            head_repository: Some("o/r".to_owned()),
            body: marker.map(|job| body::marker(&JobId::parse(job).unwrap())).unwrap_or_default(),
            ..Found::default()
        }
    }

    fn chosen(found: &[Found]) -> Option<u64> {
        choose(found, &request()).map(|pull| pull.number)
    }

    use PullRequestState::{Closed, Merged, Open};

    #[test]
    fn an_open_pull_request_to_the_same_target_is_taken_whoever_made_it() {
        assert_eq!(
            chosen(&[found(3, Merged, "main", Some("job-1"), 'a'), found(4, Open, "main", None, 'b')]),
            Some(4)
        );
    }

    #[test]
    fn a_marked_one_stays_ours_when_it_was_closed_merged_or_given_another_target() {
        for (state, base) in [(Closed, "main"), (Merged, "main"), (Open, "develop"), (Closed, "develop")] {
            assert_eq!(chosen(&[found(3, state, base, Some("job-1"), 'b')]), Some(3), "{state:?} {base}");
        }
    }

    #[test]
    fn an_older_story_of_the_same_branch_is_not_ours() {
        assert_eq!(
            chosen(&[found(3, Merged, "main", Some("job-0"), 'b'), found(2, Closed, "main", None, 'c')]),
            None
        );
        assert_eq!(chosen(&[found(3, Open, "develop", Some("job-0"), 'a')]), None);
    }

    #[test]
    fn the_very_commit_that_was_closed_is_not_offered_again() {
        assert_eq!(chosen(&[found(3, Closed, "main", None, 'a')]), Some(3));
    }
}
