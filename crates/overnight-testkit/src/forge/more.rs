//! What the forge does about everything but the lists and the making of pull requests.
//!
//! Owns no state; works on a repository's under the forge's lock. How an answer looks is in `shapes`.

use serde_json::{Value, json};

use super::api::{Reply, Rights, error, query_value, refresh, show_pull};
use super::log::LoggedRequest;
use super::people::{FakeComment, FakeFit, FakeResult};
use super::route::Place;
use super::server::{Flavour, Hub};
use super::shapes;
use super::state::{FakePullRequest, FakeToken, PullState, Repository};

/// Everything that a request brings with it.
pub(super) struct Asked<'a> {
    pub(super) hub: &'a Hub,
    pub(super) request: &'a LoggedRequest,
    pub(super) token: &'a FakeToken,
    pub(super) json: Value,
}

impl Asked<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.json.get(name).and_then(Value::as_str)
    }

    fn is(&self, method: &str) -> bool {
        self.request.method == method
    }

    fn not_found(&self) -> Reply {
        error(self.hub, 404, "Not Found")
    }

    fn flavour(&self) -> Flavour {
        self.hub.flavour
    }
}

pub(super) fn answer(
    asked: &Asked<'_>,
    repository: &mut Repository,
    place: &Place,
    people: &Rights,
) -> Reply {
    if !asked.is("GET") && !asked.token.can_push {
        return error(asked.hub, if asked.flavour() == Flavour::GitLab { 401 } else { 403 }, "not allowed");
    }
    match place {
        Place::Pull(number) if asked.is("GET") => get_pull(asked, repository, *number),
        Place::Pull(number) => change_pull(asked, repository, *number),
        Place::Merge(number) => merge(asked, repository, *number),
        Place::Comments(number) if asked.is("POST") => post_comment(asked, repository, *number),
        Place::Comments(number) => list_comments(asked, repository, *number),
        Place::LineComments(number, _) => {
            let lines =
                repository.people.comments.iter().filter(|one| one.thread == *number && one.path.is_some());
            list(asked, lines.map(|one| shapes::comment(asked.hub, repository, one)).collect())
        }
        Place::Reviews(number) => {
            let reviews = repository.people.reviews.iter().filter(|one| one.thread == *number);
            list(asked, reviews.map(|one| shapes::review(asked.hub, repository, one)).collect())
        }
        Place::Approvals(number) => Reply::json(200, &shapes::approvals(asked.hub, repository, *number)),
        Place::Reviewers(number) => Reply::json(200, &shapes::reviewers(asked.hub, repository, *number)),
        Place::Issues => list_issues(asked, repository),
        Place::Issue(number) => issue(asked, repository, *number),
        Place::IssueLabels(number, label) => labels(asked, repository, *number, label.as_deref()),
        Place::Labels => all_labels(asked, repository),
        Place::CheckRuns(commit) | Place::Statuses(commit) => {
            let runs = matches!(place, Place::CheckRuns(_));
            shapes::checks(asked.hub, repository, commit, runs)
        }
        Place::Pipelines => {
            let commit = query_value(&asked.request.query, "sha").unwrap_or_default();
            Reply::json(200, &shapes::pipelines(asked.hub, repository, &commit))
        }
        Place::Log(id) => log(asked, repository, *id),
        Place::Branch(name) => branch(asked, repository, name),
        Place::Compare(both) => compare(asked, repository, both),
        Place::Permission(login) => {
            Reply::json(200, &shapes::permission(asked.hub, login, people.get(login) == Some(&true)))
        }
        Place::Member(id) => match people.iter().nth(usize::try_from(*id).unwrap_or(0).saturating_sub(1)) {
            Some((login, write)) => {
                let level = if *write { 30 } else { 20 };
                Reply::json(
                    200,
                    &json!({"id": id, "username": login, "name": login, "state": "active", "access_level": level}),
                )
            }
            None => asked.not_found(),
        },
        Place::Installation => Reply::json(200, &json!({"id": 77, "app_id": 5, "app_slug": "nightly"})),
        Place::Account
        | Place::App
        | Place::AccessTokens
        | Place::GraphQl
        | Place::Users
        | Place::Repository
        | Place::Pulls => asked.not_found(),
    }
}

/// A page of a list.
fn list(asked: &Asked<'_>, items: Vec<Value>) -> Reply {
    let query = &asked.request.query;
    let number = |key| query_value(query, key).and_then(|value| value.parse::<usize>().ok());
    let size = number("per_page").or(number("limit")).unwrap_or(30).clamp(1, 100);
    let page = number("page").unwrap_or(1).max(1);
    let more = items.len() > page * size;
    let shown: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
    let reply = Reply::json(200, &Value::Array(shown));
    if more {
        let next = super::api::with_page(query, page + 1);
        let at = format!("<{}{}?{next}>; rel=\"next\"", asked.hub.origin, asked.request.path);
        return reply.header("link", at);
    }
    reply
}

