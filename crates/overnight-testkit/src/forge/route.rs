//! Which place of the API a path names, in each forge's way of naming it.
//!
//! Owns no state.

use super::fault::On;
use super::server::Flavour;

/// A place, and the repository that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) repository: Option<String>,
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Account,
    App,
    AccessTokens,
    GraphQl,
    /// People by their name.
    Users,
    Repository,
    Installation,
    Pulls,
    Pull(u64),
    Merge(u64),
    Reviews(u64),
    /// Remarks on lines: all of a pull request, or those of one review.
    LineComments(u64, Option<u64>),
    Approvals(u64),
    Reviewers(u64),
    Comments(u64),
    Issues,
    Issue(u64),
    IssueLabels(u64, Option<String>),
    Labels,
    CheckRuns(String),
    Statuses(String),
    Pipelines,
    Log(u64),
    Branch(String),
    Compare(String),
    Permission(String),
    Member(u64),
}

/// The place of a path below the API's base.
pub(super) fn target(flavour: Flavour, path: &str) -> Option<Target> {
    let parts: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect::<Option<_>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let alone = |place| Some(Target { repository: None, place });
    match (flavour, parts.as_slice()) {
        (_, ["user"]) => alone(Place::Account),
        (Flavour::GitHub, ["app"]) => alone(Place::App),
        (Flavour::GitHub, ["app", "installations", _, "access_tokens"]) => alone(Place::AccessTokens),
        (Flavour::GitHub, ["graphql"]) => alone(Place::GraphQl),
        (Flavour::GitLab, ["users"]) => alone(Place::Users),
        (Flavour::GitHub | Flavour::Gitea, ["repos", owner, name, rest @ ..]) => {
            let place = if flavour == Flavour::GitHub { github(rest) } else { gitea(rest) };
            Some(Target { repository: Some(format!("{owner}/{name}")), place: place? })
        }
        (Flavour::GitLab, ["projects", project, rest @ ..]) => {
            Some(Target { repository: Some((*project).to_owned()), place: gitlab(rest)? })
        }
        _ => None,
    }
}

/// What GitHub and Gitea have in common.
fn shared(rest: &[&str]) -> Option<Place> {
    let number = |text: &str| text.parse::<u64>().ok();
    Some(match rest {
        [] => Place::Repository,
        ["pulls"] => Place::Pulls,
        ["pulls", at] => Place::Pull(number(at)?),
        ["pulls", at, "merge"] => Place::Merge(number(at)?),
        ["pulls", at, "reviews"] => Place::Reviews(number(at)?),
        ["issues"] => Place::Issues,
        ["issues", at] => Place::Issue(number(at)?),
        ["issues", at, "comments"] => Place::Comments(number(at)?),
        ["issues", at, "labels"] => Place::IssueLabels(number(at)?, None),
        ["issues", at, "labels", label] => Place::IssueLabels(number(at)?, Some((*label).to_owned())),
        ["commits", sha, "status"] => Place::Statuses((*sha).to_owned()),
        ["branches", name] => Place::Branch((*name).to_owned()),
        ["compare", both] => Place::Compare((*both).to_owned()),
        ["collaborators", login, "permission"] => Place::Permission((*login).to_owned()),
        _ => return None,
    })
}

fn github(rest: &[&str]) -> Option<Place> {
    Some(match rest {
        ["installation"] => Place::Installation,
        ["pulls", at, "comments"] => Place::LineComments(at.parse().ok()?, None),
        ["commits", sha, "check-runs"] => Place::CheckRuns((*sha).to_owned()),
        ["actions", "jobs", id, "logs"] => Place::Log(id.parse().ok()?),
        ["git", "refs", name] => Place::Branch(name.strip_prefix("heads/")?.to_owned()),
        other => return shared(other),
    })
}

fn gitea(rest: &[&str]) -> Option<Place> {
    Some(match rest {
        ["labels"] => Place::Labels,
        ["pulls", at, "reviews", review, "comments"] => {
            Place::LineComments(at.parse().ok()?, Some(review.parse().ok()?))
        }
        other => return shared(other),
    })
}

fn gitlab(rest: &[&str]) -> Option<Place> {
    let number = |text: &str| text.parse::<u64>().ok();
    Some(match rest {
        [] => Place::Repository,
        ["merge_requests"] => Place::Pulls,
        ["merge_requests", at] => Place::Pull(number(at)?),
        ["merge_requests", at, "merge"] => Place::Merge(number(at)?),
        ["merge_requests", at, "approvals"] => Place::Approvals(number(at)?),
        ["merge_requests", at, "reviewers"] => Place::Reviewers(number(at)?),
        ["merge_requests" | "issues", at, "notes"] => Place::Comments(number(at)?),
        ["issues"] => Place::Issues,
        ["issues", at] => Place::Issue(number(at)?),
        ["repository", "commits", sha, "statuses"] => Place::Statuses((*sha).to_owned()),
        ["pipelines"] => Place::Pipelines,
        ["jobs", id, "trace"] => Place::Log(number(id)?),
        ["repository", "branches", name] => Place::Branch((*name).to_owned()),
        ["repository", "compare"] => Place::Compare(String::new()),
        ["members", "all", id] => Place::Member(number(id)?),
        _ => return None,
    })
}

pub(super) fn on(method: &str, place: &Place) -> Option<On> {
    Some(match (method, place) {
        ("GET", Place::Account | Place::App) => On::GetAccount,
        ("GET", Place::Repository) => On::GetRepository,
        ("GET", Place::Pulls) => On::ListPullRequests,
        ("POST", Place::Pulls) => On::CreatePullRequest,
        ("GET", Place::Pull(_)) => On::GetPullRequest,
        ("PATCH" | "PUT", Place::Pull(_)) | ("POST", Place::GraphQl) => On::UpdatePullRequest,
        ("PUT" | "POST", Place::Merge(_)) => On::Merge,
        ("GET", Place::Reviews(_) | Place::LineComments(..) | Place::Approvals(_) | Place::Reviewers(_)) => {
            On::ListReviews
        }
        ("GET", Place::Comments(_)) => On::ListComments,
        ("POST", Place::Comments(_)) => On::CreateComment,
        ("GET", Place::Issues) => On::ListIssues,
        ("GET", Place::Issue(_)) => On::GetIssue,
        ("PATCH" | "PUT", Place::Issue(_)) => On::UpdateIssue,
        (_, Place::IssueLabels(..) | Place::Labels) => On::ChangeLabels,
        ("GET", Place::CheckRuns(_) | Place::Statuses(_) | Place::Pipelines) => On::ListChecks,
        ("GET", Place::Log(_)) => On::GetLog,
        ("GET", Place::Branch(_)) => On::GetBranch,
        ("DELETE", Place::Branch(_)) => On::DeleteBranch,
        ("GET", Place::Compare(_)) => On::Compare,
        ("GET", Place::Permission(_) | Place::Users | Place::Member(_)) => On::GetPermission,
        ("GET", Place::Installation) | ("POST", Place::AccessTokens) => On::MakeToken,
        _ => return None,
    })
}

/// Percent escapes undone. `None` for a broken one.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