fn find(repository: &Repository, number: u64) -> Option<usize> {
    repository.pulls.iter().position(|pull| pull.number == number)
}

fn get_pull(asked: &Asked<'_>, repository: &mut Repository, number: u64) -> Reply {
    let Some(at) = find(repository, number) else { return asked.not_found() };
    let reply = Reply::json(200, &show_pull(asked.hub, repository, &repository.pulls[at], true));
    // What the forge did not know, it knows after some more looks.
    if let Some(FakeFit::UnknownThenConflict(looks)) = repository.people.fits.get_mut(&number) {
        match looks.checked_sub(1) {
            Some(fewer) => *looks = fewer,
            None => drop(repository.people.fits.insert(number, FakeFit::Conflict)),
        }
    }
    reply
}

fn change_pull(asked: &Asked<'_>, repository: &mut Repository, number: u64) -> Reply {
    let Some(at) = find(repository, number) else { return asked.not_found() };
    let gitlab = asked.flavour() == Flavour::GitLab;
    let (body, base) = if gitlab { ("description", "target_branch") } else { ("body", "base") };
    if let Some(base) = asked.text(base)
        && !matches!(repository.bare.tip(base), Ok(Some(_)))
    {
        return error(asked.hub, 422, "the base does not exist");
    }
    change_labels(asked, repository, number);
    let pull = &mut repository.pulls[at];
    if let Some(title) = asked.text("title") {
        pull.title = title.to_owned();
        if asked.flavour() != Flavour::GitHub {
            pull.draft = is_draft(title);
        }
    }
    if let Some(body) = asked.text(body) {
        pull.body = body.to_owned();
    }
    if let Some(base) = asked.text(base) {
        pull.base = base.to_owned();
    }
    let closes = asked.text("state") == Some("closed") || asked.text("state_event") == Some("close");
    if closes && pull.state == PullState::Open {
        pull.state = PullState::Closed;
    }
    Reply::json(
        if asked.flavour() == Flavour::Gitea { 201 } else { 200 },
        &show_pull(asked.hub, repository, &repository.pulls[at], true),
    )
}

pub(super) fn is_draft(title: &str) -> bool {
    let title = title.to_ascii_lowercase();
    ["wip:", "[wip]", "draft:", "[draft]"].iter().any(|prefix| title.starts_with(prefix))
}

fn merge(asked: &Asked<'_>, repository: &mut Repository, number: u64) -> Reply {
    refresh(repository);
    let Some(at) = find(repository, number) else { return asked.not_found() };
    let pull = repository.pulls[at].clone();
    let head = asked.text(if asked.flavour() == Flavour::Gitea { "head_commit_id" } else { "sha" });
    if let Some((status, message)) = stands_against(asked.flavour(), repository, &pull, head) {
        return error(asked.hub, status, &message);
    }
    let squash = asked.text("merge_method").or(asked.text("Do")) == Some("squash")
        || asked.json["squash"] == json!(true);
    let Ok(commit) = repository.bare.merge(&pull.base, &pull.head_commit, squash) else {
        let (status, message) = conflict(asked.flavour());
        repository.people.fits.insert(number, FakeFit::Conflict);
        return error(asked.hub, status, message);
    };
    repository.pulls[at].state = PullState::Merged;
    repository.people.merge_commits.insert(number, commit.clone());
    match asked.flavour() {
        Flavour::GitHub => Reply::json(
            200,
            &json!({"sha": commit, "merged": true, "message": "Pull Request successfully merged"}),
        ),
        Flavour::Gitea => Reply::empty(200),
        Flavour::GitLab => Reply::json(200, &show_pull(asked.hub, repository, &repository.pulls[at], true)),
    }
}

fn conflict(flavour: Flavour) -> (u16, &'static str) {
    match flavour {
        Flavour::GitHub => (405, "Pull Request is not mergeable"),
        Flavour::Gitea => (405, "Please try again later"),
        Flavour::GitLab => (422, "Branch cannot be merged"),
    }
}

fn stands_against(
    flavour: Flavour,
    repository: &Repository,
    pull: &FakePullRequest,
    head: Option<&str>,
) -> Option<(u16, String)> {
    if pull.state != PullState::Open || pull.draft {
        return Some((405, "405 Method Not Allowed".to_owned()));
    }
    if head.is_some_and(|head| head != pull.head_commit) {
        return Some((409, "Head branch was modified. Review and try the merge again.".to_owned()));
    }
    if matches!(
        repository.people.fits.get(&pull.number),
        Some(FakeFit::Conflict | FakeFit::UnknownThenConflict(_))
    ) {
        let (status, message) = conflict(flavour);
        return Some((status, message.to_owned()));
    }
    let open = |result| matches!(result, FakeResult::Pending | FakeResult::Failure);
    let checks = repository.people.checks.iter().filter(|check| check.commit == pull.head_commit);
    if repository.people.needs_checks && checks.clone().any(|check| open(check.result)) {
        return Some((405, "Required status check is expected.".to_owned()));
    }
    repository.people.forbids_merging.clone().map(|message| (405, message))
}

fn post_comment(asked: &Asked<'_>, repository: &mut Repository, thread: u64) -> Reply {
    let known =
        find(repository, thread).is_some() || repository.people.issues.iter().any(|one| one.number == thread);
    let Some(body) = asked.text("body").filter(|_| known) else { return asked.not_found() };
    let (id, at) = (repository.people.comments.len() as u64 + 1, repository.people.tick());
    let comment = FakeComment {
        id,
        thread,
        author: asked.token.login.clone(),
        body: body.to_owned(),
        path: None,
        line: None,
        at,
    };
    let reply = Reply::json(201, &shapes::comment(asked.hub, repository, &comment));
    repository.people.comments.push(comment);
    reply
}

fn list_comments(asked: &Asked<'_>, repository: &Repository, thread: u64) -> Reply {
    let gitlab = asked.flavour() == Flavour::GitLab;
    let here = |one: &&FakeComment| one.thread == thread && (gitlab || one.path.is_none());
    let since = query_value(&asked.request.query, "since");
    let fits = |one: &&FakeComment| since.as_ref().is_none_or(|since| super::people::shown(one.at) >= *since);
    let mut found: Vec<&FakeComment> = repository.people.comments.iter().filter(here).filter(fits).collect();
    if gitlab {
        found.sort_by_key(|one| -one.at);
    }
    let shown: Vec<Value> = found.iter().map(|one| shapes::comment(asked.hub, repository, one)).collect();
    // Gitea has no pages here.
    if asked.flavour() == Flavour::Gitea {
        Reply::json(200, &Value::Array(shown))
    } else {
        list(asked, shown)
    }
}

fn list_issues(asked: &Asked<'_>, repository: &Repository) -> Reply {
    let query = &asked.request.query;
    let label = query_value(query, "labels").unwrap_or_default();
    let since = query_value(query, "since").or(query_value(query, "updated_after"));
    let mut found: Vec<_> = repository.people.issues.iter().filter(|issue| issue.open).collect();
    found.retain(|issue| issue.labels.contains(&label));
    found.retain(|issue| since.as_ref().is_none_or(|since| super::people::shown(issue.updated) >= *since));
    if asked.flavour() == Flavour::Gitea {
        found.reverse();
    } else {
        found.sort_by_key(|issue| issue.updated);
    }
    let mut shown: Vec<Value> =
        found.into_iter().map(|issue| shapes::issue(asked.hub, repository, issue)).collect();
    if asked.flavour() == Flavour::GitHub {
        // To GitHub a pull request is an issue too.
        let pulls =
            repository.pulls.iter().filter(|pull| repository.people.labels_of(pull.number).contains(&label));
        shown.extend(pulls.map(|pull| shapes::pull_as_issue(asked.hub, repository, pull)));
    }
    list(asked, shown)
}

fn issue(asked: &Asked<'_>, repository: &mut Repository, number: u64) -> Reply {
    if !repository.people.issues.iter().any(|issue| issue.number == number) {
        return asked.not_found();
    }
    let closes = asked.text("state") == Some("closed") || asked.text("state_event") == Some("close");
    change_labels(asked, repository, number);
    let now = repository.people.tick();
    for issue in repository.people.issues.iter_mut().filter(|issue| issue.number == number && closes) {
        (issue.open, issue.updated) = (false, now);
    }
    let found = repository.people.issues.iter().find(|issue| issue.number == number);
    let status = if asked.flavour() == Flavour::Gitea && !asked.is("GET") { 201 } else { 200 };
    found.map_or_else(
        || asked.not_found(),
        |issue| Reply::json(status, &shapes::issue(asked.hub, repository, issue)),
    )
}

/// GitLab changes labels with the thing itself.
fn change_labels(asked: &Asked<'_>, repository: &mut Repository, number: u64) {
    let names = |key| asked.text(key).into_iter().flat_map(|text| text.split(',')).map(str::to_owned);
    let (add, remove): (Vec<String>, Vec<String>) =
        (names("add_labels").collect(), names("remove_labels").collect());
    if add.is_empty() && remove.is_empty() {
        return;
    }
    let mut labels = repository.people.labels_of(number);
    labels.retain(|label| !remove.contains(label) && !add.contains(label));
    labels.extend(add);
    repository.people.set_labels(number, labels);
}

fn labels(asked: &Asked<'_>, repository: &mut Repository, number: u64, label: Option<&str>) -> Reply {
    let gitea = asked.flavour() == Flavour::Gitea;
    let people = &mut repository.people;
    let mut now = people.labels_of(number);
    if asked.is("POST") {
        for label in asked.json["labels"].as_array().into_iter().flatten() {
            let by_id = |id: u64| people.labels.get(usize::try_from(id).ok()?.checked_sub(1)?).cloned();
            let name = label.as_str().map(str::to_owned).or_else(|| label.as_u64().and_then(by_id));
            let Some(name) = name else { return error(asked.hub, 422, "no such label") };
            if !now.contains(&name) {
                now.push(name);
            }
        }
        people.set_labels(number, now);
    } else if asked.is("DELETE") {
        let wanted = |name: &String| if gitea { people.label_id(name).to_string() } else { name.clone() };
        let Some(at) = now.iter().position(|name| Some(wanted(name).as_str()) == label) else {
            return asked.not_found();
        };
        now.remove(at);
        people.set_labels(number, now);
        if gitea {
            return Reply::empty(204);
        }
    }
    let shown = people.labels_of(number).iter().map(|name| shapes::label(asked.hub, people, name)).collect();
    Reply::json(200, &Value::Array(shown))
}

fn all_labels(asked: &Asked<'_>, repository: &mut Repository) -> Reply {
    if asked.is("POST") {
        let Some(name) = asked.text("name") else { return error(asked.hub, 422, "a name is needed") };
        repository.people.labels.push(name.to_owned());
        return Reply::json(201, &shapes::label(asked.hub, &repository.people, name));
    }
    let people = &repository.people;
    list(asked, people.labels.iter().map(|name| shapes::label(asked.hub, people, name)).collect())
}

fn log(asked: &Asked<'_>, repository: &Repository, id: u64) -> Reply {
    let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
    let check = at.and_then(|at| repository.people.checks.get(at));
    match check.and_then(|check| check.log.as_ref()) {
        Some(log) => Reply::text(200, log),
        None => asked.not_found(),
    }
}

fn branch(asked: &Asked<'_>, repository: &Repository, name: &str) -> Reply {
    let tip = repository.bare.tip(name).ok().flatten();
    match (tip, asked.is("DELETE")) {
        (None, true) if asked.flavour() == Flavour::GitHub => {
            error(asked.hub, 422, "Reference does not exist")
        }
        (None, _) => asked.not_found(),
        (Some(_), true) => match repository.bare.delete_branch(name) {
            Ok(()) => Reply::empty(204),
            Err(problem) => error(asked.hub, 500, &problem.to_string()),
        },
        (Some(tip), false) => Reply::json(200, &shapes::branch(asked.hub, repository, name, &tip)),
    }
}

fn compare(asked: &Asked<'_>, repository: &Repository, both: &str) -> Reply {
    let query = |key| query_value(&asked.request.query, key).unwrap_or_default();
    let (base, head) = match both.split_once("...") {
        Some((base, head)) => (base.to_owned(), head.to_owned()),
        None => (query("from"), query("to")),
    };
    match repository.bare.commits_between(&base, &head) {
        Ok(commits) => Reply::json(200, &shapes::comparison(asked.hub, &commits)),
        Err(_) => asked.not_found(),
    }
}

/// GitHub's GraphQL, as far as drafts need it.
pub(super) fn graphql(asked: &Asked<'_>, repositories: &mut [Repository]) -> Reply {
    let id = asked.json.pointer("/variables/id").and_then(Value::as_str).unwrap_or("");
    let number = id.strip_prefix("PR_").and_then(|number| number.parse::<u64>().ok());
    let query = asked.text("query").unwrap_or("");
    let pull =
        repositories.iter_mut().flat_map(|one| &mut one.pulls).find(|pull| Some(pull.number) == number);
    let problem = |kind: &str, text: &str| {
        Reply::json(200, &json!({"data": null, "errors": [{"type": kind, "message": text, "path": ["x"]}]}))
    };
    let Some(pull) = pull else { return problem("NOT_FOUND", "Could not resolve to a node") };
    if !asked.token.can_push {
        return problem("FORBIDDEN", "you may not");
    }
    pull.draft = query.contains("convertPullRequestToDraft");
    Reply::json(200, &json!({"data": {"x": {"pullRequest": {"isDraft": pull.draft}}}}))
}
